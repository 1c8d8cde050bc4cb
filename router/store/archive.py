"""The archive: deliveries that are folded in, kept for a while with their bodies, to be explained and replayed."""

from collections.abc import AsyncIterator
from typing import NamedTuple

import redis.asyncio

from router.domain import delivery as deliveries
from router.domain import identity
from router.store import client, codec, errors, keys, scripts, stream_pages

_CHUNK = 500
_WINDOW_MS = 60_000  # A delivery is folded in soon after it came; where it was not, everything is searched.
SHORT_OF_MEMORY = 0.6  # Of maxmemory: from here on the archive gives way, before the door would have to refuse.


class ArchivedDelivery(NamedTuple):
    """One delivery of the archive: what was decided of it, and its body as it was received."""

    delivery: deliveries.Delivery
    body: bytes


class Size(NamedTuple):
    """How much the archive holds."""

    entries: int
    bytes: int


class Archive:
    """The archive, bounded by time and by size. ``keep`` is microseconds, ``most`` bytes."""

    def __init__(self, connection: "redis.asyncio.Redis", *, retention: int, max_bytes: int) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self._keep_ms = retention // 1000
        self._most = max_bytes

    async def trim(self, fullness: float) -> Size:
        """Let go what is too old or too much; half of it where the server is short of memory."""
        async with client.translate_errors():
            most = self._most
            if fullness > SHORT_OF_MEMORY:
                most = min(most, int(await self._connection.memory_usage(keys.ARCHIVE) or 0) // 2)
            entries, size = await self._scripts.run("trim", [keys.ARCHIVE], [self._keep_ms, most])
        return Size(int(entries), int(size))

    async def find(self, delivery_id: str) -> ArchivedDelivery | None:
        """The delivery of this id, or None where it is not kept (any more)."""
        near = identity.made_at(delivery_id) // 1000
        async for recorded in self._range(f"{max(0, near - _WINDOW_MS)}", f"{near + _WINDOW_MS}"):
            if recorded.delivery.id == delivery_id:
                return recorded
        async for recorded in self._range("-", "+"):
            if recorded.delivery.id == delivery_id:
                return recorded
        return None

    async def newest(self, count: int) -> list[ArchivedDelivery]:
        """The newest deliveries, the newest first."""
        found: list[ArchivedDelivery] = []
        last = "+"
        while count > 0:
            async with client.translate_errors():
                page = await stream_pages.read(self._scripts, keys.ARCHIVE, "XREVRANGE", last, "-", count=count)
            found += _all_recorded(page)
            count -= len(page.entries)
            if not page.more:
                break
            last = f"({page.end}"
        return found

    async def page(self, before: str, count: int) -> tuple[list[ArchivedDelivery], str]:
        """Deliveries older than a place in the archive (empty: the newest), and where the page ends (empty: the end).

        ``errors.Unavailable`` where the place is none.
        """
        last = f"({before}" if before else "+"
        async with client.translate_errors():
            page = await stream_pages.read(self._scripts, keys.ARCHIVE, "XREVRANGE", last, "-", count=count)
        return _all_recorded(page), page.end

    async def page_since(self, moment: int, after: str, count: int) -> tuple[list[ArchivedDelivery], str]:
        """Deliveries since a moment (microseconds), the oldest first, from behind a place on; and as ``page``, the end.

        ``errors.Unavailable`` where the place is none.
        """
        first = f"({after}" if after else str(max(0, moment // 1000))
        async with client.translate_errors():
            page = await stream_pages.read(self._scripts, keys.ARCHIVE, "XRANGE", first, "+", count=count)
        return _all_recorded(page), page.end

    async def size(self) -> int:
        """How many deliveries are kept."""
        async with client.translate_errors():
            return int(await self._connection.xlen(keys.ARCHIVE))

    async def since(self, moment: int) -> AsyncIterator[ArchivedDelivery]:
        """Everything that was folded in since a moment (microseconds), the oldest first."""
        async for recorded in self._range(str(max(0, moment // 1000)), "+"):
            yield recorded

    async def _range(self, first: str, last: str) -> AsyncIterator[ArchivedDelivery]:
        begin = first
        while True:
            async with client.translate_errors():
                page = await stream_pages.read(self._scripts, keys.ARCHIVE, "XRANGE", begin, last, count=_CHUNK)
            for recorded in _all_recorded(page):
                yield recorded
            if not page.more:
                return
            begin = f"({page.end}"


def _all_recorded(page: stream_pages.Page) -> list[ArchivedDelivery]:
    return [recorded for _, fields in page.entries if (recorded := _recorded(fields)) is not None]


def _recorded(fields: dict[bytes, bytes]) -> ArchivedDelivery | None:
    """Read an entry; one that another version has written is passed over."""
    try:
        return ArchivedDelivery(codec.unpack_delivery(fields[b"h"]), fields[b"b"])
    except (errors.UnreadableDocument, KeyError):
        return None
