"""The archive of folded deliveries with their bodies, for `explain` and `replay`."""

from collections.abc import AsyncIterator
from typing import NamedTuple

from router.domain import deliveries, identity
from router.domain.times import Timestamp
from router.store import client, codec, errors, keys, stream_pages
from router.store.connection import Connection

_CHUNK = 500
# A delivery is usually folded soon after it was accepted. If this window misses it, search everything.
_WINDOW_MS = 60_000
SHORT_OF_MEMORY = 0.6  # Share of maxmemory from which the archive is trimmed, before webhooks would be refused.


class ArchivedDelivery(NamedTuple):
    """A delivery in the archive: its decisions, and its body as received."""

    delivery: deliveries.Delivery
    body: bytes


class Size(NamedTuple):
    """Size of the archive."""

    entries: int
    bytes: int


class Archive:
    """The archive, limited to ``retention`` (microseconds) and ``max_bytes``."""

    def __init__(self, connection: Connection, *, retention: int, max_bytes: int) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._retention_ms = retention // 1000
        self._max_bytes = max_bytes

    async def trim(self, fullness: float) -> Size:
        """Delete entries beyond the limits, and half of all entries if the server is short of memory."""
        async with client.translate_errors():
            # Only `explain` and `replay` need the archive, so it is evicted first. The caller repeats this until memory
            # suffices.
            max_bytes = self._max_bytes
            if fullness > SHORT_OF_MEMORY:
                max_bytes = min(max_bytes, int(await self._redis.memory_usage(keys.ARCHIVE) or 0) // 2)
            entries, size = await self._scripts.run("trim_archive", [keys.ARCHIVE], [self._retention_ms, max_bytes])
        return Size(int(entries), int(size))

    async def find(self, delivery_id: str) -> ArchivedDelivery | None:
        """Return the delivery with this ID, or None if it isn't in the archive."""
        # The ID is a UUID of version 7. Its time is when the delivery was accepted, which is close to its place in the
        # archive.
        near = identity.made_at(delivery_id) // 1000
        async for archived in self._range(f"{max(0, near - _WINDOW_MS)}", f"{near + _WINDOW_MS}"):
            if archived.delivery.id == delivery_id:
                return archived
        async for archived in self._range("-", "+"):
            if archived.delivery.id == delivery_id:
                return archived
        return None

    async def newest(self, count: int) -> list[ArchivedDelivery]:
        """Return the newest deliveries, newest first."""
        newest: list[ArchivedDelivery] = []
        last = "+"
        while count > 0:
            async with client.translate_errors():
                page = await self._read("XREVRANGE", last, "-", count=count)
            # Unreadable entries count as well, so that damaged data can't make this call read the whole archive.
            newest += _decode_entries(page)
            count -= len(page.entries)
            if not page.more:
                break
            last = f"({page.end}"
        return newest

    async def page(self, before: str, count: int) -> tuple[list[ArchivedDelivery], str]:
        """Return deliveries older than ``before`` (empty: the newest), and the cursor of the next page (empty: none).

        Raises ``errors.Unavailable``, also if the cursor is invalid.
        """
        last = f"({before}" if before else "+"
        async with client.translate_errors():
            page = await self._read("XREVRANGE", last, "-", count=count)
        return _decode_entries(page), page.end

    async def page_since(self, moment: Timestamp, after: str, count: int) -> tuple[list[ArchivedDelivery], str]:
        """Return deliveries since a time (microseconds), oldest first, and the cursor of the next page (empty: none).

        Raises ``errors.Unavailable``, also if the cursor is invalid.
        """
        first = f"({after}" if after else str(max(0, moment // 1000))
        async with client.translate_errors():
            page = await self._read("XRANGE", first, "+", count=count)
        return _decode_entries(page), page.end

    async def size(self) -> int:
        """Return the number of deliveries."""
        async with client.translate_errors():
            return int(await self._redis.xlen(keys.ARCHIVE))

    async def since(self, moment: Timestamp) -> AsyncIterator[ArchivedDelivery]:
        """Iterate over the deliveries folded since a time (microseconds), oldest first."""
        async for archived in self._range(str(max(0, moment // 1000)), "+"):
            yield archived

    async def _read(self, order: stream_pages.Order, begin: str, end: str, *, count: int) -> stream_pages.StreamPage:
        # Usually, the decompressed entries then have about as many bytes as a page may have.
        limit = stream_pages.MAX_COMPRESSED_BYTES
        page = await stream_pages.read(self._scripts, keys.ARCHIVE, order, begin, end, count=count, max_bytes=limit)
        return _limit_page(page)

    async def _range(self, first: str, last: str) -> AsyncIterator[ArchivedDelivery]:
        begin = first
        while True:
            async with client.translate_errors():
                page = await self._read("XRANGE", begin, last, count=_CHUNK)
            for archived in _decode_entries(page):
                yield archived
            if not page.more:
                return
            begin = f"({page.end}"


def _limit_page(page: stream_pages.StreamPage) -> stream_pages.StreamPage:
    """Return the beginning of a page that fits into memory after decompression: a body of blanks grows 255 times."""
    size = 0
    for position, (_, fields) in enumerate(page.entries):
        # The sizes are in the headers of the compressed data, so nothing has to be decompressed to know them.
        size += codec.delivery_size(fields.get(b"h", b"")) + codec.body_size(fields)
        # The first entry is always returned: a reader would never get past it otherwise.
        if position and size > stream_pages.MAX_BYTES:
            return stream_pages.StreamPage(page.entries[:position], True)
    return page


def _decode_entries(page: stream_pages.StreamPage) -> list[ArchivedDelivery]:
    return [archived for _, fields in page.entries if (archived := _decode_entry(fields)) is not None]


def _decode_entry(fields: dict[bytes, bytes]) -> ArchivedDelivery | None:
    """Decode an entry. Entries that are damaged, or that another version wrote, are skipped."""
    try:
        return ArchivedDelivery(codec.unpack_delivery(fields[b"h"]), codec.unpack_body(fields))
    except (errors.UnreadableDocument, KeyError):
        return None
