"""Cached incidents never replace newer ones, and all incidents are listed without a scan."""

import asyncio

import msgspec

from router.domain import alert_states, severities
from router.domain.incidents import Incident
from router.store import alert_owners, incidents, keys

KEY = 'checkout-down{labels.region="eu"}'


def opened(key: str = KEY, **more) -> Incident:
    return Incident(key=key, status="open", episode="e1", severity=severities.Severity.MAJOR, **more)


async def write(documents: incidents.Incidents, *held: Incident) -> None:
    assert await documents.commit([incidents.Change(one, 0, wake=False) for one in held]) == []


async def replace(documents: incidents.Incidents, incident: Incident, version: int = 0) -> int:
    """Replace a version of an incident, and return the new version."""
    new = await documents.write(incidents.Change(incident, version, wake=False))
    assert new > version
    return new


def test_unchanged_incidents_are_not_read_again(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=100)
        version = await replace(store.incidents, opened())
        first, again = [(await cached.read([KEY]))[KEY] for _ in range(2)]
        assert again.incident is first.incident
        assert again.version == version
        assert again.read_at >= first.read_at
        await replace(cached, changed := opened(changed_at=7), version)
        assert (await cached.read([KEY]))[KEY].incident is changed, "the cache has its own writes"

    with_redis(body)


def test_changes_of_other_processes_are_read(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=100)
        first = await replace(cached, opened())
        second = await replace(store.incidents, opened(changed_at=7), first)
        held = (await cached.read([KEY]))[KEY]
        assert (held.version, held.incident.changed_at) == (second, 7)

    with_redis(body)


def test_rejected_write_is_not_cached(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=100)
        first = await replace(cached, opened())
        await replace(store.incidents, opened(changed_at=7), first)
        assert await cached.commit([incidents.Change(opened(changed_at=9), first, wake=False)]) == [KEY]
        assert (await cached.read([KEY]))[KEY].incident.changed_at == 7

    with_redis(body)


def test_expired_incident_is_not_cached(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=100)
        await write(cached, opened())
        await store.redis.delete(keys.incident(KEY))
        held = (await cached.read([KEY]))[KEY]
        assert (held.incident, held.version) == (Incident(key=KEY), 0)

    with_redis(body)


def test_write_lost_in_failover_is_not_cached(with_redis):
    """The failover undid the write of this process. Another process has since written the same number of times."""

    async def body(store):
        cached, other = incidents.Incidents(store.connection, cached_alerts=100), store.incidents
        version = await replace(cached, opened())
        before = await store.redis.hgetall(keys.incident(KEY))
        await replace(cached, opened(changed_at=7), version)
        await store.redis.hset(keys.incident(KEY), mapping=before)
        await replace(other, opened(changed_at=9), version)
        assert (await cached.read([KEY]))[KEY].incident.changed_at == 9

    with_redis(body)


def test_read_lost_in_failover_overwrites_nothing(with_redis):
    """Another process has written the incident since the failover."""

    async def body(store):
        cached, other = incidents.Incidents(store.connection), store.incidents
        version = await replace(cached, opened())
        before = await store.redis.hgetall(keys.incident(KEY))
        lost = await replace(cached, opened(changed_at=7), version)
        await store.redis.hset(keys.incident(KEY), mapping=before)
        await replace(other, opened(changed_at=9), version)
        assert await cached.write(incidents.Change(opened(changed_at=8), lost, wake=False)) == 0
        assert (await cached.read([KEY]))[KEY].incident.changed_at == 9

    with_redis(body)


def test_versions_grow_when_the_clock_is_behind(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=100)
        ahead = await replace(cached, opened()) + 10_000_000
        await store.redis.hset(keys.incident(KEY), "v", ahead)
        assert await replace(cached, opened(changed_at=7), ahead) == ahead + 1
        assert (await cached.read([KEY]))[KEY].version == ahead + 1
        assert int(await store.redis.hget(keys.incident(KEY), "v")) == ahead + 1

    with_redis(body)


def test_incident_cache_is_bounded(with_redis):
    async def body(store):
        cached = incidents.Incidents(store.connection, cached_alerts=24)
        await write(cached, *(opened(str(number)) for number in range(9)))
        alerts = {str(number): alert_states.AlertState(1, False, 0, severities.Severity.MAJOR) for number in range(50)}
        await write(cached, opened("large", alerts=alerts))
        kept = [name for name in [*map(str, range(9)), "large"] if cached._cache.get(name)]
        assert kept == [], "the large one alone is more than fits"
        await write(cached, *(opened(f"again {number}") for number in range(9)))
        await cached.read(["again 6"])
        await write(cached, opened("last"))
        assert [name for name in ("again 6", "again 7", "again 8", "last") if cached._cache.get(name)] == [
            "again 6",
            "again 8",
            "last",
        ]

    with_redis(body)


def test_incidents_are_listed_until_they_expire(with_redis):
    async def body(store):
        closed = [msgspec.structs.replace(opened(str(number)), status="closed") for number in range(40)]
        await write(store.incidents, opened(), *closed)
        assert await store.incidents.names() == sorted([KEY, *map(str, range(40))])
        await store.redis.zadd(keys.incidents(keys.shard("7")), {"7": 1}, xx=True)
        assert "7" not in await store.incidents.names()
        assert await store.redis.zscore(keys.incidents(keys.shard("7")), "7") is None
        ends_at = await store.redis.zscore(keys.incidents(keys.shard("8")), "8")
        assert abs(ends_at - await store.redis.pexpiretime(keys.incident("8"))) < 1000

    with_redis(body)


def test_reopened_incident_stays_listed(with_redis):
    async def body(store):
        version = await replace(store.incidents, msgspec.structs.replace(opened(), status="closed"))
        await replace(store.incidents, opened(), version)
        assert await store.redis.zscore(keys.incidents(keys.shard(KEY)), KEY) == float("inf")

    with_redis(body)


def test_alert_placement_outlives_its_period_and_expires(with_redis, monkeypatch):
    """With periods of 100 milliseconds instead of 30 days."""

    async def body(store):
        monkeypatch.setattr(keys, "HOME_LIFE_MS", 100)
        await store.incidents.owners.claim({"am/1": alert_owners.Claim("old")})
        (first,) = [name async for name in store.redis.scan_iter("ir:{s*}:homes:*")]
        async with asyncio.timeout(10):
            while await period(store) == int(first.rpartition(b":")[2]):
                await asyncio.sleep(0.005)
            found = await store.incidents.owners.find(["am/1"])
            assert found in ({"am/1": "old"}, {}), "empty only on a machine that stood still for a period"
            while await store.incidents.owners.find(["am/1"]):
                await asyncio.sleep(0.005)
            while await store.redis.exists(first):
                await store.incidents.owners.claim({"am/2": alert_owners.Claim("any")})

    with_redis(body)


async def period(store) -> int:
    seconds, micros = await store.redis.time()
    return (seconds * 1000 + micros // 1000) // 100
