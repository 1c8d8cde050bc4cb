"""The archive: deliveries that are folded in, kept for a while with their bodies, to be explained and replayed."""

from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import redis.asyncio

from router.domain import delivery as deliveries
from router.domain import identity
from router.store import client, codec, errors, keys, scripts

_CHUNK = 500
_WINDOW_MS = 60_000  # A delivery is folded in soon after it came; where it was not, everything is searched.
_SHORT_OF_MEMORY = 0.6  # Of maxmemory: from here on the archive gives way, before the door would have to refuse.


class Recorded(NamedTuple):
    """One delivery of the archive: what was decided of it, and its body as it was received."""

    delivery: deliveries.Delivery
    body: bytes


class Size(NamedTuple):
    """How much the archive holds."""

    entries: int
    bytes: int


class Archive:
    """The archive, bounded by time and by size. ``keep`` is microseconds, ``most`` bytes."""

    def __init__(self, connection: "redis.asyncio.Redis", *, keep: int, most: int) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self._keep_ms = keep // 1000
        self._most = most

    async def trim(self, fullness: float) -> Size:
        """Let go what is too old or too much; half of it where the server is short of memory."""
        async with client.failures():
            most = self._most
            if fullness > _SHORT_OF_MEMORY:
                most = min(most, int(await self._connection.memory_usage(keys.ARCHIVE) or 0) // 2)
            entries, size = await self._scripts.run("trim", [keys.ARCHIVE], [self._keep_ms, most])
        return Size(int(entries), int(size))

    async def find(self, delivery_id: str) -> Recorded | None:
        """The delivery of this id, or None where it is not kept (any more)."""
        near = identity.made_at(delivery_id) // 1000
        async for recorded in self._range(f"{max(0, near - _WINDOW_MS)}", f"{near + _WINDOW_MS}"):
            if recorded.delivery.id == delivery_id:
                return recorded
        async for recorded in self._range("-", "+"):
            if recorded.delivery.id == delivery_id:
                return recorded
        return None

    async def newest(self, count: int) -> list[Recorded]:
        """The newest deliveries, the newest first."""
        async with client.failures():
            answer: Any = await self._connection.xrevrange(keys.ARCHIVE, count=count)
        return [recorded for _, fields in answer if (recorded := _recorded(fields)) is not None]

    async def page(self, before: str, count: int) -> tuple[list[Recorded], str]:
        """Deliveries older than a place in the archive (empty: the newest), and where the page ends (empty: the end).

        ``errors.Unavailable`` where the place is none.
        """
        last = f"({before}" if before else "+"
        async with client.failures():
            answer: Any = await self._connection.xrevrange(keys.ARCHIVE, max=last, count=count)
        found = [recorded for _, fields in answer if (recorded := _recorded(fields)) is not None]
        return found, answer[-1][0].decode() if len(answer) == count else ""

    async def page_since(self, moment: int, after: str, count: int) -> tuple[list[Recorded], str]:
        """Deliveries since a moment (microseconds), the oldest first, from behind a place on; and as ``page``, the end.

        ``errors.Unavailable`` where the place is none.
        """
        first = f"({after}" if after else str(max(0, moment // 1000))
        async with client.failures():
            answer: Any = await self._connection.xrange(keys.ARCHIVE, min=first, count=count)
        found = [recorded for _, fields in answer if (recorded := _recorded(fields)) is not None]
        return found, answer[-1][0].decode() if len(answer) == count else ""

    async def size(self) -> int:
        """How many deliveries are kept."""
        async with client.failures():
            return int(await self._connection.xlen(keys.ARCHIVE))

    async def since(self, moment: int) -> AsyncIterator[Recorded]:
        """Everything that was folded in since a moment (microseconds), the oldest first."""
        async for recorded in self._range(str(max(0, moment // 1000)), "+"):
            yield recorded

    async def _range(self, first: str, last: str) -> AsyncIterator[Recorded]:
        begin = first
        while True:
            async with client.failures():
                answer: Any = await self._connection.xrange(keys.ARCHIVE, min=begin, max=last, count=_CHUNK)
            for _, fields in answer:
                recorded = _recorded(fields)
                if recorded is not None:
                    yield recorded
            if len(answer) < _CHUNK:
                return
            begin = f"({answer[-1][0].decode()}"


def _recorded(fields: dict[bytes, bytes]) -> Recorded | None:
    """Read an entry; one that another version has written is passed over."""
    try:
        return Recorded(codec.unpack_delivery(fields[b"h"]), fields[b"b"])
    except (errors.Unreadable, KeyError):
        return None
