"""The worker's loops and their shutdown: fold, reconcile, claim dead workers' entries, send heartbeats, clean up."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from router.domain.times import Timestamp
from router.store import archive, errors, inbox, keys, publications
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import (
    aggregator,
    announcer,
    batch_size,
    inbox_consumer,
    notifications,
    recovery,
    self_monitor,
    silencing,
)
from router.worker.reconciler import Reconciler

_AWAY_SECONDS = 1.0
_LAST_SECONDS = 1.0  # Time for cancelled tasks to end, and for the store to record that.
MAX_HALVINGS = 10  # Removed from the archive, and from the quarantine, in one turn.


@dataclass(frozen=True)
class LoopIntervals:
    """The intervals and limits of the loops. Times in seconds."""

    batch: int = 512
    most_at_once: int = 4096
    block_seconds: float = 1.0
    poll_seconds: float = 0.5
    heartbeat_seconds: float = 1.0
    take_over_seconds: float = 5.0
    reclaim_idle_seconds: float = 15.0
    tidy_seconds: float = 5.0
    sweep_seconds: float = 30.0
    concurrency: int = 64
    drain_seconds: float = 8.0
    retire_seconds: float = 3600.0
    refresh_seconds: float = 1.0
    silence_poll_seconds: float = 30.0
    first_ask_seconds: float = 5.0
    own_seconds: float = 5.0
    ping_seconds: float = 60.0


@dataclass(frozen=True)
class NotificationTasks:
    """The worker's tasks for notifiers: announce the router's own state, and deliver the events of all subjects."""

    router: announcer.RouterAnnouncer
    deliveries: notifications.Deliveries


class Worker:
    """All loops of one worker process."""

    def __init__(
        self,
        name: str,
        reader: inbox.InboxReader,
        triage_stage: aggregator.Aggregator,
        reconciler: Reconciler,
        store: Store,
        *,
        clock: Callable[[], Timestamp],
        wake_signal: "WakeSignal",
        silenced: silencing.SilenceService,
        monitor: self_monitor.SelfMonitor,
        pace: LoopIntervals = LoopIntervals(),
        watching: recovery.Recovery | None = None,
        notifying: "NotificationTasks | None" = None,
    ) -> None:
        self._recovery = watching
        self._notifying = notifying
        self._name = name
        self._reader = reader
        self._triage = triage_stage
        self._reconciler = reconciler
        self._store = store
        self._clock = clock
        self._wake_signal = wake_signal
        self._mutes = silenced
        self._monitor = monitor
        self._newer: errors.SchemaTooNew | None = None
        self._schema_checked = asyncio.Event()
        self._silences_read = asyncio.Event()
        self._pace = pace
        hunger = batch_size.BatchSizer(pace.batch, pace.most_at_once)
        self._intake = inbox_consumer.InboxConsumer(reader, triage_stage, hunger, int(pace.block_seconds * 1000))
        self._slots = asyncio.Semaphore(pace.concurrency)
        self._running: set[asyncio.Task[None]] = set()
        self._leftovers = True
        self._log = log.get("worker")

    async def run(self, stop: asyncio.Event) -> None:
        """Work until ``stop``. Then accept no new work, finish the current work, and exit.

        After ``Pace.drain_seconds``, the remaining work is cancelled: the next worker continues it, as after a crash.
        If a newer version of the router has taken over the data, exit in the same way, with ``Newer``.
        """
        loops = asyncio.create_task(self._loop(stop))
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait({loops, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if loops.done():
                loops.result()  # Raises exceptions that no loop handles.
            await self._drain(loops)
        finally:
            stopping.cancel()
            await _cancel_all({loops, *self._running})
            if self._recovery is not None:
                await self._recovery.aclose()
            if self._notifying is not None:
                await self._notifying.deliveries.aclose()
        # A loop may also have failed while it drained.
        if loops.done() and not loops.cancelled():
            loops.result()
        # This only tells other processes early. Without it, the worker's records expire.
        with contextlib.suppress(errors.Unavailable, TimeoutError):
            async with asyncio.timeout(_LAST_SECONDS):
                await self._store.health.remove_worker(self._name)
                await self._reader.leave()
                if self._recovery is not None:
                    await self._recovery.leave()
        if self._newer is not None:
            raise self._newer

    async def _drain(self, loops: "asyncio.Task[None]") -> None:
        """Wait for the loops and for the incidents under way, ``drain_seconds`` in all."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._pace.drain_seconds
        await asyncio.wait({loops}, timeout=self._pace.drain_seconds)
        if self._running:
            await asyncio.wait(self._running, timeout=max(ends_at - loop.time(), 0))
        if not loops.done() or self._running:
            self._log.warning("drain_timed_out", seconds=self._pace.drain_seconds, incidents=len(self._running))

    async def _loop(self, stop: asyncio.Event) -> None:
        """Run all loops until ``stop``."""
        pace = self._pace
        async with asyncio.TaskGroup() as group:
            group.create_task(self._send_heartbeats(stop))
            await self._schema_checked.wait()
            group.create_task(self._read_silences(stop))
            await self._silences_read.wait()
            await self._import_silences()
            if self._recovery is not None:
                group.create_task(self._repeat(stop, self._recovery.turn, pace.refresh_seconds))
            if self._notifying is not None:
                group.create_task(self._deliver_events(stop, self._notifying.deliveries))
                group.create_task(self._repeat(stop, self._notifying.router.turn, pace.refresh_seconds))
            group.create_task(self._consume_inbox(stop))
            group.create_task(self._repeat(stop, self._reconcile_turn, 0.0))
            group.create_task(self._repeat(stop, self._take_over_turn, pace.take_over_seconds))
            group.create_task(self._repeat(stop, self._tidy_turn, pace.tidy_seconds))
            group.create_task(self._repeat(stop, self._sweep_turn, pace.sweep_seconds))
            group.create_task(self._repeat(stop, self._mutes.import_all, pace.silence_poll_seconds))
            group.create_task(self._repeat(stop, self._monitor.admit, pace.refresh_seconds))
            group.create_task(self._repeat(stop, lambda: self._monitor.turn(self._clock()), pace.own_seconds))
            group.create_task(self._repeat(stop, self._monitor.ping, pace.ping_seconds))

    async def _deliver_events(self, stop: asyncio.Event, deliveries: notifications.Deliveries) -> None:
        """Deliver events to notifiers until ``stop``, then end the deliveries under way."""
        await self._repeat(stop, deliveries.turn, 0.0)
        await deliveries.finish()

    async def _send_heartbeats(self, stop: asyncio.Event) -> None:
        """Send heartbeats. Before the first one, no data is read, because it may be that of another version."""
        try:
            await self._repeat(stop, self._heartbeat_turn, self._pace.heartbeat_seconds)
        finally:
            self._schema_checked.set()

    async def _read_silences(self, stop: asyncio.Event) -> None:
        """Keep the router's own silences current. No delivery is folded before they were read once."""

        async def refresh() -> None:
            await self._mutes.refresh()
            self._silences_read.set()

        try:
            await self._repeat(stop, refresh, self._pace.refresh_seconds)
        finally:
            self._silences_read.set()

    async def _import_silences(self) -> None:
        """Import others' silences before the first delivery is folded, so that a restart pages for no muted alert.

        A vendor or Alertmanager that does not respond delays this by at most ``first_ask_seconds``.
        """
        try:
            await asyncio.wait_for(self._mutes.import_all(), self._pace.first_ask_seconds)
        except TimeoutError:
            self._log.warning("silences_not_imported_in_time", waited_seconds=self._pace.first_ask_seconds)
        _raise_if_cancelled()

    async def _repeat(self, stop: asyncio.Event, turn: Callable[[], Awaitable[None]], pause_seconds: float) -> None:
        """Run turns until ``stop``. If the store is unavailable, wait and continue: waiting loses nothing."""
        while not stop.is_set():
            pause = pause_seconds
            try:
                await turn()
            except errors.Unavailable as error:
                self._log.warning("store_unavailable", reason=error.reason)
                pause = max(pause, _AWAY_SECONDS)
                # Waiting doesn't repair a key of a wrong type, but the sweep moves it aside.
                if isinstance(error, errors.WrongType):
                    with contextlib.suppress(errors.StoreError):
                        await self._reconciler.sweep()
            except (
                errors.UnreadableDocument
            ) as error:  # Unreadable data was reported already, and the next turn may not read it.
                self._log.error("turn_failed", reason=str(error))
                pause = max(pause, _AWAY_SECONDS)
            # Stop before this version writes into data that it can't read.
            except errors.SchemaTooNew as newer:
                self._log.error("data_is_newer", reason=str(newer))
                self._newer = newer
                stop.set()
            _raise_if_cancelled()
            if pause:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), pause)

    async def _consume_inbox(self, stop: asyncio.Event) -> None:
        """Read and fold until ``stop``, then fold the deliveries that were read ahead, so none waits for a claim."""
        await self._repeat(stop, self._triage_turn, 0.0)
        try:
            await self._intake.finish()
        except errors.Unavailable as error:
            self._log.warning("store_unavailable", reason=error.reason)

    async def _triage_turn(self) -> None:
        """Read and fold. Entries that this worker read before a restart and never acknowledged come first."""
        if self._leftovers:
            await self._reader.prepare()
            entries = await self._reader.own_pending(inbox.FEW)
            self._leftovers = bool(entries)
            await self._triage.handle_again(entries)
            return
        await self._intake.turn()

    async def _take_over_turn(self) -> None:
        """Claim entries that a dead worker read and never acknowledged."""
        if self._leftovers:
            return  # Before the first read, the consumer group may not exist.
        idle = int(self._pace.reclaim_idle_seconds * 1000)
        for _ in range(self._pace.batch // inbox.FEW):
            entries = await self._reader.take_over(inbox.FEW, idle)
            if entries:
                self._log.warning("entries_taken_over", entries=len(entries))
                await self._triage.handle_again(entries)
            if self._reader.is_takeover_complete:
                break
        await self._retire()

    async def _retire(self) -> None:
        """Remove dead workers from the group, once their entries have been claimed and folded."""
        idle = int(self._pace.retire_seconds * 1000)
        if removed := await self._reader.retire(idle):
            self._log.info("consumers_removed", consumers=removed)
        await self._store.health.expire_workers(self._clock() - idle * 1000)

    async def _reconcile_turn(self) -> None:
        """Reconcile the shards of a wake signal immediately, and all shards periodically for timers."""
        await self._reconciler.give_back()
        for shard in await self._wake_signal.wait(self._pace.poll_seconds):
            await self._claim(shard)

    async def _claim(self, shard: int) -> None:
        """Start on every incident of the shard that is due, as far as there are slots."""
        # A lease runs from its claim, also while its incident waits for a slot, so few are claimed at a time.
        max_leases = max(1, self._pace.concurrency // 4)
        while leases := await self._reconciler.claim(shard, max_leases):
            for lease in leases:
                await self._slots.acquire()
                task = asyncio.create_task(self._reconcile(shard, lease))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _reconcile(self, shard: int, lease: publications.Lease) -> None:
        try:
            # The incident changed while it was leased, so it is due again.
            if await self._reconciler.reconcile(lease):
                self._wake_signal.ring({shard})
        finally:
            self._slots.release()

    async def _heartbeat_turn(self) -> None:
        """Send the heartbeat, with the number of waiting deliveries."""
        # A newer version may have taken over the data since the last heartbeat.
        await self._store.schema.ensure()
        self._schema_checked.set()
        now = self._clock()
        await self._store.health.record_heartbeat(self._name, now)
        metrics.worker_heartbeat_timestamp_seconds.set(now / 1_000_000)
        waiting, oldest_at = await self._store.inbox.depth()
        metrics.inbox_entries.set(waiting)
        await self._reconciler.gauge(now)
        metrics.inbox_oldest_entry_age_seconds.set((self._clock() - oldest_at) / 1_000_000 if oldest_at else 0)

    async def _sweep_turn(self) -> None:
        """Rebuild missing timers and list members."""
        await self._reconciler.sweep()

    async def _tidy_turn(self) -> None:
        """Keep the archive within its bounds."""
        await self._mutes.tidy(self._clock())
        fullness = await self._store.health.fullness()
        metrics.redis_memory_used_ratio.set(fullness)
        pending_counts = await self._store.health.pending_counts()
        metrics.quarantine_entries.set(pending_counts.quarantined)
        metrics.dead_letter_deliveries.set(pending_counts.dead)
        size = await self._free_memory(fullness)
        metrics.archive_entries.set(size.entries)
        metrics.archive_bytes.set(size.bytes)

    async def _free_memory(self, fullness: float) -> archive.Size:
        """Keep the archive within its bounds. If memory is short, shrink it first, and then the quarantine.

        Both are shrunk before deliveries are refused, and quickly: each turn halves the remainder.
        """
        size = await self._store.archive.trim(fullness)
        for _ in range(MAX_HALVINGS):
            if fullness <= archive.SHORT_OF_MEMORY:
                break
            fullness = await self._store.health.fullness()
            before, size = size, await self._store.archive.trim(fullness)
            # The archive can't shrink further, so the quarantine has to.
            if not size.entries or size == before:
                break
        for _ in range(MAX_HALVINGS):
            if not await self._store.quarantine.evict(fullness):
                break
            fullness = await self._store.health.fullness()
        return size


async def _cancel_all(tasks: "set[asyncio.Task[None]]") -> None:
    """Cancel tasks that still run, and wait for their end."""
    running = {task for task in tasks if not task.done()}
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=_LAST_SECONDS)


def _raise_if_cancelled() -> None:
    """Raise a pending cancellation, because ``asyncio.wait_for`` may swallow one before Python 3.12."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


class WakeSignal:
    """A signal with the shards that need attention. A waiting task gets all of them together."""

    def __init__(self) -> None:
        self._shards: set[int] = set()
        self._event = asyncio.Event()

    def ring(self, shards: set[int]) -> None:
        """Signal that these shards need attention."""
        self._shards |= shards
        self._event.set()

    async def wait(self, most_seconds: float) -> set[int]:
        """Wait for a signal and return its shards; after ``most_seconds`` without one, all shards."""
        try:
            await asyncio.wait_for(self._event.wait(), most_seconds)
        except TimeoutError:
            return set(range(keys.SHARDS))
        rung, self._shards = self._shards, set()
        self._event.clear()
        return rung
