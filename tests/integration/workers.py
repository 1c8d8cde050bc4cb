"""Runs a whole worker on a real server, one turn at a time: deliveries are folded and reconciled immediately."""

import asyncio
import functools
import itertools
import random
from collections.abc import Callable, Sequence

from router.bootstrap import factories
from router.domain import decisions, deliveries, severities
from router.domain.alerts import Alert
from router.domain.incidents import Incident
from router.store import (
    connection,
    connection_settings,
    keys,
    publications,
    publishing_state,
)
from router.store.incidents import Incidents
from router.store.store import Store
from router.telemetry import tracing
from router.worker import (
    aggregator,
    announcer,
    configured_destinations,
    conflicting_alerts,
    desired_state,
    operation_executor,
    publishing_guard,
    reconciler,
    reviews,
    silencing,
    storm_control,
)
from tests.integration import vendor

LONG_AGO = 1_700_000_000_000_000
HOUR = 3_600_000_000
GENEROUS = publishing_guard.GuardLimits(publishing_state.Limit(100, HOUR), publishing_state.Limit(100, HOUR))


def require_replicas(store: Store, replicas: int, wait_seconds: float = 0.1) -> Store:
    """Return a store on the same connections whose writes require replica acknowledgements."""
    durability = connection_settings.Durability(replicas, wait_seconds)
    return Store(connection.Connection(store.redis, durability), store.limits)


class NoJitter(random.Random):
    """Randomness that makes distinct IDs and the shortest possible waits."""

    _numbers = itertools.count(1)

    def getrandbits(self, k: int, /) -> int:
        return next(self._numbers) if k > 64 else 0


WINDOWS = (400_000, 4_000_000, 40_000_000)


async def run_in_window(store, act):
    """Call ``act`` with a window in microseconds, and again with a longer one if it didn't end within the window.

    Return the result and the window. This is for behavior that depends on a window of Redis' clock.
    """
    for window in WINDOWS:
        began = await get_time(store)
        result = await act(window)
        if await get_time(store) - began < window:
            return result, window
    raise AssertionError(f"{act} took longer than {WINDOWS[-1]} microseconds")


class TooSlowError(Exception):
    """The machine was too slow for a scene to observe what happens within its window."""


async def get_time(store) -> int:
    """Return the time of the server, in microseconds."""
    seconds, micros = await store.redis.time()
    return seconds * 1_000_000 + micros


def rule(*targets: decisions.Target, name: str = "down") -> decisions.Response:
    return decisions.Response(name, "rules/a.yaml:3", "v1", targets or (decisions.Target("on-call", {"name": "Down"}),))


def route(alert: Alert) -> decisions.Routed:
    return decisions.Routed(alert, decisions.Decision("down", severities.Severity.MAJOR, rule()))


def firing(fingerprint: str = "f1", starts_at: int = 100) -> Alert:
    return Alert("am", fingerprint, "firing", starts_at, 0, title=f"{fingerprint} is down")


def resolved(fingerprint: str = "f1", starts_at: int = 100) -> Alert:
    return Alert("am", fingerprint, "resolved", starts_at, starts_at + 50)


def render(fields, of: Incident) -> dict:
    return {**fields, "alert": of.opening_alert.title}


