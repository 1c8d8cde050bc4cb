"""Waits for replica acknowledgements (WAIT) before a write is reported as stored."""

from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import cluster, connection_settings, errors, full_memory


class DurableWriter:
    """Writes through one client, and waits for the replicas that must acknowledge.

    WAIT applies to the writes of its own connection, so it is sent in the same pipeline. A replica with ``appendfsync
    always`` has written to disk before it acknowledges.
    """

    def __init__(
        self,
        client: "redis.asyncio.Redis",
        topology: cluster.Topology,
        durability: connection_settings.Durability,
    ) -> None:
        self._redis: Any = client
        self._topology = topology
        self._durability = durability
        self.is_required = bool(self._durability.replicas)
        """Whether any replica must acknowledge."""

    async def run(self, *command: Any) -> Any:
        """Run one command on the key that is its first argument, and return its response. Raises ``Unavailable``."""
        if not self.is_required:
            return await self._redis.execute_command(*command)
        try:
            return (await self.write(command[1], [command]))[0]
        except exceptions.OutOfMemoryError:
            if (script := full_memory.as_script(command)) is None:
                raise
        return (await self.write(command[1], [script]))[0]

    async def write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands on keys of the slot of ``key``. Raises ``Unavailable`` if too few replicas acknowledge.

        On a single server the keys may be any. If the slot has moved, the commands run again on its new server; the
        first one may run twice.
        """
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:
            await self._topology.follow_redirect(error)
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:  # The error message is that of the command.
            raise errors.Unavailable("the Redis Cluster is moving the slot of the write", 1) from error

    async def _write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        at = await self._topology.primary_of(key)
        pipeline = self._redis.pipeline(transaction=False)
        for command in (*commands, ("WAIT", self._durability.replicas, int(self._durability.timeout_seconds * 1000))):
            pipeline.execute_command(*command, **at)
        # A redirected command would run on another connection than WAIT, which would then say nothing about it.
        options = {"allow_redirections": False} if at else {}
        answers: list[Any]
        try:
            *answers, confirmed = await pipeline.execute(**options)
        # The server may have been replaced. Load the topology before the caller retries.
        except exceptions.ConnectionError:
            await self._topology.refresh()
            raise
        # The primary has the write, but a failover could lose it, so it must not be reported as stored.
        if confirmed < self._durability.replicas:
            message = f"only {confirmed} of {self._durability.replicas} replicas acknowledged the write"
            raise errors.Unavailable(message, 2)
        return answers
