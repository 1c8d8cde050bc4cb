"""An accepted delivery is in the inbox once until it is folded and acknowledged."""

import asyncio
import random

import msgspec
import pytest

from router.domain import alerts, decisions, deliveries, severities
from router.store import codec, errors, inbox, keys
from router.store.store import Store
from tests.integration import workers

RESPONSE = decisions.Response("r", "a.yaml:1", "v1", (decisions.Target("on-call"),))
ROUTED = decisions.Decision("key", severities.Severity.MAJOR, RESPONSE)


def pack_delivery(name: str) -> deliveries.Delivery:
    return deliveries.pack(name, "am", 5, [(alerts.Alert("am", name, "firing", 1, 0), ROUTED)])


def list_ids(entries: list[inbox.InboxEntry]) -> list[str]:
    return [codec.unpack_delivery(entry.packed).id for entry in entries]


async def accept(store, *wanted: str) -> inbox.InboxReader:
    await asyncio.gather(*(store.inbox.accept(pack_delivery(name), b"{}") for name in wanted))
    reader = store.make_inbox_reader("w1")
    await reader.prepare()
    return reader


def test_accepted_delivery_is_read_once(with_redis):
    """Its body is kept."""

    async def body(store):
        reader = await accept(store, "a", "b", "c")
        assert list_ids(await reader.read(10, 100)) == ["a", "b", "c"]
        assert await reader.read(10, None) == []
        entries = await store.redis.xrange(keys.INBOX)
        assert [fields[b"b"] for _, fields in entries] == [b"{}"] * 3

    with_redis(body)


