"""Creates the parts of a process from the settings, one function each. Only here are clocks and randomness created."""

import functools
import hashlib
import random
import socket
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from router import configuration
from router.bootstrap import memory, notification_delivery, public_pages, self_reports, silence_imports
from router.destinations import base
from router.destinations.registry import KINDS
from router.domain import identity, rule_files
from router.domain.times import Timestamp
from router.outbound import errors, fetch
from router.rules import destination_info, load, reload, ruleset
from router.sources import signatures, verifications
from router.sources.registry import ConfiguredSource, build
from router.store import (
    connection_settings,
    dataset,
    quotas,
)
from router.store.inbox import InboxReader, LimitedInbox
from router.store.store import Store, StoreLimits
from router.telemetry import log, tracing
from router.web import client_addresses, request_limits, webhooks
from router.web.health import Check, CheckResult, Startup
from router.web.vendor_webhooks import Receiver, VendorWebhooks
from router.worker import (
    adoption,
    aggregator,
    configured_destinations,
    conflicting_alerts,
    double_reports,
    operation_executor,
    placements,
    reconciler,
    recovery,
    runtime,
    silencing,
)

CACHED_BY_WEB = 20_000  # Alerts whose incidents the webhook server keeps decoded.
CACHED_BY_WORKER = 500_000  # Alerts whose incidents a worker keeps decoded, at most 170 MiB. An incident counts as 8.
_MIN_LEASE_SECONDS = 30.0
_MAX_KEY_BYTES = 64 * 1024  # Bytes. A certificate has 2,000.
BEAT_LATE_SECONDS = 15.0  # Without a heartbeat for longer than this, a worker counts as not running.


