"""The inbox's consumer group has running workers, and dead workers only while they have pending deliveries."""

import asyncio
import dataclasses

from router.store import keys
from tests.integration import workers
from tests.integration.store.test_inbox import accept, list_ids, pack_delivery
from tests.integration.worker.test_supervisor import QUICK, wait_until, worker

HOUR_MS = 60 * 60 * 1000


async def list_consumers(store) -> set[str]:
    return {consumer["name"].decode() for consumer in await store.redis.xinfo_consumers(keys.INBOX, keys.GROUP)}


def test_stopped_worker_leaves_no_consumer(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        made, _ = worker(on)
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))
        await on.deliver(workers.firing())

        async def folded():
            return not await store.redis.xlen(keys.INBOX) and bool(await list_consumers(store))

        await wait_until(folded)
        stop.set()
        await asyncio.wait_for(task, 30)
        assert await list_consumers(store) == set()

    with_redis(body)


def test_consumer_with_pending_deliveries_is_kept(with_redis):
    """Its removal would also remove its pending deliveries, and accepted alerts would be lost."""

    async def body(store):
        reader = await accept(store, "a", "b")
        (first, second) = await reader.read(10, 100)
        assert await reader.retire(0) == []
        await reader.acknowledge([first])
        await reader.leave()
        assert await list_consumers(store) == {"w1"}
        other = store.make_inbox_reader("w2")
        assert list_ids(await other.take_over(10, 0)) == ["b"]
        assert await other.retire(0) == ["w1"]
        await other.acknowledge([second])
        assert await store.redis.xlen(keys.INBOX) == 0

    with_redis(body)


def test_slow_consumer_stays_and_removed_consumer_returns(with_redis):
    async def body(store):
        reader = await accept(store, "a")
        await reader.acknowledge(await reader.read(10, 100))
        assert await reader.retire(HOUR_MS) == []
        assert await reader.retire(0) == ["w1"]
        await store.inbox.accept(pack_delivery("b"), b"{}")
        assert list_ids(await reader.read(10, 100)) == ["b"]

    with_redis(body)


def test_missing_inbox_has_no_consumers(with_redis):
    async def body(store):
        assert await store.make_inbox_reader("w1").retire(0) == []
        await store.redis.xadd(keys.INBOX, {"h": b"", "b": b""})
        assert await store.make_inbox_reader("w1").retire(0) == []

    with_redis(body)


def test_dead_consumers_without_pending_deliveries_are_removed(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        reader = await accept(store, "a")
        await reader.read(10, 100)  # The consumer dies.
        await store.health.record_heartbeat("w0", 1)
        made, _ = worker(on, pace=dataclasses.replace(QUICK, retire_seconds=0.0))
        stop = asyncio.Event()
        task = asyncio.create_task(made.run(stop))

        async def gone():
            known = await store.redis.zrange(keys.WORKERS, 0, -1)
            return await list_consumers(store) <= {on.reader._consumer} and b"w0" not in known

        await wait_until(gone)
        assert await store.redis.xlen(keys.INBOX) == 0
        stop.set()
        await asyncio.wait_for(task, 30)

    with_redis(body)
