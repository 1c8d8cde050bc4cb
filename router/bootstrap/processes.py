"""Runs the webhook server, the worker, their store, and the simulated vendors, each as a ``with`` block.

Blocks end in the opposite order: the webhook server stops accepting, the worker finishes its work in progress, and the
store stops last.
"""

import asyncio
import contextlib
import dataclasses
import functools
import gc
import resource
import secrets
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from starlette import types

from router import configuration
from router.bootstrap import alertmanager_polls, factories, initial_rules, listeners, traces
from router.configuration import sections
from router.rules import reload, ruleset
from router.simulator import options
from router.simulator.server import running
from router.store import connection_settings, dataset, embedded, errors, health, private_folder
from router.store.inbox import LimitedInbox
from router.store.store import Store
from router.telemetry import label_sets, log, metrics, registries
from router.web import connections, health_server, serve, webhooks
from router.web.app import create_app
from router.web.health import await_start, states
from router.worker import operation_executor

_WATCH_SECONDS = 1.0
_LEAVE_SECONDS = 1.0  # Time limit for recording in the store that a webhook server has ended.
_SWITCH_SECONDS = 0.001  # The default of 5 ms applies each time that a request waits for a thread that parses.
_OTHER_FILES = 256  # File descriptors for other uses: sockets to Redis and vendors, files.
WEB_ALONE: frozenset[registries.Role] = frozenset({"web"})
_OBJECTS_A_COLLECTION = 50_000  # A batch of the worker creates that many objects, and none of them is part of a cycle.


