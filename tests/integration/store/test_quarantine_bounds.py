"""The quarantine and the archive are limited in bytes, and shrink before any sender is refused."""

import random

import pytest

from router.store import archive, health, keys, quarantine, stream_pages
from router.telemetry import metrics
from tests.integration import workers
from tests.integration.store.test_archive import HOUR, pack_delivery, process
from tests.integration.worker import test_supervisor

KIB = 1024
MIB = 1024 * KIB


def count_dropped() -> float:
    return metrics.quarantine_dropped._value.get()


def incompressible(size: int) -> bytes:
    return random.Random(size).randbytes(size)


async def keep(kept: quarantine.Quarantine, number: int, size: int) -> str:
    return await kept.add("am", incompressible(size), {}, "not JSON", number)


def test_full_quarantine_evicts_the_oldest_bodies(with_redis):
    async def play(store):
        before = count_dropped()
        kept = quarantine.Quarantine(store.connection, most_bytes=2 * MIB)
        for number in range(50):
            await keep(kept, number, 100 * KIB)
        found = await kept.read()
        assert 15 <= len(found) <= 20
        assert [one.kept_at for one in found] == list(range(49, 49 - len(found), -1))
        assert await store.redis.memory_usage(keys.QUARANTINE, samples=0) <= 2.2 * MIB
        assert count_dropped() - before == 50 - len(found)

    with_redis(play)


def test_oversized_body_evicts_all_others(with_redis):
    async def play(store):
        kept = quarantine.Quarantine(store.connection, most_bytes=MIB)
        await keep(kept, 1, 10)
        name = await keep(kept, 2, 3 * MIB)
        assert [one.id for one in await kept.read()] == [name]

    with_redis(play)


def test_large_bodies_shorten_pages_without_gaps(with_redis, monkeypatch):
    monkeypatch.setattr(stream_pages, "MAX_BYTES", 100 * KIB)

    async def play(store):
        for number in range(20):
            await keep(store.quarantine, number, 200 * KIB if number == 7 else 30 * KIB)
        found, place, sizes = [], "", []
        while True:
            page, place = await store.quarantine.page(10, place)
            found += page
            sizes.append(len(page))
            if not place:
                break
        assert [one.kept_at for one in found] == list(range(19, -1, -1))
        assert max(sizes) == 3
        await process(store, *(pack_delivery(str(number)) for number in range(20)), body=incompressible(30 * KIB))
        recorded = archive.Archive(store.connection, retention=HOUR, max_bytes=10**9)
        assert [one.delivery.source for one in await recorded.newest(12)] == [str(n) for n in range(19, 7, -1)]
        assert [one.delivery.source async for one in recorded.since(0)] == [str(n) for n in range(20)]

    with_redis(play)


@pytest.fixture
def with_filled_server(with_redis):
    """Run a test on a server whose memory exceeds the limits. Restore the limit afterwards."""

    def run(play, *, archived_mib: int, quarantined_mib: int, fullness: float) -> None:
        async def body(store):
            await process(store, *(pack_delivery(str(n)) for n in range(archived_mib)), body=incompressible(MIB))
            for number in range(quarantined_mib):
                await keep(store.quarantine, number, MIB)
            used = (await store.redis.info("memory"))["used_memory"]
            await store.redis.config_set("maxmemory", int(used / fullness))
            try:
                on = workers.WorkerHarness(store)
                made, _ = test_supervisor.worker(on)
                on.store.archive = archive.Archive(store.connection, retention=HOUR, max_bytes=10**9)
                await made._tidy_turn()
                await play(store, await store.health.fullness())
            finally:
                await store.redis.config_set("maxmemory", 0)

        with_redis(body)

    return run


def test_archive_is_evicted_before_the_quarantine(with_filled_server):
    async def play(store, fullness):
        assert fullness < archive.SHORT_OF_MEMORY
        assert await store.redis.xlen(keys.QUARANTINE) == 5

    with_filled_server(play, archived_mib=40, quarantined_mib=5, fullness=0.74)


def test_quarantine_is_evicted_if_memory_stays_short(with_filled_server):
    """Otherwise the bodies of one sender could fill 75% of memory, and all senders would be refused."""

    async def play(store, fullness):
        assert fullness < health.FULL_AT
        assert await store.redis.xlen(keys.ARCHIVE) == 0
        assert 0 < await store.redis.xlen(keys.QUARANTINE) <= 21

    with_filled_server(play, archived_mib=1, quarantined_mib=40, fullness=0.9)
