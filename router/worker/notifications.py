"""Delivers events to notifiers: claims a subject, sends each notifier its new events, records the result, and releases.

Delivery has its own leases and its own loop, so a notifier that fails delays no incident. Events of one subject reach a
notifier in order. A failed delivery is retried with a growing delay; after ``GIVE_UP`` its events are dropped, and the
log and a metric say so.
"""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from router.domain import events, identity, notification, quiet_hours, subscriptions, times
from router.domain.times import Timestamp
from router.notifiers import base
from router.outbound import backoff, errors
from router.store import notifications
from router.store.errors import StoreError
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import circuit_breaker

GIVE_UP = times.DAY
"""Microseconds for which the delivery of an event is retried."""
RECENT = times.HOUR
"""Microseconds. A notifier that is new to a subject receives no events that are older than this."""
MAX_CALLS = 100
"""Calls that a notifier may make for one event."""
_POLL_SECONDS = 0.5
_FROM_EACH_SHARD = 4
_BASE_SECONDS, _CAP_SECONDS = 1.0, 300.0
_OVERHEAD_SECONDS = 5.0  # In addition to the timeout of a request: the wait for its turn.


@dataclass(frozen=True)
class Channels:
    """The configured notifiers, their subscriptions, and their quiet hours, each by the notifier's name."""

    notifiers: Mapping[str, base.Notifier]
    subscribed: subscriptions.Subscriptions = field(default_factory=subscriptions.Subscriptions)
    timeout_seconds: float = 5.0
    quiet: Mapping[str, quiet_hours.QuietHours] = field(default_factory=dict)

    def receives(self, name: str, event: events.Recorded) -> bool:
        """Return whether a notifier receives an event."""
        return name in self.subscribed.receivers(event.event, event.notify)


