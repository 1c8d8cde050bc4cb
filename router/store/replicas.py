"""What replicas have confirmed: a write that only its primary has is lost with it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import redis.asyncio
from redis import exceptions

from router.store import client, clusters, errors, keys


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

    async def settle(self) -> None:
        """Return once everything written so far is confirmed, by whichever connection it was written.

        Of one server that is so by itself when a later write is: replicas have a prefix of what their primary has.
        The primaries of a cluster know nothing of one another, so what is written at one of them on the strength of
        something at another one has to wait for this. ``Unavailable`` where it is not confirmed.
        """
        if not self.least:
            return
        async with client.failures():
            names = await clusters.one_of_each(self._connection, map(keys.mark, range(keys.SHARDS)))
            marks = [self.write(name, [("SET", name, 1)]) for name in names]
            done = await asyncio.gather(*marks, return_exceptions=True)
            for one in done:
                if isinstance(one, BaseException):
                    raise one
