"""The worker's loops handle deliveries immediately, wait for an unavailable store, and shut down in order."""

import asyncio
import dataclasses
import itertools

import pytest
import structlog

from router.domain import silences
from router.store import errors, inbox, keys
from router.telemetry import metrics
from router.worker import runtime, self_monitor
from tests.integration import vendor, workers

QUICK = runtime.LoopIntervals(
    block_seconds=0.05,
    poll_seconds=0.05,
    heartbeat_seconds=0.02,
    take_over_seconds=0.05,
    reclaim_idle_seconds=0.05,
    drain_seconds=5.0,
)


class AwayInbox(inbox.Inbox):
    """An inbox whose depth can't be read ``away`` times."""

    away = 0

    async def depth(self) -> tuple[int, int]:
        if self.away:
            self.away -= 1
            raise errors.Unavailable("Redis is away")
        return await super().depth()


def worker(on: workers.WorkerHarness, pace=QUICK) -> tuple[runtime.Worker, runtime.WakeSignal]:
    bell = runtime.WakeSignal()
    made = runtime.Worker(
        "w1",
        on.reader,
        on.triage,
        on.reconciler,
        on.store,
        clock=itertools.count(1_700_000_000_000_000, 1000).__next__,
        wake_signal=bell,
        silenced=on.mutes,
        monitor=self_monitor.SelfMonitor(
            self_monitor.SelfMonitorSettings(),
            {},
            on.performer.breakers,
            store=on.store,
            storms=on.storms,
            randomness=workers.NoJitter(),
        ),
        pace=pace,
    )
    return made, bell


def run_worker(with_redis, play, *places, before=None, imports=(), pace=QUICK):
    """Run ``before``, then ``play`` with a running worker. Stop the worker in order afterwards."""

    async def body(store):
        on = workers.WorkerHarness(store, *places, imports=imports)
        if before:
            await before(on)
        made, _ = worker(on, pace=pace)
        stop = asyncio.Event()
        async with asyncio.timeout(20):
            async with asyncio.TaskGroup() as group:
                group.create_task(made.run(stop))
                try:
                    await play(on)
                finally:
                    stop.set()

    with_redis(body)


async def wait_until(met) -> None:
    async with asyncio.timeout(10):
        while not await met():
            await asyncio.sleep(0.005)


def test_running_worker_opens_and_resolves_an_incident(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())

        async def opened():
            return at.states() == ["open"]

        await wait_until(opened)
        await on.deliver(workers.resolved())

        async def closed():
            return at.states() == ["resolved"]

        await wait_until(closed)

    run_worker(with_redis, play, vendor.on_call(at))


def test_own_interrupted_incident_resumes_before_lease_expiry(
    with_redis,
):
    at = vendor.Vendor()
    at.before = [errors.Unavailable("Redis cannot be reached")]

    async def play(on):
        await on.deliver(workers.firing())

        async def opened():
            return at.states() == ["open"]

        await wait_until(opened)

    run_worker(with_redis, play, vendor.on_call(at))


def test_unfinished_work_of_another_worker_is_claimed(with_redis):
    at = vendor.Vendor()

    async def play(on):
        other = on.store.make_inbox_reader("died")
        await other.prepare()
        await on.store.redis.xadd(keys.INBOX, await entry(on))
        await other.read(1, 100)

        async def opened():
            return at.states() == ["open"]

        await wait_until(opened)

    run_worker(with_redis, play, vendor.on_call(at))


async def entry(on) -> dict:
    """Return the fields of a delivery as the webhook server writes them."""
    await on.deliver(workers.firing("template"), key="template")
    ((identity, fields),) = await on.store.redis.xrange(keys.INBOX, count=1)
    await on.store.redis.xdel(keys.INBOX, identity)
    return fields


def test_worker_reports_start_and_end(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        made, _ = worker(on)
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))

        async def heard():
            return await store.health.latest_heartbeat() > 0

        await wait_until(heard)
        assert metrics.worker_heartbeat_timestamp_seconds._value.get() > 1_600_000_000
        stop.set()
        await asyncio.wait_for(task, 5)
        assert await store.health.latest_heartbeat() == 0

    with_redis(body)


def test_brief_store_outage_does_not_stop_the_worker(with_redis, monkeypatch):
    monkeypatch.setattr(runtime, "_AWAY_SECONDS", 0.01)
    at = vendor.Vendor()

    async def away(on):
        on.store.inbox = AwayInbox(on.store.connection)
        on.store.inbox.away = 3

    async def play(on):
        async def back():
            return on.store.inbox.away == 0

        await wait_until(back)
        await on.deliver(workers.firing())

        async def opened():
            return at.states() == ["open"]

        await wait_until(opened)

    run_worker(with_redis, play, vendor.on_call(at), before=away)


def test_unexpected_error_ends_the_worker(with_redis):
    class BrokenInbox(inbox.Inbox):
        async def depth(self):
            raise RuntimeError("a fault in the program")

    async def body(store):
        on = workers.WorkerHarness(store)
        on.store.inbox = BrokenInbox(store.connection)
        made, _ = worker(on)
        with pytest.raises(ExceptionGroup) as raised:
            await asyncio.wait_for(made.run(asyncio.Event()), 10)
        assert raised.group_contains(RuntimeError, match="a fault in the program")

    with_redis(body)


