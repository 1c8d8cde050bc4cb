"""Reads a page's recent posts once for all concurrent callers.

The vendor has no search for posts, so every search reads a list. In an alert storm each incident would read the same
list and use up the account's quota.
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
    """A read that hasn't begun, and the earliest time since which a caller wants posts."""

    since: dt.datetime
    task: "asyncio.Task[list[wire.Post]]" = field(init=False)


class RecentPosts:
    """Reads posts of pages. A caller gets the result of a read that began after its call."""

    def __init__(self) -> None:
        self._next: dict[str, _Reading] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._tasks: set[asyncio.Task[list[wire.Post]]] = set()

    async def read(self, page_id: str, since: dt.datetime, read: Read) -> list[wire.Post]:
        """Return the posts of a page created since a time. If the read fails, it fails for all its callers.

        Of callers that share a read, the first one's ``read`` is called.
        """
        reading = self._next.get(page_id)
        if reading is None:
            reading = self._next[page_id] = _Reading(since)
            reading.task = asyncio.create_task(self._begin(page_id, reading, read))
            self._tasks.add(reading.task)
            reading.task.add_done_callback(self._on_end)
        # All callers that wait for this read share its result, so it has to begin at their earliest time.
        reading.since = min(reading.since, since)
        # A cancelled caller leaves the read to the others.
        return [post for post in await asyncio.shield(reading.task) if post.created_at >= since]

    async def aclose(self) -> None:
        """Cancel pending reads."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, page_id: str, reading: _Reading, read: Read) -> list[wire.Post]:
        async with self._locks.setdefault(page_id, asyncio.Lock()):
            del self._next[page_id]  # Later callers need another read.
            return await read(page_id, reading.since)

    def _on_end(self, task: "asyncio.Task[list[wire.Post]]") -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            task.exception()  # All callers may have been cancelled.
