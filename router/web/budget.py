"""The memory that request bodies may take: one budget for all bytes in flight, received and inflated.

Without it, a few connections fill the memory of a container: 1,000 requests of 1 MiB take 1 GiB. Beyond the budget a
request is answered 503 with ``Retry-After``, and the sender repeats it. Senders that are authenticated only by their
body, or not yet, share half of the budget, so that they can't turn others away.

A parsed delivery takes several times the memory of its body. So bodies are parsed in turn: a quarter of the budget is
parsed at once, or one body if it is larger than that.
"""

import asyncio
import collections
from types import TracebackType
from typing import Self

from router.web import problems

MIB = 1024 * 1024


class Budget:
    """Bytes in flight of all requests, of which there may be ``most``."""

    def __init__(self, most: int = 64 * MIB) -> None:
        self.most = most
        self.used = 0
        self.unproven = 0
        self._parsed = 0
        self._waiting: collections.deque[tuple[int, asyncio.Future[None]]] = collections.deque()

    def share(self, *, proven: bool) -> "Share":
        """Make the share of one request, which gives its bytes back at its end."""
        return Share(self, proven=proven)

    async def begin(self, size: int) -> None:
        """Wait until a body of this size may be parsed, in the order of arrival; then ``end`` has to be called."""
        if self._waiting or not self._has_room(size):
            await self._turn(size)
        else:
            self._parsed += size

    def end(self, size: int) -> None:
        """What was parsed of a body of this size is no longer needed."""
        self._parsed -= size
        self._let_in()

    async def _turn(self, size: int) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((size, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # It was let in at the moment when it was cancelled.
                self._parsed -= size
            self._let_in()
            raise

    def _let_in(self) -> None:
        while self._waiting:
            size, turn = self._waiting[0]
            if not turn.done():
                if not self._has_room(size):
                    return
                self._parsed += size
                turn.set_result(None)
            self._waiting.popleft()

    def _has_room(self, size: int) -> bool:
        return not self._parsed or self._parsed + size <= self.most // 4


class Share:
    """What one request takes of the budget."""

    __slots__ = ("_budget", "_proven", "_size")

    def __init__(self, budget: Budget, *, proven: bool) -> None:
        self._budget = budget
        self._proven = proven
        self._size = 0

    @property
    def room(self) -> int:
        """How many more bytes this request may take now."""
        budget = self._budget
        free = budget.most - budget.used
        return free if self._proven else min(free, budget.most // 2 - budget.unproven)

    def take(self, size: int) -> None:
        """Take so many more bytes; a ``problems.Problem`` (503) if there are none left."""
        if size > self.room:
            raise full()
        self._change(size)

    def prove(self) -> None:
        """The sender is authenticated: its bytes no longer count as those of strangers."""
        if not self._proven:
            self._budget.unproven -= self._size
            self._proven = True

    def give_back(self, size: int) -> None:
        """Some bytes are no longer needed, such as a body that has been inflated."""
        self._change(-size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._change(-self._size)

    def _change(self, size: int) -> None:
        self._size += size
        self._budget.used += size
        if not self._proven:
            self._budget.unproven += size


def full() -> problems.Problem:
    """The 503 for a request for which there is no memory now."""
    return problems.unavailable(
        "the requests under way take all of the memory that they may (web.max_bytes_in_flight)", 1
    )
