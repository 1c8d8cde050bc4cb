"""A store without free memory: nothing more is accepted, and what was accepted is processed nevertheless."""

import random

import pytest

from router.domain import decisions, deliveries, severities
from router.domain.times import Timestamp
from router.store import errors, health, keys
from tests.integration import vendor, workers
from tests.integration.worker import test_supervisor

MIB = 1024 * 1024


@pytest.fixture
def with_full_redis(with_redis):
    """Run ``play`` with a worker and ``maxmemory`` at 2 MiB above what is used, and remove the limit afterwards."""

    def run(play, *places):
        async def body(store):
            used = (await store.redis.info("memory"))["used_memory"]
            await store.redis.config_set("maxmemory", used + 2 * MIB)
            try:
                await play(workers.WorkerHarness(store, *places))
            finally:
                await store.redis.config_set("maxmemory", 0)

        with_redis(body)

    return run


async def fill(on) -> int:
    """Accept new alerts of 50 incidents until Redis refuses a delivery. Return the number accepted."""
    texts = random.Random(1)
    for number in range(100_000):
        alerts = [workers.firing(f"{number:08x}{each:08x}") for each in range(20)]
        decided = decisions.Decision(f"k{number % 50}", severities.Severity.MAJOR, workers.rule())
        packed = deliveries.pack("d1", "am", 0, [(alert, decided) for alert in alerts])
        try:
            await on.inbox.accept(packed, texts.randbytes(8000))
        except errors.Unavailable:
            # A smaller write might still have had room.
            used_bytes = (await on.store.redis.info("memory"))["used_memory"]
            await on.store.redis.config_set("maxmemory", used_bytes - 10_000)
            return number
    raise AssertionError("the memory is never full")


def test_full_inbox_is_processed(with_full_redis):
    """Webhooks refuse deliveries from 75% on, but look only once a second: a storm can use the rest before."""
    at = vendor.Vendor()

    async def play(on):
        accepted = await fill(on)
        assert await on.store.health.fullness() > 0.95
        await on.turn()
        assert await on.store.redis.xlen(keys.INBOX) == 0
        incidents = await on.store.incidents.read([f"k{number}" for number in range(50)])
        assert sum(len(held.incident.firing) for held in incidents.values()) == 20 * accepted
        assert at.states() == ["open"] * 50

    with_full_redis(play, vendor.on_call(at))


def test_worker_makes_room_in_a_full_store(with_full_redis):
    async def play(on):
        accepted = await fill(on)
        made, _ = test_supervisor.worker(on)
        await made._heartbeat_turn()
        await on.fold()
        await made._tidy_turn()
        assert await on.store.health.fullness() < health.FULL_AT
        assert await fill(on) > accepted // 4

    with_full_redis(play)


@pytest.mark.parametrize(
    ("write", "value"),
    [
        (lambda redis: redis.set("ir:{x}:string", "v", ex=10), b"OK"),
        (lambda redis: redis.hset("ir:{x}:hash", mapping={"a": 1, "b": 2}), 2),
        (lambda redis: redis.hincrby("ir:{x}:counts", "a", 3), 3),
        (lambda redis: redis.sadd("ir:{x}:set", "a", "b"), 2),
        (lambda redis: redis.zadd("ir:{x}:zset", {"a": 1}), 1),
        (lambda redis: redis.xgroup_create("ir:{x}:stream", "g", id="0", mkstream=True), b"OK"),
    ],
    ids=["SET", "HSET", "HINCRBY", "SADD", "ZADD", "XGROUP"],
)
def test_state_is_written_to_a_full_store(with_full_redis, write, value):
    """An operator can freeze publishing or silence alerts, and a worker can send its heartbeat."""

    async def play(on):
        await fill(on)
        assert await write(on.store.redis) == value
        with pytest.raises(errors.Unavailable, match="out of memory"):
            await on.store.quarantine.add("am", b"{", {}, "not JSON", Timestamp(1))

    with_full_redis(play)


def test_acknowledged_write_reaches_a_full_store(with_full_redis):
    async def play(on):
        await fill(on)
        demanding = workers.require_replicas(on.store, replicas=1)
        with pytest.raises(errors.Unavailable, match="only 0 of 1 replicas"):
            await demanding.publishing_controls.freeze("ann", Timestamp(1), "the inbox is full")
        assert (await on.store.publishing_controls.read()).frozen

    with_full_redis(play)