def test_running_operations_finish_before_shutdown(with_redis):
    class Slow(vendor.Vendor):
        def __init__(self) -> None:
            super().__init__()
            self.entered, self.go_on = asyncio.Event(), asyncio.Event()

        async def open(self, call):
            self.entered.set()
            await self.go_on.wait()
            return await super().open(call)

    async def body(store):
        at = Slow()
        on = workers.WorkerHarness(store, vendor.on_call(at))
        made, _ = worker(on)
        stop = asyncio.Event()
        await on.deliver(workers.firing())
        task = asyncio.create_task(made.run(stop))
        await asyncio.wait_for(at.entered.wait(), 10)
        stop.set()
        at.go_on.set()
        await asyncio.wait_for(task, 10)
        assert at.states() == ["open"]
        (publication,) = await on.publications.look("down")
        assert (publication.state, publication.intent) == ("open", None)

    with_redis(body)


def test_worker_drains_in_time_despite_hanging_calls(with_redis):
    """An unresponsive vendor or Alertmanager must not delay the shutdown beyond the grace period of the pod."""

    class Hanging(vendor.Vendor):
        def __init__(self) -> None:
            super().__init__()
            self.entered = asyncio.Event()

        async def open(self, call):  # noqa: ARG002 - as every vendor's
            self.entered.set()
            await asyncio.Event().wait()

    async def forever() -> None:
        await asyncio.Event().wait()

    async def body(store):
        at = Hanging()
        on = workers.WorkerHarness(store, vendor.on_call(at))
        on.mutes.import_all = forever
        made, _ = worker(on, pace=dataclasses.replace(QUICK, drain_seconds=0.05, first_ask_seconds=0.05))
        stop = asyncio.Event()
        await on.deliver(workers.firing())
        before = asyncio.all_tasks()
        task = asyncio.create_task(made.run(stop))
        await asyncio.wait_for(at.entered.wait(), 30)
        stop.set()
        with structlog.testing.capture_logs() as lines:
            await asyncio.wait_for(task, 30)
        assert "drain_timed_out" in {line["event"] for line in lines}
        assert await store.health.latest_heartbeat() == 0
        (publication,) = await on.publications.look("down")
        assert publication.intent is not None, "the next worker must know that the call was begun"
        await wait_until(lambda: _none_left(before | {task}))

    with_redis(body)


async def _none_left(before) -> bool:
    return not (asyncio.all_tasks() - before)


def test_wake_signals_are_collected_once():
    async def main():
        bell = runtime.WakeSignal()
        bell.ring({1})
        bell.ring({2, 3})
        assert await bell.wait(5) == {1, 2, 3}
        assert await bell.wait(0.001) == set(range(keys.SHARDS))
        bell.ring({4})
        assert await bell.wait(5) == {4}

    asyncio.run(main())


class TestSilencesAtStart:
    """A delivery that waits while a worker starts is folded after the silences are loaded."""

    SILENCE = silences.Silence("s1", (silences.matcher('source="am"'),), 0, 1 << 53, "ann", "works")

    async def muted(self, on) -> str:
        """Wait until the pending alert is folded, and return the silence that mutes it."""

        async def folded():
            return await on.store.redis.exists(keys.incident("down"))

        await wait_until(folded)
        (mute,) = (await on.incident()).muted.values()
        return mute.by

    def test_silences_are_read_before_the_first_fold(self, with_redis):
        at = vendor.Vendor()

        async def before(on):
            await on.store.silences.save(self.SILENCE)
            await on.deliver(workers.firing())

        async def play(on):
            assert "works" in await self.muted(on)

        run_worker(with_redis, play, vendor.on_call(at), before=before)
        assert at.calls == []

    def test_imported_silences_are_awaited_before_the_first_fold(self, with_redis):
        at = vendor.Vendor()
        asked, answers = asyncio.Event(), asyncio.Event()

        async def imported():
            asked.set()
            await answers.wait()
            return silences.Imported([self.SILENCE], {})

        async def play(on):
            await asked.wait()
            assert not await on.store.redis.exists(keys.incident("down"))
            answers.set()
            assert "works" in await self.muted(on)

        pace = dataclasses.replace(QUICK, first_ask_seconds=1000.0)
        run_worker(with_redis, play, vendor.on_call(at), before=deliver_waiting, imports=[("am", imported)], pace=pace)
        assert at.calls == []

    def test_hanging_import_does_not_stop_the_worker(self, with_redis):
        at = vendor.Vendor()

        asked = itertools.count()

        async def imported():
            if not next(asked):
                await asyncio.Event().wait()
            return silences.Imported([], {})

        async def play(on):
            async def opened():
                return at.states() == ["open"]

            await wait_until(opened)

        pace = dataclasses.replace(QUICK, first_ask_seconds=0.05)
        with structlog.testing.capture_logs() as logs:
            run_worker(
                with_redis, play, vendor.on_call(at), before=deliver_waiting, imports=[("am", imported)], pace=pace
            )
        assert "silences_not_imported_in_time" in [line["event"] for line in logs]


async def deliver_waiting(on) -> None:
    await on.deliver(workers.firing())