@dataclass(frozen=True)
class Address:
    """The address at which a server listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as a base URL."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


@contextlib.contextmanager
def redis_server(
    settings: configuration.Settings, lock: private_folder.FolderLock | None = None
) -> Iterator[connection_settings.Server]:
    """Yield the configured server, or an embedded one that ends with the block. ``lock`` is that of its data folder."""
    if server := _configured_server(settings):
        yield server
        return
    with embedded.running(settings.data, lock=lock) as own_server:
        yield connection_settings.Server(own_server.url, durability=_durability(settings))


def uses_data_folder(settings: configuration.Settings) -> bool:
    """Return whether `run` would start its own server."""
    return _configured_server(settings) is None


def _configured_server(settings: configuration.Settings) -> connection_settings.Server | None:
    """Return the server that the settings name; None if they name none."""
    redis_settings = settings.redis
    if redis_settings.url is None and redis_settings.cluster:
        raise errors.Unavailable("set REDIS_URL: a Redis Cluster is reached by the address of one of its servers")
    if redis_settings.url is None and redis_settings.sentinel is None:
        return None
    # With Sentinel, the sentinels name the server, so the URL is optional.
    url = redis_settings.url.get_secret_value() if redis_settings.url is not None else "redis://"
    return connection_settings.Server(
        url, _tls(settings), _sentinel(redis_settings.sentinel), redis_settings.cluster, _durability(settings)
    )


def _durability(settings: configuration.Settings) -> connection_settings.Durability:
    return connection_settings.Durability(settings.redis.replicas, settings.redis.replica_ack_timeout_seconds)


def _sentinel(sentinel: sections.Sentinel | None) -> connection_settings.Sentinel | None:
    if sentinel is None:
        return None
    return connection_settings.Sentinel(
        sentinel.service, sentinel.nodes, sentinel.username, sentinel.password.get_secret_value()
    )


def _tls(settings: configuration.Settings) -> connection_settings.Tls:
    """Return the files for TLS. Relative paths are relative to the configuration file."""
    beside, tls = Path(settings.file).parent, settings.redis.tls
    ca, cert, key = (beside / path if path is not None else None for path in (tls.ca, tls.cert, tls.key))
    return connection_settings.Tls(ca, cert, key)


@dataclass(frozen=True)
class Running:
    """A running webhook server: the addresses of webhooks and of probes and metrics, and the active rules."""

    settings: configuration.Settings
    address: Address
    health: Address
    rules: ruleset.RuleSet
    in_force: reload.Rules


@contextlib.asynccontextmanager
async def serving(
    app: types.ASGIApp,
    host: str,
    port: int,
    group: asyncio.TaskGroup,
    *,
    limits: connections.ConnectionLimits | None = None,
    listener: socket.socket | None = None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[Address]:
    """Serve an application for the length of the block. Requests in flight are answered before the block ends.

    ``listener`` is the socket that is already open for the application. Once ``stop`` is set, the server accepts no new
    request.
    """
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = group.create_task(serve.serve(app, host, port, started.set_result, limits, listener=listener, stop=stop))
    # A server that fails before it listens would leave the caller waiting forever.
    task.add_done_callback(lambda _: started.done() or started.cancel())
    with contextlib.suppress(asyncio.CancelledError):
        await started
    if started.cancelled():
        await task  # The server failed before it could listen, and raises the reason.
    try:
        yield Address(host, started.result())
    finally:
        task.cancel()
        await asyncio.wait({task})


@contextlib.asynccontextmanager
async def webhook_server(
    settings: configuration.Settings,
    store: Store,
    group: asyncio.TaskGroup,
    sockets: listeners.Listeners,
    *,
    stop: asyncio.Event | None = None,
    roles: frozenset[registries.Role] = WEB_ALONE,
) -> AsyncIterator[Running]:
    """Run the webhook server for the length of the block. It ends early once ``stop`` is set.

    ``roles`` are the roles of the process, whose metrics are exported.
    """
    sys.setswitchinterval(_SWITCH_SECONDS)
    # The callback runs at a reload, when ``handler`` exists.
    in_force = await initial_rules.rules(settings, store, lambda rule_set: put_in_force(handler, rule_set))
    inbox = LimitedInbox(store.inbox)
    spans = traces.start(settings.tracing)
    silenced = factories.muting(settings, store)
    handler = factories.webhook_handler(settings, store, in_force.in_force, inbox, spans, silenced=silenced)
    polls = alertmanager_polls.make_sync(settings, store, in_force, inbox)
    polled = alertmanager_polls.polled_sources(settings)
    label_sets.start_web(settings.sources, polled, factories.list_webhook_destinations(settings))
    hangup = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, hangup.set)
    checks = factories.checks(store, in_force)
    data = factories.data_set(settings, store)
    watching = [
        group.create_task(await_start(checks)),
        group.create_task(_watch_store(store, inbox, data)),
        group.create_task(_follow(silenced.refresh, _WATCH_SECONDS)),
        group.create_task(_follow(silenced.import_all, settings.silences.poll_interval / 1_000_000)),
        group.create_task(polls.run()),
        group.create_task(_follow(initial_rules.make_keeper(in_force, store), initial_rules.KEEP_SECONDS)),
        group.create_task(in_force.watch(lambda: factories.clock() / 1_000_000, hangup)),
    ]
    app = create_app(handler, checks=checks, vendors=factories.vendor_webhooks(settings, store))
    _freeze()
    try:
        limits = connections.ConnectionLimits(
            settings.web.request_timeout_seconds, _connections(settings.web.max_connections)
        )
        at, listener = settings.web, sockets.webhooks
        read_states = functools.partial(states, checks)
        async with (
            health_server.serving(read_states, roles, sockets.health) as health_port,
            serving(app, at.host, at.port, group, limits=limits, listener=listener, stop=stop) as address,
        ):
            probed = Address(at.health_host, health_port)
            yield Running(settings, address, probed, in_force.in_force, in_force)
    finally:
        asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
        for task in watching:
            task.cancel()
        await asyncio.wait(watching)
        with contextlib.suppress(errors.Unavailable, TimeoutError):
            await asyncio.wait_for(data.leave(), _LEAVE_SECONDS)
        # Sending the last spans blocks.
        await asyncio.to_thread(spans.close)


def _connections(configured: int) -> int:
    """Raise the limit on open files for this many connections, and return the number that it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = configured + _OTHER_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return configured
    # Under a low limit, half of the files stay free for Redis and the vendors.
    allowed = max(soft - _OTHER_FILES, soft // 2)
    log.get("web").warning("open_files_limited", limit=soft, max_connections=allowed)
    return allowed


def put_in_force(handler: webhooks.WebhookHandler, rule_set: ruleset.RuleSet) -> None:
    """Switch the webhook server to other rules. The old or the new rules decide each delivery entirely."""
    handler.decide, handler.labels_named = rule_set.decide, rule_set.labels_named
    # The rules are exempt from garbage collection, which would take longer with each new set. To collect garbage first
    # would block the event loop for 120 ms at 5,000 rules. The replaced rules are freed by their reference counts.
    gc.freeze()


def _freeze() -> None:
    """Exempt the existing objects from garbage collection: code and rules live long, and each scan costs time.

    Garbage is collected first, because frozen garbage is never collected. Call this only before the process serves
    requests: it blocks.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()


@contextlib.asynccontextmanager
async def working(
    settings: configuration.Settings,
    store: Store,
    group: asyncio.TaskGroup,
    *,
    checkpoint: operation_executor.Checkpoint = lambda _: None,
    stop: asyncio.Event | None = None,
) -> AsyncIterator[None]:
    """Run the worker for the length of the block. It drains before the block ends.

    Once ``stop`` is set, the worker begins to drain.
    """
    _freeze()
    # With 20 for the oldest generation, an idle worker's garbage would wait for an hour, and take up to 40 MB.
    gc.set_threshold(_OBJECTS_A_COLLECTION, 10, 5)
    at = factories.places(settings, store)
    label_sets.start_worker(settings.sources, settings.destinations, settings.notifiers)
    spans = traces.start(settings.tracing)
    stop = stop or asyncio.Event()
    task = group.create_task(factories.worker(settings, store, at, checkpoint=checkpoint, traces=spans).run(stop))
    looking = group.create_task(factories.check_vendors(at))
    try:
        yield
    finally:
        stop.set()
        looking.cancel()
        await asyncio.wait({task, looking})
        # The worker has drained, so no operation uses these connections any longer.
        for place in at.values():
            await place.destination.aclose()
        await asyncio.to_thread(spans.close)


@contextlib.asynccontextmanager
async def serve_probes(store: Store, listener: socket.socket) -> AsyncIterator[int]:
    """Serve probes and metrics of a worker for the length of the block. Yields the port."""
    read_states = functools.partial(states, factories.checks(store))
    async with health_server.serving(read_states, {"worker"}, listener) as port:
        yield port


async def _watch_store(store: Store, inbox: LimitedInbox, data: dataset.WatchedDataSet) -> None:
    """Stop accepting before the store is full: accepted deliveries need memory to be processed.

    Webhook servers detect data loss here, too, not only workers.

    A webhook server that started while Redis was unavailable ends if the data turns out to be a later version's. After
    the check succeeds, it accepts deliveries until it ends: a later worker can read them.
    """
    condition, vintage, is_known = store.health, store.schema, False
    while True:
        try:
            if not is_known:
                await vintage.ensure()
                for doubt in await condition.durability_warnings():
                    log.get("web").warning("redis_may_lose_deliveries", reason=doubt)
                is_known = True
            full = await condition.fullness()
            metrics.redis_memory_used_ratio.set(full)
            # Refusing early keeps room for processing the deliveries that are accepted already.
            inbox.refusing = f"Redis is over {health.FULL_AT:.0%} of its memory" if full > health.FULL_AT else ""
        except errors.Unavailable:
            inbox.refusing = ""  # Each accept detects the failure.
        with contextlib.suppress(errors.Unavailable):
            await data.check()
        await asyncio.sleep(_WATCH_SECONDS)


async def _follow(turn: Callable[[], Awaitable[None]], pause_seconds: float) -> None:
    """Call ``turn`` repeatedly. While Redis is unavailable, the last result stays in use."""
    while True:
        with contextlib.suppress(errors.StoreError):
            await turn()
        await asyncio.sleep(pause_seconds)


def webhook_token(folder: Path) -> str:
    """Return the webhook token of a first try, which is created once and stored in the data folder."""
    path = folder / "webhook-token"
    if not path.exists():
        private_folder.write(path, secrets.token_urlsafe(18))
    return path.read_text(encoding="utf-8").strip()


@contextlib.asynccontextmanager
async def connect(
    settings: configuration.Settings,
    server: connection_settings.Server | None = None,
    *,
    patient: bool = False,
    cached_alerts: int = 0,
) -> AsyncIterator[Store]:
    """Yield the store, whose data this version of the router may use, and close its connections after the block.

    ``server`` is by default the one of the settings, or that of a running ``run``. Raises ``store.errors.SchemaTooNew``
    if the data is a later version's, or ``Unavailable``. With ``patient``, an unavailable Redis is no error here: the
    worker checks the version before it begins, and the webhook server within one second after Redis is back.
    """
    store = factories.make_store(settings, server or find_redis(settings), cached_alerts=cached_alerts)
    try:
        with contextlib.suppress(errors.Unavailable) if patient else contextlib.nullcontext():
            await store.schema.ensure()
        yield store
    finally:
        await store.aclose()


def find_redis(settings: configuration.Settings) -> connection_settings.Server:
    """Return the configured server, or that of a running ``run``. Raises ``Unavailable`` if there is neither."""
    if server := _configured_server(settings):
        return server
    if address := embedded.running_address(settings.data):
        return connection_settings.Server(address, durability=_durability(settings))
    raise errors.Unavailable("set REDIS_URL: web and worker share one Redis; only `run` starts its own")


@contextlib.contextmanager
def any_redis(settings: configuration.Settings, *, serves_empty: bool) -> Iterator[connection_settings.Server]:
    """Yield the configured server, that of a running ``run``, or an embedded one on the data folder for this block.

    Raises ``Unavailable`` if, without ``serves_empty``, the data folder has no data.
    """
    try:
        server = find_redis(settings)
    except errors.Unavailable:
        # An embedded server on an empty folder would only answer that there is no data.
        if not serves_empty and not (settings.data / "appendonlydir").exists():
            raise
    else:
        yield server
        return
    with redis_server(settings) as own_server:
        yield own_server


def with_addresses(
    settings: configuration.Settings,
    host: str | None,
    port: int | None,
    console_port: int | None = None,
    health_port: int | None = None,
) -> configuration.Settings:
    """Return the settings with other addresses for webhooks, the console, and probes."""
    fields = {"host": host, "port": port, "health_port": health_port}
    web = settings.web.model_copy(update={key: value for key, value in fields.items() if value is not None})
    console = {} if console_port is None else {"port": console_port}
    return dataclasses.replace(settings, web=web, management=settings.management.model_copy(update=console))


def with_worker_name(settings: configuration.Settings, name: str) -> configuration.Settings:
    """Return the settings with another name for the worker."""
    if not name:
        return settings
    return dataclasses.replace(settings, worker=settings.worker.model_copy(update={"name": name}))


@contextlib.asynccontextmanager
async def simulating(listener: socket.socket | None = None, memory: Path | None = None) -> AsyncIterator[str]:
    """Run the simulated vendors for the length of the block. Yields their base URL.

    ``listener`` is their socket; by default, they use a free port. ``memory`` is the folder that persists their items;
    without a folder, they start empty.
    """
    file = memory / "simulator.state" if memory else None
    async with running(options.Options(), listener, file) as url:
        yield url
