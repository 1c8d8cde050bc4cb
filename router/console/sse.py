"""Server-sent events that report changes to browsers. One reader per process serves all browsers."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable

from router.services import queries
from router.store import errors

EVERY_SECONDS = 2.0
COMMENT_SECONDS = 15.0  # Proxies close connections that are silent for longer than 30 seconds.
_MAX_SECONDS = 3600.0  # Then the browser reconnects, and is authenticated again.
MAX_LISTENERS = 500
MAX_PER_PERSON = 20  # For one token or session: the tabs of one person.
# Changes of these fields alone cause no event.
_PASSING = {"now", "lag_seconds", "worker_seen_at", "received_at", "received_a_minute"}


class Feed:
    """Reads the state every few seconds while a browser listens, and notifies all browsers of a change."""

    def __init__(self, query_service: queries.Queries, *, every_seconds: float = EVERY_SECONDS) -> None:
        self._ask = query_service
        self._every = every_seconds
        self._listeners: dict[asyncio.Event, str] = {}
        self._reading: asyncio.Task[None] | None = None
        self._is_closed = False
        self.reads = 0

    @property
    def full(self) -> bool:
        """Whether no further browser can listen."""
        return len(self._listeners) >= MAX_LISTENERS or self._is_closed

    def is_full_for(self, person: str) -> bool:
        """Return whether this token or session has reached its limit of connections."""
        return sum(listener == person for listener in self._listeners.values()) >= MAX_PER_PERSON

    async def events(self, person: str, may_listen: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """Yield server-sent events for one browser: ``changed`` whenever there is something new to load.

        ``person`` names the token or session. The events end within 30 seconds after access is revoked.
        """
        news = asyncio.Event()
        self._listeners[news] = person
        # One task reads for all browsers, and none runs without a browser.
        if self._reading is None:
            self._reading = asyncio.create_task(self._read())
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + _MAX_SECONDS
        try:
            yield b"retry: 3000\n\n"
            asked_at = loop.time()
            while not self._is_closed and loop.time() < ends_at:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(COMMENT_SECONDS):
                        await news.wait()
                if loop.time() >= asked_at + COMMENT_SECONDS:
                    # A session may end while its page stays open.
                    if not await may_listen():
                        return
                    asked_at = loop.time()
                yield b"event: changed\ndata: now\n\n" if news.is_set() and not self._is_closed else b": still here\n\n"
                news.clear()
        finally:
            self._listeners.pop(news, None)
            # The last browser has left.
            if not self._listeners and self._reading is not None:
                self._reading.cancel()
                self._reading = None

    def close(self) -> None:
        """End all connections before the server stops."""
        self._is_closed = True
        for news in self._listeners:
            news.set()

    async def _read(self) -> None:
        before = b""
        while True:
            # An outage of Redis is no change. The next read after it compares with the last state.
            with contextlib.suppress(errors.Unavailable):
                state = await self._state()
                # The first read only sets the base.
                if before and state != before:
                    for news in self._listeners:
                        news.set()
                before = state
            await asyncio.sleep(self._every)

    async def _state(self) -> bytes:
        self.reads += 1
        overview = await self._ask.overview()
        incidents = await self._ask.incidents(limit=500)
        state = overview.model_dump_json(exclude=_PASSING) + incidents.model_dump_json()
        return hashlib.blake2b(state.encode(), digest_size=16).digest()
