"""The steps that take the data in the store from one version to the next; ``schema`` says when they run."""

from collections.abc import AsyncIterator

import redis.asyncio

from router.store import incidents, keys

_CHUNK = 1000


async def list_incidents_and_gather_homes(connection: "redis.asyncio.Redis") -> None:
    """From version 1 to 2: a shard's incidents are listed, and its alerts' homes are fields of one hash.

    Before, there was a key for each alert, ``ir:{sN}:home:IDENTITY``, which expires by itself within 30 days.
    """
    async for names in _chunks(connection, "ir:{s*}:incident:*"):
        await _list(connection, [keys.incident_key(name) for name in names])
    store = incidents.Incidents(connection)
    async for names in _chunks(connection, "ir:{s*}:home:*"):
        pipeline = connection.pipeline(transaction=False)
        for name in names:
            pipeline.get(name)
        found = await pipeline.execute()
        alerts = map(keys.incident_key, names)
        await store.homes({alert: home.decode() for alert, home in zip(alerts, found, strict=True) if home})


async def _list(connection: "redis.asyncio.Redis", names: list[str]) -> None:
    pipeline = connection.pipeline(transaction=False)
    for name in names:
        pipeline.pexpiretime(keys.incident(name))
    expiries = await pipeline.execute()
    pipeline = connection.pipeline(transaction=False)
    for name, expires_at in zip(names, expiries, strict=True):
        if expires_at != _GONE:
            score = "inf" if expires_at < 0 else expires_at
            pipeline.zadd(keys.incidents(keys.shard(name)), {name: score}, nx=True)
    await pipeline.execute()


_GONE = -2  # What the server says instead of the time at which a key that is not there expires.


async def _chunks(connection: "redis.asyncio.Redis", pattern: str) -> AsyncIterator[list[str]]:
    """The names of all keys of a pattern, many at a time; some perhaps twice."""
    names: list[str] = []
    async for name in connection.scan_iter(pattern, count=_CHUNK):
        names.append(name.decode())
        if len(names) >= _CHUNK:
            yield names
            names = []
    if names:
        yield names
