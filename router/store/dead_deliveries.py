"""Dead deliveries: deliveries that could not be processed, kept as received until an operator handles them."""

from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.store import client, codec, errors, keys
from router.store.connection import Connection


class DeadDelivery(NamedTuple):
    """A dead delivery: the reason, the time (microseconds), and the body as received."""

    id: str
    reason: str
    dead_lettered_at: Timestamp
    body: bytes


class DeadDeliveries:
    """All dead deliveries."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts

    async def read(self, begin: str = "-", count: int | None = None) -> list[DeadDelivery]:
        """Return dead deliveries, oldest first.

        Return all, or ``count`` from the stream ID ``begin`` (``(ID``: after it).
        """
        async with client.translate_errors():
            entries: Any = await self._redis.xrange(keys.DEAD, min=begin, count=count)
        return [
            DeadDelivery(
                identity.decode(),
                fields.get(b"reason", b"").decode(errors="replace"),
                Timestamp(int(identity.split(b"-")[0]) * 1000),
                _body(fields),
            )
            for identity, fields in entries
        ]

    async def size(self) -> int:
        """Return the number of dead deliveries."""
        async with client.translate_errors():
            return int(await self._redis.xlen(keys.DEAD))

    async def newest(self) -> tuple[int, str]:
        """Return how many dead deliveries there are, and the ID of the newest; empty if there is none."""
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            pipeline.xlen(keys.DEAD)
            pipeline.xrevrange(keys.DEAD, count=1)
            count, entries = await pipeline.execute()
        return int(count), entries[0][0].decode() if entries else ""

    async def redrive(self, identity: str) -> bool:
        """Move a delivery back to the inbox. Return False if it no longer exists."""
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("redrive", [keys.DEAD, keys.INBOX], [identity]))

    async def discard(self, identity: str) -> bool:
        """Delete a delivery. Return False if it no longer exists."""
        async with client.translate_errors():
            return bool(await self._redis.xdel(keys.DEAD, identity))


def _body(fields: dict[bytes, bytes]) -> bytes:
    # Show a missing or damaged body as empty, so that the operator still sees the rest of the entry.
    try:
        return codec.unpack_body(fields)
    except errors.UnreadableDocument:
        return b""
