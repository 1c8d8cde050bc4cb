"""Commands to Redis are measured on one server, with Sentinel, and in a cluster."""

import pytest

from router.store import client, connection_settings, keys, timed_client
from router.telemetry import metrics


def count_measured(command: str) -> float:
    name = "incident_router_redis_command_duration_seconds_count"
    return metrics.REGISTRY.get_sample_value(name, {"command": command}) or 0.0


def test_command_is_measured_by_its_name(with_redis):
    async def body(store):
        before = count_measured("zadd"), count_measured("xlen")
        await store.redis.zadd("a", {"b": 1})
        await store.redis.execute_command(b"XLEN", "c")
        assert (count_measured("zadd"), count_measured("xlen")) == (before[0] + 1, before[1] + 1)

    with_redis(body)


def test_pipeline_is_measured_as_one_round_trip(with_redis):
    async def body(store):
        before, single = count_measured("pipeline"), count_measured("set")
        pipeline = store.redis.pipeline(transaction=False)
        for number in range(5):
            pipeline.set(f"a{number}", number)
        assert len(await pipeline.execute()) == 5
        assert (count_measured("pipeline"), count_measured("set")) == (before + 1, single)

    with_redis(body)


def test_command_that_fails_is_measured(with_redis):
    async def body(store):
        await store.redis.set("a", "text")
        before = count_measured("lpush")
        with pytest.raises(Exception, match="WRONGTYPE"):
            await store.redis.lpush("a", "b")
        assert count_measured("lpush") == before + 1

    with_redis(body)


def test_read_that_waits_for_deliveries_is_not_measured(with_redis):
    async def body(store):
        reader = store.make_inbox_reader("w", life="1")
        await reader.prepare()
        before = count_measured("xreadgroup")
        assert await reader.read(1, block_ms=1) == []
        assert count_measured("xreadgroup") == before
        assert await store.redis.exists(keys.INBOX)

    with_redis(body)


def test_client_of_a_primary_behind_sentinel_measures():
    sentinel = connection_settings.Sentinel("main", (("127.0.0.1", 1),), "", "")
    made = client.connect(connection_settings.Server("redis://", sentinel=sentinel))
    assert isinstance(made, timed_client.Redis)
    assert isinstance(made.pipeline(), timed_client.Pipeline)


def test_client_of_a_cluster_measures():
    made = client.connect(connection_settings.Server("redis://127.0.0.1:1", cluster=True))
    assert isinstance(made, timed_client.RedisCluster)
    assert isinstance(made.pipeline(), timed_client.ClusterPipeline)
