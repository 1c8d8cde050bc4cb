"""What replicas have confirmed: a write that only its primary has is lost with it."""

from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import clusters, errors


class Replicas:
    """How many replicas have to confirm (0: nobody is asked), and how long they have for it.

    WAIT speaks of the writes of its own connection, so it goes through the same pipeline as they do.
    """

    def __init__(self, connection: "redis.asyncio.Redis", least: int = 0, wait_seconds: float = 1.0) -> None:
        self._connection = connection
        self.least = least
        self._wait_ms = int(wait_seconds * 1000)

    async def write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Run commands on keys of one slot, that of ``key``; ``Unavailable`` where too few replicas have confirmed.

        Of one server they may be on any keys.
        Where the slot has moved they are run again where it is now, the first of them perhaps twice.
        """
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:
            await clusters.moved(self._connection, error)
        try:
            return await self._write(key, commands)
        except exceptions.MovedError as error:  # Its words are those of the command.
            raise errors.Unavailable("the Redis Cluster is moving what was to be written", 1) from error

    async def _write(self, key: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        at = await clusters.holder(self._connection, key)
        pipeline: Any = self._connection.pipeline(transaction=False)
        for command in (*commands, ("WAIT", self.least, self._wait_ms)):
            pipeline.execute_command(*command, **at)
        # A command that were sent on to another server would leave WAIT behind, which then spoke of nothing.
        options = {"allow_redirections": False} if at else {}
        answers: list[Any]
        try:
            *answers, confirmed = await pipeline.execute(**options)
        except exceptions.ConnectionError:
            await clusters.look_again(self._connection)
            raise
        if confirmed < self.least:
            raise errors.Unavailable(f"only {confirmed} of {self.least} replicas confirmed what was written", 2)
        return answers