def test_requests_in_flight_share_one_commit(with_redis):
    async def body(store):
        before = (await store.redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
        await accept(store, *(str(number) for number in range(200)))
        after = (await store.redis.info("commandstats"))["cmdstat_evalsha"]["calls"]
        assert await store.redis.xlen(keys.INBOX) == 200
        assert after - before <= 3

    with_redis(body)


def test_oversized_group_is_split_into_commits(with_redis, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_BYTES_PER_COMMIT", 1000)

    async def body(store):
        reader = await accept(store, *(str(number) for number in range(50)))
        assert sorted(list_ids(await reader.read(100, 100)), key=int) == [str(number) for number in range(50)]

    with_redis(body)


def test_delivery_after_a_commit_starts_its_own(with_redis, monkeypatch):
    monkeypatch.setattr(inbox, "COMMITS_AT_ONCE", 1)

    async def scenario(store):

        async def one_after_the_other():
            for name in ("one", "two", "three"):
                await store.inbox.accept(pack_delivery(name), b"{}")

        await asyncio.wait_for(one_after_the_other(), 5)
        assert await store.redis.xlen(keys.INBOX) == 3

    with_redis(scenario)


def test_failed_commit_fails_its_waiters_only(with_redis):
    async def scenario(store):
        broken = store.inbox.accept(pack_delivery("one"), [])  # redis-py refuses values of this type.
        with pytest.raises(errors.Unavailable, match="was interrupted"):
            await asyncio.wait_for(broken, 5)
        await asyncio.wait_for(store.inbox.accept(pack_delivery("two"), b"{}"), 5)
        assert await store.redis.xlen(keys.INBOX) == 1

    with_redis(scenario)


def test_full_queue_refuses_a_delivery(with_redis, monkeypatch):
    monkeypatch.setattr(inbox, "MAX_IN_FLIGHT", 2)

    async def body(store):
        results = await asyncio.gather(
            *(store.inbox.accept(pack_delivery(str(number)), b"") for number in range(5)), return_exceptions=True
        )
        refused = [result for result in results if isinstance(result, errors.Unavailable)]
        assert len(refused) == 3
        assert await store.redis.xlen(keys.INBOX) == 2

    with_redis(body)


def test_full_store_accepts_no_delivery(with_redis):
    async def body(store):
        limited = inbox.LimitedInbox(store.inbox)
        limited.refusing = "Redis is over 75% of its memory"
        with pytest.raises(errors.Unavailable, match="75%"):
            await limited.accept(pack_delivery("a"), b"")
        assert await store.redis.xlen(keys.INBOX) == 0

    with_redis(body)


def test_missing_store_is_reported_as_unavailable():
    async def main():
        store = Store.connect("redis://127.0.0.1:1")
        with pytest.raises(errors.Unavailable, match="cannot be reached"):
            await store.inbox.accept(pack_delivery("a"), b"")
        await store.aclose()

    asyncio.run(main())


def test_too_few_replicas_refuse_a_delivery(with_redis):
    async def body(store):
        strict = workers.require_replicas(store, 1, 0.01)
        with pytest.raises(errors.Unavailable, match="only 0 of 1 replicas"):
            await strict.inbox.accept(pack_delivery("a"), b"")

    with_redis(body)


def test_cancelled_sender_does_not_cancel_its_group(with_redis):
    async def body(store):
        leaver = asyncio.create_task(store.inbox.accept(pack_delivery("leaver"), b""))
        stayer = asyncio.create_task(store.inbox.accept(pack_delivery("stayer"), b""))
        await asyncio.sleep(0)
        leaver.cancel()
        await stayer
        assert await store.redis.xlen(keys.INBOX) == 2

    with_redis(body)


def test_only_acknowledged_entries_are_removed(with_redis):
    async def body(store):
        reader = await accept(store, "a", "b")
        first, second = await reader.read(10, 100)
        await reader.acknowledge([first])
        assert [identity for identity, _ in await store.redis.xrange(keys.INBOX)] == [second.id]
        assert (await store.redis.xpending(keys.INBOX, keys.GROUP))["pending"] == 1

    with_redis(body)


def test_returning_worker_reads_its_pending_entries(with_redis):
    async def body(store):
        reader = await accept(store, "a")
        await reader.read(10, 100)
        again = store.make_inbox_reader("w1")
        assert list_ids(await again.own_pending(10)) == ["a"]

    with_redis(body)


def test_pending_entries_of_dead_worker_are_claimed(with_redis):
    async def body(store):
        reader = await accept(store, "a", "b")
        await reader.read(10, 100)
        other = store.make_inbox_reader("w2")
        assert await other.take_over(10, idle_ms=60_000) == []
        assert list_ids(await other.take_over(10, idle_ms=0)) == ["a", "b"]

    with_redis(body)


def test_delivery_attempts_are_counted_per_entry(with_redis):
    async def body(store):
        reader = await accept(store, "a", "b")
        first, second = await reader.read(10, 100)
        for _ in range(3):
            await reader.own_pending(10)  # Being handed out doesn't count as a failed attempt.
        lives = [store.make_inbox_reader("w1", life=f"life-{number}") for number in range(3)]
        assert [await one.record_redelivery(first) for one in lives] == [1, 2, 3]
        assert [await lives[2].record_redelivery(first) for _ in range(3)] == [3, 3, 3]  # a live worker's retries
        assert [await one.record_redelivery(first) for one in lives] == [
            3,
            3,
            3,
        ]  # Slow workers reclaim the entry from each other.
        assert await reader.record_redelivery(second) == 1
        await reader.acknowledge([first, second])
        assert await reader.record_redelivery(first) == 0

    with_redis(body)


def test_unprocessable_entry_becomes_dead_letter_with_reason(with_redis):
    async def body(store):
        reader = await accept(store, "a")
        entry = (await reader.read(10, 100))[0]
        await reader.move_to_dead_letters(entry, "no such schema")
        await reader.move_to_dead_letters(entry, "twice does no harm")
        assert await store.redis.xlen(keys.INBOX) == 0
        dead = await store.redis.xrange(keys.DEAD)
        assert len(dead) == 1
        assert dead[0][1] == {b"h": entry.packed, b"b": b"{}", b"reason": b"no such schema"}
        assert (await store.redis.xpending(keys.INBOX, keys.GROUP))["pending"] == 0

    with_redis(body)


def test_depth_counts_waiting_entries_and_their_age(with_redis):
    async def body(store):
        assert await store.inbox.depth() == (0, 0)
        await accept(store, "a", "b")
        seconds, micros = await store.redis.time()
        count, oldest_at = await store.inbox.depth()
        assert count == 2
        assert 0 <= seconds * 1_000_000 + micros - oldest_at < 10_000_000

    with_redis(body)


def test_lost_consumer_group_is_recreated_without_gaps(with_redis):
    async def body(store):
        reader = await accept(store, "a")
        await store.redis.xgroup_destroy(keys.INBOX, keys.GROUP)
        assert await reader.read(10, None) == []
        assert list_ids(await reader.read(10, 100)) == ["a"]

    with_redis(body)


def test_entry_of_other_schema_is_unreadable():
    with pytest.raises(errors.UnreadableDocument, match="schema 2"):
        codec.unpack_delivery(codec.pack_delivery(deliveries.Delivery(2, "d", "am", 5, [], [])))
    with pytest.raises(errors.UnreadableDocument, match="not a delivery"):
        codec.unpack_delivery(b"\xa1x")


def test_refusal_does_not_reveal_the_body(with_redis):
    async def body(store):
        await store.redis.set(keys.INBOX, "no stream")
        sent = b"secret " + random.Random(1).randbytes(inbox.LARGE_BYTES)
        with pytest.raises(errors.Unavailable, match="wrong kind of value") as refused:
            await store.inbox.accept(deliveries.pack("d1", "am", 1, []), sent)
        assert "secret" not in refused.value.reason

    with_redis(body)


def test_many_entries_are_archived_exactly_once(with_redis):
    """The entries exceed the limit of one script call."""

    async def body(store):
        pipeline = store.redis.pipeline(transaction=False)
        for number in range(inbox.MAX_ARCHIVED_PER_CALL + 5):
            pipeline.xadd(keys.INBOX, {"h": str(number), "b": "{}"})
        await pipeline.execute()
        reader = store.make_inbox_reader("w1", archives=True)
        await reader.prepare()
        entries = await reader.read(2 * inbox.MAX_ARCHIVED_PER_CALL, 100)
        await reader.acknowledge(entries)
        await reader.acknowledge(entries[:3])
        archived = [fields[b"h"] for _, fields in await store.redis.xrange(keys.ARCHIVE)]
        assert archived == [entry.packed for entry in entries]
        assert await store.redis.xlen(keys.INBOX) == 0
        assert (await store.redis.xpending(keys.INBOX, keys.GROUP))["pending"] == 0

    with_redis(body)


def test_large_deliveries_shrink_the_batch_size(with_redis):
    """Each delivery includes its body. Hundreds of 16 MiB bodies would exhaust the worker's memory repeatedly."""

    async def play(store):
        on = workers.WorkerHarness(store)
        await on.reader.prepare()
        for number in range(40):
            size = inbox.MARKED_BYTES if number == 30 else 10
            await on.inbox.accept(deliveries.pack(f"d{number}", "am", 1, []), random.Random(number).randbytes(size))
        sizes = []
        while sum(sizes) <= 30:
            sizes.append(len(await on.reader.read(512, None)))
        assert max(sizes) <= inbox.FEW
        _, micros = await store.redis.time()  # The mark is indistinguishable from entries of the same millisecond.
        while (await store.redis.time())[1] // 1000 == micros // 1000:
            await asyncio.sleep(0)
        for number in range(40):
            await on.inbox.accept(deliveries.pack(f"e{number}", "am", 1, []), b"{}")
        while sum(sizes) < 41:
            sizes.append(len(await on.reader.read(512, None)))
        assert len(await on.reader.read(512, None)) >= 80 - sum(sizes)

    with_redis(play)


def many(name: str, count: int = 100) -> deliveries.Delivery:
    found = [alerts.Alert("am", f"{name}{number}", "firing", 1, 0, title="down") for number in range(count)]
    return deliveries.pack(name, "am", 5, [(alert, ROUTED) for alert in found])


def test_long_deliveries_are_stored_compressed(with_redis):
    async def body(store):
        sent = b'{"alertname": "HighErrorRate"}' * 1000
        await store.inbox.accept(many("a"), sent)
        ((_, fields),) = await store.redis.xrange(keys.INBOX)
        assert set(fields) == {b"h", b"z"}
        assert sum(map(len, fields.values())) < len(sent) // 10
        assert (codec.unpack_delivery(fields[b"h"]), codec.unpack_body(fields)) == (many("a"), sent)

    with_redis(body)


def test_uncompressed_entries_of_earlier_versions_are_read(with_redis):
    """Compressed and uncompressed entries share the inbox while web processes are replaced one after the other."""

    async def body(store):
        reader = await accept(store)
        await store.redis.xadd(keys.INBOX, {"h": msgspec.msgpack.encode(many("old")), "b": b"{}" * 1000})
        await store.inbox.accept(many("new"), b"{}" * 1000)
        entries = await reader.read(10, 100)
        assert [codec.unpack_delivery(entry.packed) for entry in entries] == [many("old"), many("new")]
        assert entries[0].size - entries[1].size > 1500, "the body stays compressed in a worker, the delivery doesn't"

    with_redis(body)


def test_delivery_with_large_decisions_is_marked(with_redis):
    """Its alerts take a worker's memory although they were compressed."""

    async def body(store):
        await store.inbox.accept(many("a", 10), b"{}")
        assert await store.redis.xlen(keys.LARGE) == 0
        await store.inbox.accept(many("b", 10_000), b"{}")
        assert await store.redis.xlen(keys.LARGE) == 1

    with_redis(body)


def test_large_bodies_are_compressed_in_a_thread(with_redis):
    async def body(store):
        sent = b"0123456789" * inbox.SLOW_BYTES
        await store.inbox.accept(many("a"), sent)
        ((_, fields),) = await store.redis.xrange(keys.INBOX)
        assert codec.unpack_body(fields) == sent

    with_redis(body)