class WorkerHarness:
    """The parts of one worker and the inbox of the webhook server, on a separate store."""

    def __init__(
        self,
        store: Store,
        *places: configured_destinations.ConfiguredDestination,
        consumer: str = "w1",
        passed=lambda _: None,
        limits: publishing_guard.GuardLimits = GENEROUS,
        traces: tracing.Traces = tracing.OFF,
        most: publishing_state.Limit | None = None,
        incidents: Incidents | None = None,
        render: desired_state.Render = render,
        watched: Sequence[str] = (),
        imports: Sequence[tuple[str, silencing.Imported]] = (),
        announces: bool = False,
    ) -> None:
        """Create the parts; ``most`` is the maximum number of incidents that open per window, unlimited by default.

        With ``announces``, incidents are announced to notifiers; ``notifications`` keeps the events.
        """
        self.store = store = Store(store.connection, store.limits)
        if incidents is not None:
            store.incidents = incidents
        self.inbox = store.inbox
        self.reader = store.make_inbox_reader(consumer)
        self.incidents = store.incidents
        self.publications = store.publications
        self.pages = publishing_guard.PublishingGuard(store, limits, desired_state.DesiredStateBuilder(render))
        self.accounts = store.accounts
        self.mutes = silencing.SilenceService(store, imports)
        self.rung: set[int] = set()
        self.triage = self._triage(places, traces)
        self.performer = performer = operation_executor.OperationExecutor(
            NoJitter(), most_seconds=5.0, checkpoint=passed, traces=traces
        )
        self.storms = storm_control.StormControl(store, most)
        self.notifications = store.notifications
        by_name = {place.name: place for place in places}
        self.wakes: list[int] = []
        told = announcer.Announcer(self.store, by_name, reviews.plain, lambda: self.wakes.append(1))
        self.reconciler = reconciler.Reconciler(
            self.store,
            by_name,
            performer,
            self.pages,
            ticks=itertools.count().__next__,
            randomness=NoJitter(),
            muting=self.mutes,
            storms=self.storms,
            oldest_unfolded=self.reader.oldest_unfolded,
            watched_destinations=watched,
            announcer=told if announces else None,
        )

    def _triage(
        self, places: Sequence[configured_destinations.ConfiguredDestination], traces: tracing.Traces
    ) -> aggregator.Aggregator:
        public = {place.name for place in places if place.kind.public}
        return aggregator.Aggregator(
            self.reader,
            self.store,
            randomness=NoJitter(),
            wake=self.rung.update,
            conflict_guard=conflicting_alerts.ConflictGuard(self.store, public),
            muting=self.mutes,
            traces=traces,
        )

    async def deliver(
        self,
        *alerts: Alert,
        key: str = "down",
        level: severities.Severity = severities.Severity.MAJOR,
        response: decisions.Response | None = None,
        received_at: int = 0,
    ) -> None:
        decided = decisions.Decision(key, level, response or rule())
        packed = deliveries.pack("d1", "am", received_at, [(alert, decided) for alert in alerts])
        await self.inbox.accept(packed, b"{}")

    async def deliver_decided(self, alert: Alert, decided: decisions.Decision) -> None:
        await self.inbox.accept(deliveries.pack("d1", "am", self.redis_time(), [(alert, decided)]), b"{}")

    async def fold(self) -> None:
        await self.reader.prepare()
        while entries := await self.reader.read(100, None):
            await self.triage.handle(entries)

    async def due(self) -> list[publications.Lease]:
        return [lease for shard in range(keys.SHARDS) for lease in await self.publications.claim(shard, 100)]

    async def turn(self) -> None:
        """Fold all deliveries, and reconcile until no incident is due."""
        await self.fold()
        while leases := await self.due():
            await asyncio.gather(*(self.reconciler.reconcile(lease) for lease in leases))

    async def wait_until(self, met) -> None:
        """Take turns until the condition is met. Retries wait by the clock of Redis."""
        async with asyncio.timeout(60):
            while not met():
                await self.turn()
                await asyncio.sleep(0.005)

    async def wait_until_async(self, met) -> None:
        """Take turns until the asynchronous condition is met."""
        async with asyncio.timeout(60):
            while not await met():
                await self.turn()
                await asyncio.sleep(0.005)

    async def redis_now(self) -> int:
        return await get_time(self.store)

    async def check_before(self, moment: int) -> None:
        """Raise ``TooSlowError`` if it is later than ``moment``, so that the scene has proven nothing."""
        if await self.redis_now() >= moment:
            raise TooSlowError

    def redis_time(self) -> int:
        """Return the time of this machine, which is about the time of Redis."""
        return factories.clock()

    async def incident(self, key: str = "down") -> Incident:
        return (await self.incidents.read([key]))[key].incident


def run(with_redis, play, *places, **more) -> None:
    """Run the coroutine function ``play`` with a worker on an empty server."""

    async def body(store):
        await play(WorkerHarness(store, *places, **more))

    with_redis(body)


def retry_with_windows(act: Callable[[int], None]) -> None:
    """Call ``act`` with a window in microseconds, and again with a longer one if it raised ``TooSlowError``."""
    for window in WINDOWS:
        try:
            act(window)
        except TooSlowError:
            continue
        return
    raise AssertionError(f"{act} took longer than {WINDOWS[-1]} microseconds")


def run_in_time(with_redis, play) -> None:
    """Run the scene ``play(on, at, window)`` with a vendor, and again with a longer window if the machine was too slow.

    The scene calls ``check_before`` when it has observed what happens within the window.
    """

    def act(window: int) -> None:
        at = vendor.Vendor()
        run(with_redis, functools.partial(play, at=at, window=window), vendor.on_call(at))

    retry_with_windows(act)
