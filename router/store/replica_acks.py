"""Waits for replica acknowledgements (WAIT) before a write is reported as stored."""

from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import cluster, connection_settings, errors, timed_client


def require(connection: "redis.asyncio.Redis", durability: connection_settings.Durability) -> None:
    """Require acknowledgements for all later writes through this client."""
    _client(connection).durability = durability


def _client(connection: "redis.asyncio.Redis") -> timed_client.Redis | timed_client.RedisCluster:
    client: object = connection
    if not isinstance(client, timed_client.Redis | timed_client.RedisCluster):
        raise TypeError(f"{type(client).__name__} was not created by router.store.client.connect")
    return client


class DurableWriter:
    """Writes through one client, and waits for the replicas that must acknowledge.

    WAIT applies to the writes of its own connection, so it is sent in the same pipeline. A replica with ``appendfsync
    always`` has written to disk before it acknowledges.
    """

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._durability = _client(connection).durability
        self.is_required = bool(self._durability.replicas)
        """Whether any replica must acknowledge."""

    async def run(self, *command: Any) -> Any:
        """Run one command on the key that is its first argument, and return its response. Raises ``Unavailable``."""
        if not self.is_required:
            connection: Any = self._connection
            return await connection.execute_command(*command)
        return (await self.write(command[1], [command]))[0]

    async def write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands on keys of the slot of ``key``. Raises ``Unavailable`` if too few replicas acknowledge.

        On a single server the keys may be any. If the slot has moved, the commands run again on its new server; the
        first one may run twice.
        """
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:
            await cluster.follow_redirect(self._connection, error)
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:  # The error message is that of the command.
            raise errors.Unavailable("the Redis Cluster is moving the slot of the write", 1) from error

    async def _write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        at = await cluster.primary_of(self._connection, key)
        pipeline: Any = self._connection.pipeline(transaction=False)
        for command in (*commands, ("WAIT", self._durability.replicas, int(self._durability.timeout_seconds * 1000))):
            pipeline.execute_command(*command, **at)
        # A redirected command would run on another connection than WAIT, which would then say nothing about it.
        options = {"allow_redirections": False} if at else {}
        answers: list[Any]
        try:
            *answers, confirmed = await pipeline.execute(**options)
        except exceptions.ConnectionError:
            await cluster.refresh_topology(self._connection)
            raise
        if confirmed < self._durability.replicas:
            said = f"only {confirmed} of {self._durability.replicas} replicas acknowledged the write"
            raise errors.Unavailable(said, 2)
        return answers
