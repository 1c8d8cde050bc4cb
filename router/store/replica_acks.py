"""Who has to confirm what is written before anybody is told: what only its primary has is lost with it."""

import weakref
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import cluster, connection_settings, errors

_demanded: "weakref.WeakKeyDictionary[redis.asyncio.Redis, connection_settings.Durability]" = (
    weakref.WeakKeyDictionary()
)


def require(connection: "redis.asyncio.Redis", durability: connection_settings.Durability) -> None:
    """Have what is written through this client confirmed like this, by all that is made of it from now on."""
    _demanded[connection] = durability


class DurableWriter:
    """Writes at one client, each with the word of the replicas that have to have it.

    WAIT speaks of the writes of its own connection, so it goes through the same pipeline as they do. A replica with
    ``appendfsync always`` has them on its disk before it says so.
    """

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._wanted = _demanded.get(connection, connection_settings.Durability())
        self.asked = bool(self._wanted.replicas)
        """Whether anybody has to confirm anything."""

    async def run(self, *command: Any) -> Any:
        """Run one command, on the key that it names first, and return its answer; ``Unavailable`` as ``write``."""
        if not self.asked:
            connection: Any = self._connection
            return await connection.execute_command(*command)
        return (await self.write(command[1], [command]))[0]

    async def write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands on keys of one slot, that of ``key``; ``Unavailable`` where too few have confirmed them.

        Of one server they may be on any keys.
        Where the slot has moved they are run again where it is now, the first of them perhaps twice.
        """
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:
            await cluster.follow_redirect(self._connection, error)
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:  # Its words are those of the command.
            raise errors.Unavailable("the Redis Cluster is moving what was to be written", 1) from error

    async def _write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        at = await cluster.primary_of(self._connection, key)
        pipeline: Any = self._connection.pipeline(transaction=False)
        for command in (*commands, ("WAIT", self._wanted.replicas, int(self._wanted.wait_seconds * 1000))):
            pipeline.execute_command(*command, **at)
        # A command that were sent on to another server would leave WAIT behind, which then spoke of nothing.
        options = {"allow_redirections": False} if at else {}
        answers: list[Any]
        try:
            *answers, confirmed = await pipeline.execute(**options)
        except exceptions.ConnectionError:
            await cluster.refresh_topology(self._connection)
            raise
        if confirmed < self._wanted.replicas:
            said = f"only {confirmed} of {self._wanted.replicas} replicas confirmed what was written"
            raise errors.Unavailable(said, 2)
        return answers
