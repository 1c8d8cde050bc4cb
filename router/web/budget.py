"""Limits on the memory that request bodies and parsed deliveries take.

Without these limits, a few connections fill the memory of a container: 1,000 requests of 1 MiB take 1 GiB. Beyond a
limit, the router answers 503 with ``Retry-After``, and the sender retries. Three rules keep one kind of request from
using up what another kind needs:

- Requests of senders that haven't proven who they are share half of the bytes.
- Large bodies share three quarters of the bytes. The rest is for small bodies, which are most deliveries.
- A parsed delivery takes several times the memory of its body. Large and small bodies are parsed in a queue each, while
  the estimated size of what is being parsed fits into a quarter of the budget.
"""

import asyncio
import collections
from types import TracebackType
from typing import Self

from router.web import problems

MIB = 1024 * 1024
LARGE_BYTES = 64 * 1024
"""Larger bodies are parsed in a thread, in order of arrival, so that they delay neither small ones nor probes."""

BYTES_PER_VALUE = 100
"""Memory of a parsed JSON value, as measured: an empty object takes 64 bytes, one with a member (two values) 200."""


class Budget:
    """Bytes in flight of all requests, at most ``max_bytes``."""

    def __init__(self, max_bytes: int = 64 * MIB) -> None:
        self.max_bytes = max_bytes
        self.used = 0
        self.used_unproven = 0
        self.used_large = 0
        self.small = Turns(max_bytes // 4)
        self.large = Turns(max_bytes // 4)

    def share(self, *, is_proven: bool) -> "Share":
        """Make the share of one request, which returns its bytes when the request ends."""
        return Share(self, is_proven=is_proven)

    def turns(self, size: int) -> "Turns":
        """Return the queue in which a body of this size waits to be parsed."""
        return self.large if size > LARGE_BYTES else self.small


class Turns:
    """A queue of bodies to be parsed, in order of arrival.

    A body is parsed when its size fits into ``max_size`` with those being parsed, or when no other body is being
    parsed.
    """

    def __init__(self, max_size: int) -> None:
        self._max_size = max_size
        self.used = 0
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()

    def try_begin(self, size: int) -> bool:
        """Begin if a body of this estimated size may be parsed now. If so, the caller must call ``end`` afterwards."""
        # A later small body must not overtake the first in the queue, or a large one would never get a turn.
        if self._waiting or not self._has_room(size):
            return False
        self.used += size
        return True

    async def begin(self, size: int) -> None:
        """Wait until a body of this estimated size may be parsed. The caller must call ``end`` afterwards."""
        if not self.try_begin(size):
            await self._wait(size)

    def end(self, size: int) -> None:
        """Release the memory of a parsed body."""
        self.used -= size
        self._admit()

    async def _wait(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It was admitted at the moment of its cancellation.
                self.used -= size
            self._admit()
            raise

    def _admit(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            # A cancelled request leaves the queue without a turn.
            if not turn.done():
                if not self._has_room(size):
                    return
                self.used += size
                turn.set_result(None)
            self._waiting.popleft()

    def _has_room(self, size: int) -> bool:
        # A single body that exceeds the limit alone is parsed when nothing else is.
        return not self.used or self.used + size <= self._max_size


class Share:
    """The part of the budget that one request takes. Bytes are counted as large once they exceed ``LARGE_BYTES``."""

    __slots__ = ("_budget", "_is_large", "_is_proven", "_size")

    def __init__(self, budget: Budget, *, is_proven: bool) -> None:
        self._budget = budget
        self._is_proven = is_proven
        self._is_large = False
        self._size = 0

    @property
    def room(self) -> int:
        """Return how many more bytes this request may take."""
        # A request is small until it exceeds LARGE_BYTES. Either class may have more room.
        small = min(self._room(is_large=False), LARGE_BYTES - self._size)
        return max(small, self._room(is_large=True))

    def require(self, size: int) -> None:
        """Check that this request may take ``size`` more bytes. Raises ``problems.Problem`` (503) if it may not."""
        if size > self._room(is_large=self._size + size > LARGE_BYTES):
            raise full()

    def take(self, size: int) -> None:
        """Take ``size`` more bytes. Raises ``problems.Problem`` (503) if fewer are left."""
        self.require(size)
        self._change(size)

    def prove(self) -> None:
        """Note that the sender is authenticated: its request no longer counts as unauthenticated."""
        # Half of the budget is reserved for authenticated senders.
        if not self._is_proven:
            self._budget.used_unproven -= self._size
            self._is_proven = True

    def give_back(self, size: int) -> None:
        """Return bytes that are no longer needed, such as a body that has been inflated."""
        self._change(-size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._change(-self._size)

    def _room(self, *, is_large: bool) -> int:
        budget = self._budget
        room = budget.max_bytes - budget.used
        if not self._is_proven:
            room = min(room, budget.max_bytes // 2 - budget.used_unproven)
        # A quarter of the budget is reserved for small bodies.
        if is_large:
            # Bytes that this request took while it was small count as large from now on.
            own_bytes = 0 if self._is_large else self._size
            room = min(room, budget.max_bytes * 3 // 4 - budget.used_large - own_bytes)
        return room

    def _change(self, size: int) -> None:
        budget = self._budget
        # The request becomes large with all bytes that it has taken so far.
        if not self._is_large and self._size + size > LARGE_BYTES:
            self._is_large = True
            budget.used_large += self._size
        self._size += size
        budget.used += size
        if self._is_large:
            budget.used_large += size
        if not self._is_proven:
            budget.used_unproven += size


def parsed_size(body_bytes: int, values: int) -> int:
    """Estimate the memory in bytes that a parsed body of this many JSON values takes."""
    return body_bytes + values * BYTES_PER_VALUE


def largest_parsed_size(body_bytes: int) -> int:
    """Return an upper bound of the estimate for a body of this many bytes: a value has at least one byte."""
    return parsed_size(body_bytes, body_bytes)


def full() -> problems.Problem:
    """Make the 503 for a request that doesn't fit into the memory now."""
    reason = "the requests in flight use all the memory allowed (web.max_bytes_in_flight)"
    return problems.unavailable(reason, 1)
