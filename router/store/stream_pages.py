"""Streams read page by page, bounded in number and in bytes: an entry may hold a body of many MiB."""

from typing import Literal, NamedTuple

from router.store import scripts

MOST_BYTES = 16 * 1024 * 1024  # Of one page, unless its first entry alone has more.

Order = Literal["XRANGE", "XREVRANGE"]
"""The oldest first, or the newest first."""

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry's ID and its fields."""


class Page(NamedTuple):
    """Some entries, and whether there may be more behind them."""

    entries: list[Entry]
    more: bool

    @property
    def end(self) -> str:
        """The ID of the last entry if there may be more; else empty."""
        return self.entries[-1][0].decode() if self.more and self.entries else ""


async def read(run: scripts.Scripts, key: str, order: Order, begin: str, end: str, *, count: int) -> Page:
    """Read a page from ``begin`` to ``end``, as the command ``order`` takes them; call it in ``client.failures``."""
    (more,), *entries = await run.run("page", [key], [order, begin, end, count, MOST_BYTES])
    read = [(identity, dict(zip(fields[::2], fields[1::2], strict=True))) for identity, fields in entries]
    return Page(read, bool(more))
