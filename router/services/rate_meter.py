"""How much comes in: the pace of a counter that is looked at now and then, for the live picture of the console."""

from collections import deque

_WINDOW_MICROSECONDS = 60_000_000
_LEAST_MICROSECONDS = 10_000_000  # Of a shorter time, one delivery more would seem a flood.
_APART_MICROSECONDS = 1_000_000


class Rates:
    """What was counted lately, and when."""

    def __init__(self) -> None:
        self._counted: deque[tuple[int, int]] = deque()

    def a_minute(self, now: int, count: int) -> float | None:
        """How many more a minute, over the last minute at most; None where it was not looked at before.

        ``now`` is microseconds. A counter that has begun anew, or counts nothing (0), is nothing to go by.
        """
        if not count or (self._counted and self._counted[-1][1] > count):
            self._counted.clear()
        if not count:
            return None
        if not self._counted or now - self._counted[-1][0] >= _APART_MICROSECONDS:
            self._counted.append((now, count))
        while len(self._counted) > 1 and now - self._counted[0][0] > _WINDOW_MICROSECONDS:
            self._counted.popleft()
        began, before = self._counted[0]
        taken = now - began
        if not _LEAST_MICROSECONDS <= taken <= _WINDOW_MICROSECONDS:
            return None
        return round((count - before) * 60_000_000 / taken, 1)
