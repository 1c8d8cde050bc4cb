"""Health of the store and of the workers: reachability, memory, and heartbeats."""

from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.store import client, keys
from router.store.connection import Connection

FULL_AT = 0.75  # Share of maxmemory above which nothing is accepted, so that accepted deliveries can be processed.


class PendingCounts(NamedTuple):
    """Number of bodies in quarantine, and of dead deliveries."""

    quarantined: int
    dead: int


class Health:
    """Queries about the store. Each takes one round trip to every primary."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis
        self._topology = connection.topology

    async def ping(self) -> None:
        """Return if the store responds. Raises ``Unavailable`` otherwise."""
        async with client.translate_errors():
            await self._run_on_primaries("PING")

    async def fullness(self) -> float:
        """Return used memory as a share of ``maxmemory``, of the fullest primary; 0.0 if no limit is set."""
        async with client.translate_errors():
            memories = await self._run_on_primaries("INFO", "memory")
        # One full primary is enough to refuse a write, so the fullest one counts.
        limited = [(int(memory["used_memory"]), int(memory.get("maxmemory", 0))) for memory in memories]
        return max((used_bytes / limit for used_bytes, limit in limited if limit), default=0.0)

    async def durability_warnings(self) -> list[str]:
        """Return a warning for each server setting that can lose accepted deliveries."""
        async with client.translate_errors():
            memories = await self._run_on_primaries("INFO", "memory")
            files = await self._run_on_primaries("INFO", "persistence")
        durability_warnings = []
        if any(
            int(memory.get("maxmemory", 0)) and memory.get("maxmemory_policy") != "noeviction" for memory in memories
        ):
            durability_warnings.append(
                "maxmemory-policy is not noeviction: accepted deliveries are evicted when memory is short"
            )
        # A server that doesn't report the setting gets no warning.
        if not all(int(file.get("aof_enabled", 1)) for file in files):
            durability_warnings.append(
                "appendonly is off: deliveries accepted since the last snapshot are lost with the server"
            )
        return durability_warnings

    async def pending_counts(self) -> PendingCounts:
        """Return what waits for an operator."""
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.xlen(keys.QUARANTINE)
            pipeline.xlen(keys.DEAD)
            quarantined, dead = await pipeline.execute()
        return PendingCounts(int(quarantined), int(dead))

    async def record_heartbeat(self, worker: str, now: Timestamp) -> None:
        """Record a worker's heartbeat at ``now`` (microseconds)."""
        async with client.translate_errors():
            await self._redis.zadd(keys.WORKERS, {worker: now})

    async def remove_worker(self, worker: str) -> None:
        """Remove a worker that has stopped on purpose."""
        async with client.translate_errors():
            await self._redis.zrem(keys.WORKERS, worker)

    async def expire_workers(self, before: int) -> None:
        """Remove the workers whose last heartbeat was before this time (microseconds)."""
        async with client.translate_errors():
            # The name of a replaced pod never returns, so entries of old workers would accumulate.
            await self._redis.zremrangebyscore(keys.WORKERS, "-inf", f"({before}")

    async def latest_heartbeat(self) -> Timestamp:
        """Return the time of the newest heartbeat of any worker (microseconds); 0 if there is none."""
        async with client.translate_errors():
            newest = await self._redis.zrange(keys.WORKERS, 0, 0, desc=True, withscores=True)
        return Timestamp(int(newest[0][1]) if newest else 0)

    async def _run_on_primaries(self, *command: str) -> list[Any]:
        """Return the response of each primary."""
        return [await self._redis.execute_command(*command, **at) for at in await self._topology.primaries()]
