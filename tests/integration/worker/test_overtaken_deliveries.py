"""Later deliveries overtake those of a killed worker, and resolve no incident that still fires."""

import asyncio

import msgspec
import pytest

from router.domain import ending
from router.store import errors, inbox, keys
from tests.integration import vendor, workers


async def read_with_dying_worker(on: workers.WorkerHarness, consumer: str = "killed") -> None:
    """Read the pending deliveries with a worker that dies before folding them."""
    reader = on.store.make_inbox_reader(consumer)
    await reader.prepare()
    assert await reader.read(10, None)


async def fire_and_resolve(on: workers.WorkerHarness) -> None:
    for one in (workers.firing("b"), workers.resolved("b")):
        await on.deliver(one)
        await on.turn()


async def taken_over(on: workers.WorkerHarness) -> None:
    await on.triage.handle_again(await on.reader.take_over(10, idle_ms=0))


def test_pending_firing_delivery_keeps_incident_open(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("a"))
        await read_with_dying_worker(on)
        await on.deliver(workers.firing("b"))
        await on.turn()
        await on.deliver(workers.resolved("b"))
        await on.turn()
        assert at.states() == ["open"]
        before = await on.incident()
        assert (before.status, before.firing) == ("open", [])

        await taken_over(on)
        await on.turn()
        after = await on.incident()
        assert (after.status, after.firing) == ("open", ["am/a"])
        assert after.episode == before.episode
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_incident_ends_after_unrelated_earlier_delivery(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing("x"), key="another")
        await read_with_dying_worker(on)
        await fire_and_resolve(on)
        assert (await on.incident()).quiet is not None
        await taken_over(on)
        await on.wait_until_async(lambda: is_closed(on))
        told = [event.what for event in await on.incidents.timeline("down")]
        assert [what for what in told if what in {"quiet", "firing", "closed"}] == ["quiet", "closed"]

    workers.run(with_redis, play, vendor.on_call(at))


async def is_closed(on) -> bool:
    return (await on.incident()).status == "closed"


def test_later_pending_delivery_delays_no_end(with_redis):
    async def play(on):
        await on.deliver(workers.firing("b"))
        await on.fold()
        await on.deliver(workers.resolved("b"))
        entries = await on.reader.read(10, None)
        await on.deliver(workers.firing("c"))
        await read_with_dying_worker(on)
        await on.triage.handle(entries)
        assert (await on.incident()).status == "closed"

    workers.run(with_redis, play)


def test_folded_unacknowledged_delivery_delays_no_end(with_redis):
    """A worker acknowledges a batch while it folds the next one."""

    async def play(on):
        await on.reader.prepare()
        await on.deliver(workers.firing("b"))
        first = await on.reader.read(1, None)
        await on.triage.fold(first)
        await on.deliver(workers.resolved("b"))
        second = await on.reader.read(1, None)
        with on.reader.acknowledging(first):
            await on.triage.fold(second)
        assert (await on.incident()).status == "closed"

    workers.run(with_redis, play)


def test_unfolded_delivery_delays_the_end(with_redis):
    async def play(on):
        await on.reader.prepare()
        await on.deliver(workers.firing("a"))
        [refused] = await on.reader.read(1, None)
        refusing = workers.WorkerHarness(workers.require_replicas(on.store, 9, 0.005))
        with pytest.raises(errors.Unavailable):
            await refusing.triage.handle([refused])
        await fire_and_resolve(on)
        assert (await on.incident()).status == "open"
        await on.triage.handle_again(await on.reader.own_pending(10))
        assert (await on.incident()).firing == ["am/a"]

    workers.run(with_redis, play)


def test_dead_delivery_delays_no_end(with_redis):
    async def play(on):
        await on.deliver(workers.firing("a"))
        await read_with_dying_worker(on)
        await fire_and_resolve(on)
        assert (await on.incident()).status == "open"
        [lost] = await on.reader.take_over(10, idle_ms=0)
        await on.reader.move_to_dead_letters(lost, "it can't be folded")
        await on.wait_until_async(lambda: is_closed(on))

    workers.run(with_redis, play)


def test_delayed_end_is_checked_at_intervals(with_redis):
    async def play(on):
        await on.deliver(workers.firing("a"))
        await read_with_dying_worker(on)
        await fire_and_resolve(on)
        [(_, due)] = await on.store.redis.zrange(keys.timers(keys.shard("down")), 0, 0, withscores=True)
        assert due > (await on.incident()).quiet.since + ending.SHORTEST_PAUSE - 1

    workers.run(with_redis, play)


def test_missing_consumer_group_has_no_pending_delivery(with_redis):
    async def play(on):
        assert await on.reader.oldest_unfolded() == 0
        assert await on.reader.overtaken_at([inbox.InboxEntry(b"5-0", b"", 0)]) == 0

    workers.run(with_redis, play)


async def expire_with_unread_repeat(on: workers.WorkerHarness, window: int, *, accepted_in_time: bool) -> None:
    """An alert expires while the repeat that would extend it is unread in the inbox."""
    ends_at = await on.redis_now() + window
    await on.deliver(msgspec.structs.replace(workers.firing("b"), ends_at=ends_at))
    await on.turn()
    if accepted_in_time:
        await on.deliver(msgspec.structs.replace(workers.firing("b"), ends_at=ends_at + workers.HOUR))
    await on.check_before(ends_at)
    async with asyncio.timeout(60):
        while await on.redis_now() < ends_at + 2_000:
            await asyncio.sleep(0.005)
    if not accepted_in_time:
        await on.deliver(workers.firing("x"), key="another")
    for lease in await on.due():
        await on.reconciler.reconcile(lease)


def test_pending_repeat_keeps_alert_from_expiring(with_redis):
    """All workers were down for longer than the alert's expiry time."""

    async def play(on, at, window):
        await expire_with_unread_repeat(on, window, accepted_in_time=True)
        assert at.states() == ["open"]
        await on.turn()
        assert (await on.incident()).firing == ["am/b"]
        assert at.kinds == ["open"]

    workers.run_in_time(with_redis, play)


def test_later_deliveries_do_not_delay_an_expiry(with_redis):
    async def play(on, at, window):
        await expire_with_unread_repeat(on, window, accepted_in_time=False)
        assert at.states() == ["resolved"]

    workers.run_in_time(with_redis, play)
