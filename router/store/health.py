"""What the store says of itself and of the workers: reachable, how full, who is alive."""

from typing import Any, NamedTuple

import redis.asyncio

from router.store import client, cluster, keys

FULL_AT = 0.75  # Of maxmemory: beyond it nothing more is accepted, so that what was accepted can be processed.


class PendingCounts(NamedTuple):
    """How many bodies are in quarantine, and how many deliveries are dead letters."""

    quarantined: int
    dead: int


class Health:
    """Questions about the store, each one round trip to every server of it."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection

    async def ping(self) -> None:
        """Return where the store answers; ``Unavailable`` where it does not."""
        async with client.translate_errors():
            await self._each("PING")

    async def fullness(self) -> float:
        """Used memory as a share of ``maxmemory``, of the fullest of several; 0.0 where no limit is set."""
        async with client.translate_errors():
            memories = await self._each("INFO", "memory")
        limited = [(int(one["used_memory"]), int(one.get("maxmemory", 0))) for one in memories]
        return max((used / limit for used, limit in limited if limit), default=0.0)

    async def durability_warnings(self) -> list[str]:
        """How servers are set up that may lose what was accepted, in words for who set them up."""
        async with client.translate_errors():
            memories, files = await self._each("INFO", "memory"), await self._each("INFO", "persistence")
        found = []
        if any(int(one.get("maxmemory", 0)) and one.get("maxmemory_policy") != "noeviction" for one in memories):
            found.append("maxmemory-policy is not noeviction: what was accepted is dropped when memory is short")
        if not all(int(one.get("aof_enabled", 1)) for one in files):
            found.append("appendonly is off: what was accepted since the last snapshot is lost with the server")
        return found

    async def pending_counts(self) -> PendingCounts:
        """What waits for a person."""
        async with client.translate_errors():
            pipeline = self._connection.pipeline(transaction=False)
            pipeline.xlen(keys.QUARANTINE)
            pipeline.xlen(keys.DEAD)
            quarantined, dead = await pipeline.execute()
        return PendingCounts(int(quarantined), int(dead))

    async def record_heartbeat(self, worker: str, now: int) -> None:
        """Say that this worker is alive at ``now`` (microseconds)."""
        async with client.translate_errors():
            await self._connection.zadd(keys.WORKERS, {worker: now})

    async def remove_worker(self, worker: str) -> None:
        """Say that this worker has stopped on purpose."""
        async with client.translate_errors():
            await self._connection.zrem(keys.WORKERS, worker)

    async def expire_workers(self, before: int) -> None:
        """Forget the workers whose last heartbeat was before this time, in microseconds."""
        async with client.translate_errors():
            await self._connection.zremrangebyscore(keys.WORKERS, "-inf", f"({before}")

    async def latest_heartbeat(self) -> int:
        """When the liveliest worker was last heard of, microseconds; 0 where there is none."""
        async with client.translate_errors():
            newest = await self._connection.zrange(keys.WORKERS, 0, 0, desc=True, withscores=True)
        return int(newest[0][1]) if newest else 0

    async def _each(self, *command: str) -> list[Any]:
        """The answers of all servers that are written to, one after the other."""
        connection: Any = self._connection
        return [await connection.execute_command(*command, **at) for at in await cluster.primaries(connection)]