class Deliveries:
    """Delivers the events of many subjects at a time. ``ticks`` are microseconds of a clock that is never set back."""

    def __init__(
        self,
        store: Store,
        channels: Channels,
        *,
        randomness: identity.Randomness,
        ticks: Callable[[], Timestamp],
        at_once: int = 32,
    ) -> None:
        self._store = store
        self._channels = channels
        self._randomness = randomness
        self._ticks = ticks
        self._max_deliveries = at_once
        self._slots = asyncio.Semaphore(at_once)
        self._running: set[asyncio.Task[None]] = set()
        self._wake_event = asyncio.Event()
        self.breakers = circuit_breaker.CircuitBreakers(randomness)
        self._log = log.get("notifications")

    def wake(self) -> None:
        """Look for events immediately."""
        self._wake_event.set()

    async def turn(self) -> None:
        """Wait for a wake, for half a second at most, and begin the deliveries that are due."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._wake_event.wait(), _POLL_SECONDS)
        self._wake_event.clear()
        while len(self._running) < self._max_deliveries:
            leases = await self._store.notifications.claim(_FROM_EACH_SHARD)
            for lease in leases:
                task = asyncio.create_task(self._deliver(lease))
                self._running.add(task)
                task.add_done_callback(self._running.discard)
            if not leases:
                return
        # Every slot is taken. As soon as one is free, claim again instead of waiting for the next poll.
        await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        self.wake()

    async def finish(self) -> None:
        """Wait for the deliveries under way."""
        if self._running:
            await asyncio.wait(self._running)

    async def aclose(self) -> None:
        """Cancel the deliveries under way, and close the notifiers' connections."""
        for task in self._running:
            task.cancel()
        await self.finish()
        for notifier in self._channels.notifiers.values():
            await notifier.aclose()

    async def _deliver(self, lease: notifications.SubjectLease) -> None:
        """Deliver the events of one subject to every notifier, as far as that is possible now."""
        try:
            async with self._slots:
                await self._deliver_all(lease)
        except _LeaseLostError:
            self._log.warning("lease_lost", subject=lease.subject)
        except StoreError as error:
            # The subject is claimed again at the end of the lease.
            self._log.warning("delivery_interrupted", subject=lease.subject, reason=str(error))

    async def _deliver_all(self, lease: notifications.SubjectLease) -> None:
        began = self._ticks()
        progresses = {name: lease.progress.get(name, notification.Progress()) for name in self._channels.notifiers}
        recorded_events = await self._store.notifications.events(
            lease.subject, min((recorded.sequence for recorded in progresses.values()), default=-1)
        )
        # Keep the progress of notifiers that are no longer configured here: another worker may still have them.
        work = _Work(
            lease, {**lease.progress, **progresses}, lambda: Timestamp(lease.claimed_at + self._ticks() - began)
        )
        moments = await asyncio.gather(*(self._deliver_to(name, work, recorded_events) for name in progresses))
        await self._store.notifications.release(lease, work.progress, min(filter(None, moments), default=0))

    async def _deliver_to(self, name: str, work: "_Work", recorded_events: Sequence[events.Recorded]) -> int:
        """Deliver to one notifier. Return when to continue (microseconds; 0 for when there are new events)."""
        pending, held_until = self._hold(name, work, self._find_pending(name, work, recorded_events))
        calls = 0
        while pending:
            if due := self._blocked_until(name, work):
                return due
            if not await self._send(name, work, pending):
                return max(work.progress[name].retry_at, work.now() + 1)
            left = [recorded for recorded in pending if recorded.sequence > work.progress[name].sequence]
            # A notifier may need several calls for an event. One that makes calls and delivers nothing would never end.
            calls = calls + 1 if len(left) == len(pending) else 0
            if calls >= MAX_CALLS:
                failure = errors.Permanent(f"{name}: {calls} calls were made, and no event is delivered")
                self._record_failure(name, work, failure, pending[0])
                return work.progress[name].retry_at
            pending = left
        if held_until:
            return held_until
        # Events that the notifier isn't subscribed to count as processed, so that they aren't read again.
        if recorded_events and recorded_events[-1].sequence > work.progress[name].sequence:
            work.progress[name] = msgspec.structs.replace(work.progress[name], sequence=recorded_events[-1].sequence)
        return 0

    def _find_pending(
        self, name: str, work: "_Work", recorded_events: Sequence[events.Recorded]
    ) -> list[events.Recorded]:
        """Return the events that a notifier hasn't received. Drop those that are too old."""
        progress, quiet = work.progress[name], self._channels.quiet.get(name)
        is_new = progress.sequence < 0
        oldest = work.now() - (RECENT if is_new else GIVE_UP)
        # An operator asked for these events again, so none is too old.
        if progress.rewound_at > oldest:
            oldest = 0
        pending = [
            recorded
            for recorded in recorded_events
            if recorded.sequence > progress.sequence and self._channels.receives(name, recorded)
        ]
        if not is_new:
            # An event that quiet hours hold back would be too old at their end.
            begins = {
                recorded.id: quiet.retries_begin(recorded.at, GIVE_UP) if quiet is not None else recorded.at
                for recorded in pending
            }
            if dropped := [recorded for recorded in pending if begins[recorded.id] < oldest]:
                metrics.notifications.labels(name, "dropped").inc(len(dropped))
                self._log.error("notifications_dropped", notifier=name, events=[recorded.id for recorded in dropped])
            return [recorded for recorded in pending if begins[recorded.id] >= oldest]
        pending = [recorded for recorded in pending if recorded.at >= oldest]
        if pending:
            # A new notifier starts with recent events, and then retries like any other notifier.
            work.progress[name] = msgspec.structs.replace(progress, sequence=pending[0].sequence - 1)
        return pending

    def _hold(
        self, name: str, work: "_Work", pending: Sequence[events.Recorded]
    ) -> tuple[Sequence[events.Recorded], int]:
        """Return the events to deliver despite quiet hours, and until when the others are held; 0 if none is held."""
        quiet = self._channels.quiet.get(name)
        # An operator requested a redelivery, so deliver all events now.
        if quiet is None or not pending or pending[0].at <= work.progress[name].rewound_at:
            return pending, 0
        now = work.now()
        deliverable, held_until = quiet_hours.deliverable(quiet, pending, now)
        last = deliverable[-1].sequence if deliverable else 0
        left_out = sum(recorded.sequence <= last for recorded in pending) - len(deliverable)
        # Count on the first attempt only, because a retry drops the same events.
        if left_out and not work.progress[name].attempts:
            metrics.notifications.labels(name, "coalesced").inc(left_out)
        return deliverable, held_until

    def _blocked_until(self, name: str, work: "_Work") -> Timestamp:
        """Return the time until which a notifier receives no events (microseconds); 0 if it may receive them now."""
        now, retry_at = work.now(), work.progress[name].retry_at
        # The clock may have been set back since the last attempt.
        if now < retry_at <= now + times.from_seconds(2 * _CAP_SECONDS):
            return retry_at
        return self.breakers.open_until(name, now)

    async def _send(self, name: str, work: "_Work", pending: Sequence[events.Recorded]) -> bool:
        """Send once, and record the result. Return False if it failed."""
        before = work.progress[name]
        try:
            async with asyncio.timeout(self._channels.timeout_seconds + _OVERHEAD_SECONDS):
                delivered = await self._channels.notifiers[name].deliver(base.Batch(pending, before.state))
        except (errors.Failure, TimeoutError) as problem:
            failure = (
                problem if isinstance(problem, errors.Failure) else errors.Unanswered(f"{name}: no answer in time")
            )
            self._record_failure(name, work, failure, pending[0])
            await self._record(work)
            return False
        self.breakers.record(name, None, work.now(), "notify")
        work.progress[name] = notification.Progress(
            delivered.sequence, state=dict(delivered.state), rewound_at=before.rewound_at
        )
        await self._record(work)
        sent = [recorded for recorded in pending if recorded.sequence <= delivered.sequence]
        if not sent:
            return True  # One of several calls was made.
        metrics.notifications.labels(name, "delivered").inc(len(sent))
        metrics.notification_delay_seconds.labels(name).observe(max(0, work.now() - sent[0].at) / 1_000_000)
        self._log.info(
            "notification_delivered",
            notifier=name,
            events=[recorded.id for recorded in sent],
            types=[recorded.type for recorded in sent],
        )
        return True

    def _record_failure(self, name: str, work: "_Work", failure: errors.Failure, first: events.Recorded) -> None:
        """Record a failure: the time of the retry, and the state of the receiver."""
        now, before = work.now(), work.progress[name]
        self.breakers.record(name, failure, now, "notify")
        # A failure that shows nothing about the receiver leaves the probe open, so another delivery becomes the probe.
        if self.breakers.is_half_open(name):
            self.breakers.release_probe(name, now)
        requested = getattr(failure, "retry_after", None)
        # A receiver may request a longer delay than the cap, but events are dropped after a day.
        seconds = backoff.full_jitter(
            before.attempts + 1,
            self._randomness,
            base_seconds=_BASE_SECONDS,
            cap_seconds=_CAP_SECONDS,
            at_least=min(requested or 0.0, _CAP_SECONDS),
        )
        work.progress[name] = msgspec.structs.replace(
            before,
            attempts=before.attempts + 1,
            retry_at=Timestamp(now + times.from_seconds(seconds)),
            problem=failure.message,
        )
        metrics.notifications.labels(name, "failed").inc()
        self._log.warning(
            "notification_failed",
            notifier=name,
            id=first.id,
            type=first.type,
            attempts=before.attempts + 1,
            retry_seconds=round(seconds, 1),
            reason=failure.message,
        )

    async def _record(self, work: "_Work") -> None:
        # Notifiers of one subject are served at the same time, so the newest progress must be written last.
        async with work.writing:
            if not await self._store.notifications.record(work.lease, work.progress):
                raise _LeaseLostError


class _LeaseLostError(Exception):
    """Another worker delivers the events of this subject now."""


@dataclass
class _Work:
    """The delivery of one subject's events under a lease."""

    lease: notifications.SubjectLease
    progress: dict[str, notification.Progress]
    now: Callable[[], Timestamp]
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)
