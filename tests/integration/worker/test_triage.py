"""Inbox entries that are read twice, by two workers, or not at all are neither lost nor counted twice."""

import asyncio

import pytest

from router.domain import decisions
from router.store import errors, keys
from router.worker import aggregator
from tests.integration import vendor, workers


def test_unreadable_entry_becomes_a_dead_letter(with_redis):
    """Other entries are folded."""
    at = vendor.Vendor()

    async def play(on):
        await on.store.redis.xadd(keys.INBOX, {"h": b"\xc1", "b": b"body"})
        await on.deliver(workers.firing())
        await on.turn()
        assert at.states() == ["open"]
        ((_, dead),) = await on.store.redis.xrange(keys.DEAD)
        assert dead[b"b"] == b"body"
        assert b"not a delivery" in dead[b"reason"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_entry_that_killed_three_workers_is_dead_letter(with_redis):
    """Other entries of its batch are folded."""

    async def play(on):
        for key in ("innocent", "deadly"):
            await on.deliver(workers.firing(key), key=key)
        await on.reader.prepare()
        innocent, deadly = await on.reader.read(10, None)
        for number in range(aggregator.MAX_ATTEMPTS):
            lost = on.store.make_inbox_reader("w1", life=f"lost-{number}")
            assert await lost.record_redelivery(deadly) <= aggregator.MAX_ATTEMPTS
            await lost.own_pending(10)
        await on.triage.handle_again([deadly, innocent])
        ((_, fields),) = await on.store.redis.xrange(keys.DEAD)
        assert b"3 workers began to fold it" in fields[b"reason"]
        assert (await on.incident("innocent")).status == "open"
        assert (await on.incident("deadly")).status == "closed"
        assert await on.store.redis.xlen(keys.INBOX) == 0

    workers.run(with_redis, play)


def test_failing_store_makes_no_dead_letter(with_redis):
    """Workers reclaim the entry from each other during the outage. These attempts don't count."""

    async def play(on):
        await on.deliver(workers.firing())
        await on.reader.prepare()
        await on.reader.read(10, None)
        for number in range(2 * (aggregator.MAX_ATTEMPTS + 1)):
            worker = workers.WorkerHarness(workers.require_replicas(on.store, 9, 0.005), consumer=f"w{number % 2}")
            with pytest.raises(errors.Unavailable, match="of 9 replicas acknowledged"):
                await worker.triage.handle_again(await worker.reader.take_over(10, idle_ms=0))
        await on.triage.handle_again(await on.reader.take_over(10, idle_ms=0))
        assert await on.store.redis.xlen(keys.DEAD) == 0
        assert await on.store.redis.xlen(keys.INBOX) == 0
        assert (await on.incident("down")).status == "open"

    workers.run(with_redis, play)


def test_entry_read_again_is_folded_normally(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.reader.prepare()
        await on.reader.read(10, None)
        await on.triage.handle_again(await on.reader.own_pending(10))
        await on.turn()
        assert at.kinds == ["open"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_two_workers_that_fold_concurrently_lose_nothing(with_redis):
    """Both workers read the incident. The second commit is refused, and its worker reads and folds again."""
    at = vendor.Vendor()

    async def body(store):
        one = workers.WorkerHarness(store, vendor.on_call(at), consumer="w1")
        two = workers.WorkerHarness(store, vendor.on_call(at), consumer="w2")
        await one.reader.prepare()
        for number in range(30):
            await one.deliver(workers.firing(str(number)))
        batches = [await reader.read(3, None) for _ in range(5) for reader in (one.reader, two.reader)]
        await asyncio.gather(
            *((one if number % 2 else two).triage.handle(batch) for number, batch in enumerate(batches))
        )
        assert len((await one.incident()).firing) == 30
        await one.turn()
        assert at.kinds == ["open"]

    with_redis(body)


def test_incident_without_targets_is_not_reconciled(with_redis):
    """A timer can change that."""

    async def play(on):
        quiet = decisions.Response("down", "rules/a.yaml:3", "v1")
        await on.deliver(workers.firing(), response=quiet)
        await on.fold()
        assert ((await on.incident()).status, on.rung, await on.due()) == ("open", set(), [])
        patient = decisions.Response("down", "rules/a.yaml:3", "v1", timing=decisions.Timing(open_after=1))
        await on.deliver(workers.firing("f2"), key="held", response=patient)
        await on.turn()
        assert on.rung == {keys.shard("held")}
        await on.wait_until_async(lambda: is_open(on, "held"))

    workers.run(with_redis, play)


async def is_open(on, key: str) -> bool:
    return (await on.incident(key)).status == "open"


def test_incident_losing_its_targets_is_reconciled(with_redis):
    at = vendor.Vendor()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.resolved(), response=decisions.Response("down", "rules/a.yaml:3", "v2"))
        await on.turn()
        assert at.states() == ["resolved"]

    workers.run(with_redis, play, vendor.on_call(at))
