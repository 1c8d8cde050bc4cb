"""Reads streams in pages that are limited in entries and bytes; an entry may hold a body of many MiB."""

from typing import Literal, NamedTuple

from router.store import scripts

MAX_BYTES = 16 * 1024 * 1024  # Maximum size of a page, unless its first entry is larger.
MAX_COMPRESSED_BYTES = MAX_BYTES // 8  # The same for compressed entries, which take about 8 times as much memory.

Order = Literal["XRANGE", "XREVRANGE"]
"""The oldest first, or the newest first."""

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry's ID and its fields."""


class StreamPage(NamedTuple):
    """A page of entries, and whether more may follow."""

    entries: list[Entry]
    more: bool

    @property
    def end(self) -> str:
        """Return the ID of the last entry if more may follow; otherwise an empty string."""
        return self.entries[-1][0].decode() if self.more and self.entries else ""


async def read(
    run: scripts.Scripts, key: str, order: Order, begin: str, end: str, *, count: int, max_bytes: int
) -> StreamPage:
    """Read a page between ``begin`` and ``end``, which are in the order of ``order``.

    Call it in ``client.translate_errors``.
    """
    (more,), *entries = await run.run("read_page", [key], [order, begin, end, count, max_bytes])
    read = [(identity, dict(zip(fields[::2], fields[1::2], strict=True))) for identity, fields in entries]
    return StreamPage(read, bool(more))
