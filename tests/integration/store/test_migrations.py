"""Data of an earlier version is migrated, on one server and on a cluster."""

import asyncio

from router.store import alert_owners as alert_homes
from router.store import incidents, keys, publications, schema


def test_version_1_data_keeps_incidents_and_placements(with_redis):
    async def body(connection):
        alive, closed = "alive", 'closed{labels.region="a:b"}'
        for name in (alive, closed):
            await connection.hset(keys.incident(name), mapping={"v": 1, "d": b"packed"})
        await connection.pexpire(keys.incident(closed), 60_000)
        await connection.hset(keys.publications(closed), "fence", 1)
        homes = {f"am/{number}": f"incident {number % 3}" for number in range(2500)}
        for alert, home in homes.items():
            await connection.set(f"ir:{{s{keys.shard(alert)}}}:home:{alert}", home, px=60_000)
        await connection.set(keys.SCHEMA, 1)
        store = incidents.Incidents(connection)
        await store.owners.claim({"am/7": alert_homes.Claim("another since")})
        await asyncio.gather(*(schema.Schema(connection).ensure() for _ in range(3)))
        assert await connection.get(keys.SCHEMA) == str(schema.VERSION).encode()
        assert await store.names() == [alive, closed]
        assert await connection.zscore(keys.incidents(keys.shard(alive)), alive) == float("inf")
        assert 0 < await connection.zscore(keys.incidents(keys.shard(closed)), closed) < float("inf")
        assert await publications.Publications(connection, lease_seconds=1.0).names() == [closed]
        assert await store.owners.find(homes) == {**homes, "am/7": "another since"}

    with_redis(body)
