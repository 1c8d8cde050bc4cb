"""The posts that a page has got lately, read once for all who ask at the same time.

The vendor has no search among them, so every search goes through a list. In a storm of incidents each would read the
same list, and the account's quota would go into that alone.
"""

import asyncio
import datetime as dt
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from router.destinations.devhelm import wire

Read = Callable[[str, dt.datetime], Awaitable[list[wire.Post]]]
"""Reads a page's posts that were made since a moment; one of ``outbound.errors`` where that fails."""


@dataclass
class _Reading:
    """One reading that has not begun: since when the first of those who wait for it wants the posts."""

    since: dt.datetime
    task: "asyncio.Task[list[wire.Post]]" = field(init=False)


class RecentPosts:
    """Asked for the posts of pages. Whoever asks gets what was read after they asked, never what was there before."""

    def __init__(self, read: Read) -> None:
        self._read = read
        self._next: dict[str, _Reading] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[list[wire.Post]]] = set()

    async def posts(self, page_id: str, since: dt.datetime) -> list[wire.Post]:
        """The posts of a page that were made since a moment. A reading that fails, fails for all who wait for it."""
        reading = self._next.get(page_id)
        if reading is None:
            reading = self._next[page_id] = _Reading(since)
            reading.task = asyncio.create_task(self._begin(page_id, reading))
            self._tasks.add(reading.task)
            reading.task.add_done_callback(self._ended)
        reading.since = min(reading.since, since)
        # Who gives up waiting leaves the reading to the others.
        return [post for post in await asyncio.shield(reading.task) if post.created_at >= since]

    async def aclose(self) -> None:
        """End what is under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, page_id: str, reading: _Reading) -> list[wire.Post]:
        async with self._locks.setdefault(page_id, asyncio.Lock()):
            del self._next[page_id]  # Who asks from now on is too late for this one.
            return await self._read(page_id, reading.since)

    def _ended(self, task: "asyncio.Task[list[wire.Post]]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # Nobody may have waited until the end.
