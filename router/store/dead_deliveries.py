"""Deliveries that left the way of an alert since they could not be processed: kept as received, for people."""

from typing import Any, NamedTuple

import redis.asyncio

from router.store import client, keys, scripts


class DeadDelivery(NamedTuple):
    """A delivery that could not be processed: why, since when (microseconds), and its body as received."""

    id: str
    reason: str
    dead_lettered_at: int
    body: bytes


class DeadDeliveries:
    """The deliveries that could not be processed, for people."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)

    async def read(self, begin: str = "-", most: int | None = None) -> list[DeadDelivery]:
        """All of them, the oldest first; or ``most``, from a place of the stream on (``(ID``: from behind it on)."""
        async with client.translate_errors():
            entries: Any = await self._connection.xrange(keys.DEAD, min=begin, count=most)
        # A field that is missing is shown as empty: what is left is for an operator to see.
        return [
            DeadDelivery(
                identity.decode(),
                fields.get(b"reason", b"").decode(errors="replace"),
                int(identity.split(b"-")[0]) * 1000,
                fields.get(b"b", b""),
            )
            for identity, fields in entries
        ]

    async def size(self) -> int:
        """How many there are."""
        async with client.translate_errors():
            return int(await self._connection.xlen(keys.DEAD))

    async def redrive(self, identity: str) -> bool:
        """Move one back into the inbox; False where it is no longer there."""
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("exhume", [keys.DEAD, keys.INBOX], [identity]))

    async def discard(self, identity: str) -> bool:
        """Let one go for good; False where it is no longer there."""
        async with client.translate_errors():
            return bool(await self._connection.xdel(keys.DEAD, identity))
