"""The archive keeps processed deliveries with their bodies, finds them by ID, and is limited in age and size."""

import random

from router.bootstrap import factories
from router.domain import deliveries, identity
from router.store import archive, codec, keys, stream_pages
from router.store.inbox import InboxReader
from tests.integration import workers

HOUR = 3_600_000_000


def pack_delivery(name: str, now: int | None = None) -> deliveries.Delivery:
    moment = factories.clock() if now is None else now
    made = identity.new_delivery_id(moment, random.Random(name))
    return deliveries.pack(made, name, moment, [(workers.firing(name), workers.decisions.Decision(ignored="no rule"))])


async def process(store, *wanted: deliveries.Delivery, body: bytes = b"{}") -> InboxReader:
    inbox, reader = store.inbox, store.make_inbox_reader("w1", archives=True)
    await reader.prepare()
    for one in wanted:
        await inbox.accept(one, body)
    while entries := await reader.read(100, None):
        await reader.acknowledge(entries)
    return reader


def make_archive(store, keep: int = HOUR, most: int = 10**9) -> archive.Archive:
    return archive.Archive(store.connection, retention=keep, max_bytes=most)


def test_processed_delivery_moves_to_archive_with_body(with_redis):
    async def play(store):
        one = pack_delivery("a")
        await process(store, one, body=b'{"as": "received"}')
        assert await store.redis.xlen(keys.INBOX) == 0
        assert await store.inbox.depth() == (0, 0)
        found = await make_archive(store).find(one.id)
        assert (found.delivery, found.body) == (one, b'{"as": "received"}')
        await process(store, two := pack_delivery("b"), body=b'{"as": "received"}' * 1000)
        assert (await make_archive(store).find(two.id)).body == b'{"as": "received"}' * 1000
        assert await make_archive(store).find("0" * 32) is None
        assert await make_archive(store).find("what is this") is None

    with_redis(play)


def test_late_processed_delivery_is_found_by_id(with_redis):
    async def play(store):
        late = pack_delivery("late", factories.clock() - 24 * HOUR)
        await process(store, late, *(pack_delivery(str(number)) for number in range(10)))
        assert (await make_archive(store).find(late.id)).delivery == late

    with_redis(play)


def test_archive_lists_newest_first_and_exports_oldest_first(with_redis):
    async def play(store):
        await process(store, *(pack_delivery(str(number)) for number in range(1203)))
        newest = await make_archive(store).newest(3)
        assert [recorded.delivery.source for recorded in newest] == ["1202", "1201", "1200"]
        found = [recorded.delivery.source async for recorded in make_archive(store).since(0)]
        assert found == [str(number) for number in range(1203)]
        assert [recorded async for recorded in make_archive(store).since(factories.clock() + HOUR)] == []

    with_redis(play)


def test_old_entries_are_removed(with_redis):
    async def play(store):
        await store.redis.xadd(keys.ARCHIVE, {"h": b"old", "b": b""}, id="1-1")
        await process(store, pack_delivery("new"))
        assert (await make_archive(store).trim(0.0)).entries == 1
        assert [recorded.delivery.source for recorded in await make_archive(store).newest(9)] == ["new"]

    with_redis(play)


def test_excess_entries_are_removed_oldest_first(with_redis):
    async def play(store):
        await process(
            store, *(pack_delivery(str(number)) for number in range(500)), body=random.Random(1).randbytes(2000)
        )
        most = 300_000
        for _ in range(5):
            size = await make_archive(store, most=most).trim(0.0)
        assert 0 < size.bytes <= most
        assert 50 < size.entries < 150
        assert (await make_archive(store).newest(1))[0].delivery.source == "499"

    with_redis(play)


def test_archive_shrinks_when_memory_runs_short(with_redis):
    async def play(store):
        await process(
            store, *(pack_delivery(str(number)) for number in range(400)), body=random.Random(1).randbytes(2000)
        )
        before = (await make_archive(store).trim(0.5)).entries
        after = (await make_archive(store).trim(0.7)).entries
        assert before == 400
        assert after <= 220

    with_redis(play)


def test_damaged_or_foreign_entry_is_skipped(with_redis):
    async def play(store):
        await store.redis.xadd(keys.ARCHIVE, {"h": b"\xa1x", "b": b""})
        await store.redis.xadd(keys.ARCHIVE, {"h": b"\xc1\0damaged", "b": b""})
        await store.redis.xadd(keys.ARCHIVE, {"h": codec.pack_delivery(pack_delivery("b")), "z": b"damaged"})
        await store.redis.xadd(keys.ARCHIVE, {"x": b"y"})
        await process(store, pack_delivery("a"))
        assert [recorded.delivery.source async for recorded in make_archive(store).since(0)] == ["a"]

    with_redis(play)


def test_empty_archive_lists_nothing(with_redis):
    async def play(store):
        assert await make_archive(store).newest(5) == []
        assert await make_archive(store).trim(0.9) == (0, 0)

    with_redis(play)


def test_unacknowledged_delivery_stays_in_the_inbox(with_redis):
    async def play(store):
        reader = store.make_inbox_reader("w1", archives=True)
        await reader.prepare()
        await store.inbox.accept(pack_delivery("a"), b"{}")
        await store.inbox.accept(pack_delivery("b"), b"{}")
        first, _ = await reader.read(10, None)
        await reader.acknowledge([first])
        await make_archive(store, keep=0, most=0).trim(0.9)
        assert await store.redis.xlen(keys.INBOX) == 1
        assert (await store.inbox.depth())[0] == 1

    with_redis(play)


def test_page_is_limited_by_its_decompressed_size(with_redis):
    """Bodies of blanks take few bytes in Redis, and would fill the memory if a page had many of them."""

    async def play(store):
        sent = [pack_delivery(str(number)) for number in range(9)]
        await process(store, *sent, body=b" " * (stream_pages.MAX_BYTES // 4))
        assert await store.redis.memory_usage(keys.ARCHIVE) < stream_pages.MAX_COMPRESSED_BYTES
        found, cursors, cursor = [], [], ""
        while cursor or not cursors:
            page, cursor = await make_archive(store).page_since(0, cursor, 100)
            assert sum(len(recorded.body) for recorded in page) <= stream_pages.MAX_BYTES
            found += page
            cursors.append(cursor)
        assert [recorded.delivery for recorded in found] == sent
        assert len(cursors) == 3
        assert [recorded.delivery async for recorded in make_archive(store).since(0)] == sent
        assert [recorded.delivery for recorded in await make_archive(store).newest(100)] == sent[::-1]

    with_redis(play)
