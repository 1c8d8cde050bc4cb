"""Data of an earlier version is migrated, on one server and on a cluster."""

import asyncio

import msgspec

from router.domain.incidents import Interventions, QuietPeriod
from router.store import alert_owners, incidents, keys, schema


def test_version_1_data_keeps_incidents_and_placements(with_redis):
    async def body(store):
        alive, closed = "alive", 'closed{labels.region="a:b"}'
        for name in (alive, closed):
            await store.redis.hset(keys.incident(name), mapping={"v": 1, "d": b"packed"})
        await store.redis.pexpire(keys.incident(closed), 60_000)
        await store.redis.hset(keys.publications(closed), "fence", 1)
        homes = {f"am/{number}": f"incident {number % 3}" for number in range(2500)}
        for alert, home in homes.items():
            await store.redis.set(f"ir:{{s{keys.shard(alert)}}}:home:{alert}", home, px=60_000)
        await store.redis.set(keys.SCHEMA, 1)
        await store.incidents.owners.claim({"am/7": alert_owners.Claim("another since")})
        await asyncio.gather(*(store.schema.ensure() for _ in range(3)))
        assert await store.redis.get(keys.SCHEMA) == str(schema.VERSION).encode()
        assert await store.incidents.names() == [alive, closed]
        assert await store.redis.zscore(keys.incidents(keys.shard(alive)), alive) == float("inf")
        assert 0 < await store.redis.zscore(keys.incidents(keys.shard(closed)), closed) < float("inf")
        assert await store.publications.names() == [closed]
        assert await store.incidents.owners.find(homes) == {**homes, "am/7": "another since"}

    with_redis(body)


def test_version_4_incidents_are_nested(with_redis):
    async def body(store):
        flat = {"key": "down", "status": "open", "episode": "e1", "quiet_since": 5, "pardons": {"e1/page": 6}}
        await store.redis.hset(keys.incident("down"), mapping={"v": 1, "d": msgspec.msgpack.encode(flat)})
        await store.redis.hset(keys.incident("damaged"), mapping={"v": 1, "d": b"\xc1"})
        for name in ("down", "damaged"):
            await store.redis.zadd(keys.incidents(keys.shard(name)), {name: "inf"})
        await store.redis.set(keys.SCHEMA, 4)
        await asyncio.gather(*(store.schema.ensure() for _ in range(2)))
        assert await store.redis.get(keys.SCHEMA) == str(schema.VERSION).encode()
        document = msgspec.msgpack.decode(await store.redis.hget(keys.incident("down"), "d"))
        assert (document["incident"], document["quiet"]) == ("down", [5, None, None])
        assert await store.redis.hget(keys.incident("damaged"), "d") == b"\xc1"
        incident = (await store.incidents.read(["down"]))["down"].incident
        assert incident.quiet == QuietPeriod(5)
        assert incident.interventions == Interventions(redriven_at={"e1/page": 6})

    with_redis(body)


def test_flat_document_of_older_worker_is_read(with_redis):
    """A worker of version 4 may write such a document after the migration, until its next heartbeat."""

    async def body(store):
        await store.schema.ensure()
        flat = {"key": "down", "status": "open", "episode": "e1", "monitored_since": 6, "quiet_since": 5}
        await store.redis.hset(keys.incident("down"), mapping={"v": 1, "d": msgspec.msgpack.encode(flat)})
        stored = (await store.incidents.read(["down"]))["down"]
        assert stored.incident.quiet == QuietPeriod(5, 6)
        assert await store.incidents.write(incidents.Change(stored.incident, stored.version, wake=False))
        assert (await store.incidents.read(["down"]))["down"].incident == stored.incident

    with_redis(body)