def clock() -> Timestamp:
    """Return the time in microseconds since the Unix epoch."""
    return Timestamp(time.time_ns() // 1000)


def seeded_randomness(seed: int) -> random.Random:
    """Return randomness that is the same for the same seed. Only for trials, never for IDs or secrets."""
    return random.Random(seed)  # noqa: S311 - nothing is kept secret by it


def randomness() -> random.Random:
    """Return randomness for IDs and secrets, which can't be predicted."""
    return random.SystemRandom()


def new_id() -> str:
    """Return a random ID."""
    return identity.new_id(random.SystemRandom())


def ticks() -> Timestamp:
    """Return the microseconds of a clock that is never set back."""
    return Timestamp(time.monotonic_ns() // 1000)


def known_destinations(settings: configuration.Settings) -> destination_info.Configured:
    """Return the data about configured destinations and notifiers that rules need."""
    destination_infos = {
        name: destination_info.DestinationInfo(
            KINDS[config.kind].opening,
            KINDS[config.kind].public,
            config.kind,
            config.defaults,
            {"config": config},
            settings.pages.allowed_hosts,
            KINDS[config.kind].monitoring,
            retrospective=KINDS[config.kind].retrospective,
        )
        for name, config in settings.destinations.items()
    }
    return destination_info.Configured(destination_infos, settings.notifiers)


def rules_in_force(
    settings: configuration.Settings,
    changed: Callable[[ruleset.RuleSet], None],
    kept_files: rule_files.RuleFiles | None = None,
) -> reload.Rules:
    """Return the rules of the settings, which can be reloaded when they change. Raises ``rules.Refused``.

    ``kept_files`` are used if the rules on the disk are invalid.
    """
    return reload.Rules(settings.rules, known_destinations(settings), changed=changed, kept_files=kept_files)


def load_rules(settings: configuration.Settings, folder: Path | None = None) -> ruleset.RuleSet:
    """Load the rule folder, or another one. Raises ``rules.Refused`` with every problem."""
    return load.load(folder or settings.rules, known_destinations(settings))


def labels_named(settings: configuration.Settings) -> frozenset[str]:
    """Return the labels that the rules of the settings name; none if the rules can't be loaded."""
    try:
        return load_rules(settings).labels_named()
    except load.RulesRefused:
        return frozenset()


def make_store(
    settings: configuration.Settings, server: connection_settings.Server, *, cached_alerts: int = 0
) -> Store:
    """Return the store of a process. Raises ``Unavailable`` if the connection settings contradict each other.

    No call to a vendor or a notifier may take longer than the lease of its incident.
    """
    calls = max((config.timeout_seconds for config in settings.destinations.values()), default=10.0)
    deliveries = max((config.timeout_seconds for config in settings.notifiers.values()), default=0.0)
    # An operation is cut off at half of its lease, so two calls that time out fit into four times the time-out.
    limits = StoreLimits(
        cached_alerts=cached_alerts,
        lease_seconds=max(settings.worker.lease_seconds, 4 * calls),
        notification_lease_seconds=max(_MIN_LEASE_SECONDS, 4 * deliveries),
        archive_retention=settings.archive.retention,
        archive_bytes=settings.archive.max_bytes,
        quarantine_bytes=settings.quarantine.max_bytes,
    )
    return Store.connect(server, limits)


def places(
    settings: configuration.Settings, store: Store | None = None
) -> dict[str, configured_destinations.ConfiguredDestination]:
    """Return the configured destinations with their clients. With a store, the quotas of their accounts apply."""
    built = {}
    for name, config in settings.destinations.items():
        kind = KINDS[config.kind]
        connection = kind.connect(name, config, clock)
        if store is not None:
            connection.quota = quota(store, config, settings.destinations.values())
        destination = kind.make(name, config, connection)
        follows = base.linked_destination(config)
        built[name] = configured_destinations.ConfiguredDestination(
            name,
            kind,
            destination,
            follows,
            timeout_seconds=config.timeout_seconds,
            account=account(config),
            page=base.page_of(config),
            failover=config.failover,
        )
    return built


def account(config: base.Config) -> str:
    """Return a value that identifies the account of a destination. It is no secret."""
    secret = config.api_key.get_secret_value()
    # Workers store the account in Redis, where the API key must not be.
    return hashlib.blake2b(f"{config.base_url} {secret}".encode(), digest_size=8).hexdigest()


def quota(store: Store, config: base.Config, configured: Iterable[base.Config] = ()) -> quotas.AccountQuota:
    """Return the quota of calls for the account of a destination, among all ``configured`` destinations."""
    return store.make_quota(account(config), per_minute(config, configured))


def per_minute(config: base.Config, configured: Iterable[base.Config]) -> int:
    """Return the call limit of a destination's account: the lowest of the destinations that share the account.

    They share one token bucket. With a higher limit, a destination would wait for the bucket to fill above the lower
    limit, to which each call of another destination empties it.
    """
    own_account = account(config)
    return min([config.per_minute, *(other.per_minute for other in configured if account(other) == own_account)])


async def check_vendors(at: Mapping[str, configured_destinations.ConfiguredDestination]) -> None:
    """Ask every vendor once whether the configured names exist and fit together. Log a warning for each problem."""
    for name, place in at.items():
        try:
            problems = await place.destination.check()
        # A vendor that can't be reached must not keep the worker from starting.
        except errors.Failure as failure:
            problems = [failure.message]
        for problem in problems:
            log.get("worker").warning("destination_problem", destination=name, problem=problem)
    for problem in await double_reports.find(at):
        log.get("worker").warning("double_reporting", problem=problem)


def endpoints(settings: configuration.Settings) -> dict[str, ConfiguredSource]:
    """Return the configured sources with their parsers. Log a warning for each source without authentication."""
    for name, config in settings.sources.items():
        if config.auth == "none":
            log.get("web").warning("source_without_authentication", source=name)
    return {name: build(name, config, _fetch_key) for name, config in settings.sources.items()}


async def _fetch_key(url: str) -> bytes:
    """Fetch a vendor's key for signatures."""
    try:
        return await fetch.get(url, timeout_seconds=5.0, most_bytes=_MAX_KEY_BYTES)
    # The signature can't be judged without the key, so the sender has to retry instead of being refused.
    except errors.Temporary as error:
        raise verifications.UnavailableError(error.message) from error


def worker(
    settings: configuration.Settings,
    store: Store,
    at: Mapping[str, configured_destinations.ConfiguredDestination],
    *,
    checkpoint: operation_executor.Checkpoint = lambda _: None,
    traces: tracing.Traces = tracing.OFF,
) -> runtime.Worker:
    """Return the worker. ``checkpoint`` is called at each point of an operation, for tests that crash there."""
    randomness, name = random.SystemRandom(), settings.worker.name or socket.gethostname()
    bell = runtime.WakeSignal()
    reader = store.make_inbox_reader(name, life=new_id(), archives=settings.archive.enabled)
    silenced, data = muting(settings, store), data_set(settings, store)
    # Cut off at half of the lease, before another worker can lease the incident and repeat the call.
    performer = operation_executor.OperationExecutor(
        randomness, most_seconds=store.limits.lease_seconds / 2, checkpoint=checkpoint, traces=traces
    )
    notifiers = notification_delivery.make_parts(settings, store, randomness, clock, ticks)
    stage = _stage(settings, store, at, (reader, silenced, data), bell.ring, traces=traces)
    return runtime.Worker(
        name,
        reader,
        stage,
        reconciler.Reconciler(
            store,
            at,
            performer,
            public_pages.pages(settings, store),
            ticks=ticks,
            randomness=randomness,
            muting=silenced,
            storms=self_reports.make_storm_control(settings, store),
            oldest_unfolded=reader.oldest_unfolded,
            watched_destinations=_watched_destinations(settings),
            reclaimer=adoption.Reclaimer(data, performer, store, at, installation=settings.installation),
            announcer=notifiers.incidents,
        ),
        store,
        clock=clock,
        wake_signal=bell,
        silenced=silenced,
        monitor=self_reports.make_monitor(settings, store, at, performer.breakers, randomness),
        pace=_pace(settings),
        watching=recovery.Recovery(data, at, store, installation=settings.installation),
        notifying=notifiers.worker,
    )


def _stage(
    settings: configuration.Settings,
    store: Store,
    at: Mapping[str, configured_destinations.ConfiguredDestination],
    shared: tuple[InboxReader, silencing.SilenceService, dataset.WatchedDataSet],
    wake: Callable[[set[int]], None],
    *,
    traces: tracing.Traces,
) -> aggregator.Aggregator:
    """Build the stage that folds deliveries. ``shared`` are objects that the worker's other parts use, too."""
    reader, silenced, data = shared
    public = {name for name, place in at.items() if place.kind.public}
    return aggregator.Aggregator(
        reader,
        store,
        randomness=random.SystemRandom(),
        wake=wake,
        conflict_guard=conflicting_alerts.ConflictGuard(store, public),
        muting=silenced,
        traces=traces,
        installation=settings.installation,
        data=data,
    )


def data_set(settings: configuration.Settings, store: Store) -> dataset.WatchedDataSet:
    """Return the data set as this process knows it.

    If the data set is new, the previous one may have been lost while no process ran. Only a named installation can
    distinguish its own items at the vendors from those of others, so a new data set is reconciled only with a name.
    """
    return store.watch_data_set(new_id(), random.SystemRandom(), reconciles_new=bool(settings.installation))


def muting(settings: configuration.Settings, store: Store) -> silencing.SilenceService:
    """Return the service that mutes alerts: the router's own silences and the imported ones."""
    of_account = functools.partial(quota, store, configured=settings.destinations.values())
    return silencing.SilenceService(store, silence_imports.silences(settings, clock, of_account))


def _pace(settings: configuration.Settings) -> runtime.LoopIntervals:
    return runtime.LoopIntervals(
        concurrency=settings.worker.concurrency,
        reclaim_idle_seconds=settings.worker.reclaim_idle_seconds,
        silence_poll_seconds=settings.silences.poll_interval / 1_000_000,
        ping_seconds=settings.self_report.ping_interval / 1_000_000,
    )


def checks(store: Store, in_force: reload.Rules | None = None) -> dict[str, Check]:
    """Return the checks of ``/readyz``: Redis, a recent worker heartbeat, and the active rules.

    A worker is not ready without Redis or without a heartbeat. A process that receives deliveries, which has rules
    ``in_force``, becomes ready once Redis answers, and stays ready: accepted deliveries are safe until a worker runs,
    and while Redis is unavailable, senders get an error and retry.
    """
    receives = in_force is not None

    async def redis_answers() -> CheckResult:
        await store.health.ping()
        return CheckResult(True, "answers")

    async def worker_lives() -> CheckResult:
        silent = (clock() - await store.health.latest_heartbeat()) / 1_000_000
        if silent > BEAT_LATE_SECONDS:
            detail = "no worker has been seen lately; deliveries are queued until one starts"
            return CheckResult(receives, detail, degraded=receives)
        return CheckResult(True, "alive")

    async def data_set_is_known() -> CheckResult:
        state = await store.data_set.read_state(clock())
        # A lost data set delays openings only, so the process stays ready.
        return CheckResult(True, state.describe(), degraded=bool(state.since))

    async def rules_are_there() -> CheckResult:
        assert in_force is not None  # noqa: S101 - asked only where there are rules
        detail = f"version {in_force.in_force.version}"
        if in_force.fallback is not None:
            kept_at = datetime.fromtimestamp(in_force.fallback.kept_at / 1_000_000, UTC)
            detail += f", the last good rules from Redis, kept at {kept_at:%Y-%m-%d %H:%M:%S} UTC"
        if in_force.problems:
            first = in_force.problems[0]
            detail += f"; refused on the disk: {first.place}: {first.message}"
        return CheckResult(True, detail, degraded=bool(in_force.problems))

    if not receives:
        return {"redis": redis_answers, "worker": worker_lives, "data": data_set_is_known}
    started = {"redis": Startup(redis_answers), "worker": Startup(worker_lives)}
    return {**started, "data": Startup(data_set_is_known), "rules": rules_are_there}


def webhook_handler(
    settings: configuration.Settings,
    store: Store,
    rule_set: ruleset.RuleSet,
    inbox: LimitedInbox,
    traces: tracing.Traces = tracing.OFF,
    *,
    silenced: silencing.SilenceService | None = None,
) -> webhooks.WebhookHandler:
    """Return the handler of webhooks, which decides by these rules.

    With ``silenced``, responses name the incident that holds each alert, or what mutes it.
    """
    built = webhooks.WebhookHandler(
        endpoints(settings),
        rule_set.decide,
        inbox=inbox,
        quarantine=store.quarantine,
        clock=clock,
        randomness=random.SystemRandom(),
        seen=store.delivery_ids,
        placements=placements.Placements(store, silenced) if silenced is not None else None,
        limits=limits(settings),
        addresses=client_addresses.ClientAddresses(settings.web.trusted_proxies),
        public=[name for name, destination in settings.destinations.items() if KINDS[destination.kind].public],
        traces=traces,
    )
    # Labels that a rule names are kept if a delivery has too many.
    built.labels_named = rule_set.labels_named
    return built


def vendor_webhooks(settings: configuration.Settings, store: Store) -> VendorWebhooks:
    """Return the handler of the webhooks of those destinations that have one."""
    receivers = {
        name: Receiver(
            name,
            tuple(
                signatures.Signature(
                    signatures.Config.model_validate({"scheme": scheme, "secrets": config.webhook.secrets})
                )
                for scheme in KINDS[config.kind].webhook_schemes
            ),
            _at_the_same_vendor(settings, config),
        )
        for name, config in settings.destinations.items()
        if config.webhook is not None
    }
    return VendorWebhooks(receivers, store.vendor_ids.recheck, store.delivery_ids, clock)


def _watched_destinations(settings: configuration.Settings) -> frozenset[str]:
    """Return the destinations whose vendor IDs webhooks may mention."""
    return frozenset(
        name
        for config in settings.destinations.values()
        if config.webhook is not None
        for name in _at_the_same_vendor(settings, config)
    )


def _at_the_same_vendor(settings: configuration.Settings, config: base.Config) -> tuple[str, ...]:
    """Return the destinations whose changes a webhook of ``config`` may report."""
    # A vendor's webhook reports incidents and posts, which are separate destinations here.
    return tuple(name for name, destination in settings.destinations.items() if destination.base_url == config.base_url)


def list_webhook_destinations(settings: configuration.Settings) -> list[str]:
    """Return the destinations whose vendor sends webhooks."""
    return [name for name, config in settings.destinations.items() if config.webhook is not None]


def limits(settings: configuration.Settings) -> request_limits.RequestLimits:
    """Return the size limits of one delivery, and the memory limit of all deliveries in flight."""
    in_flight = settings.web.max_bytes_in_flight
    return request_limits.RequestLimits(
        settings.web.max_body_bytes,
        settings.web.max_depth,
        settings.web.max_alerts,
        settings.web.max_labels,
        settings.web.max_value_bytes,
        settings.web.max_in_flight,
        memory.bytes_in_flight() if in_flight is None else in_flight,
    )
