"""The rate of a counter that is read at irregular intervals, for the live view of the console."""

from collections import deque

from router.domain.times import Timestamp

_WINDOW_MICROSECONDS = 60_000_000
_MIN_MICROSECONDS = 10_000_000  # Over a shorter time, one more delivery would look like a flood.
_APART_MICROSECONDS = 1_000_000


class Rates:
    """The recent values of a counter, with the times of reading."""

    def __init__(self) -> None:
        self._readings: deque[tuple[int, int]] = deque()

    def a_minute(self, now: Timestamp, count: int) -> float | None:
        """Return the increase per minute; None if the readings of the last 60 seconds span less than 10 seconds.

        ``now`` is in microseconds. A counter that was reset, or is 0, gives no rate.
        """
        # A counter that falls was reset, for example by a loss of data. Older readings don't compare with it.
        if not count or (self._readings and self._readings[-1][1] > count):
            self._readings.clear()
        if not count:
            return None
        # Many viewers read the counter at the same time. One reading a second bounds the memory.
        if not self._readings or now - self._readings[-1][0] >= _APART_MICROSECONDS:
            self._readings.append((now, count))
        # The last reading stays even if it is old. The check below rejects it as too old.
        while len(self._readings) > 1 and now - self._readings[0][0] > _WINDOW_MICROSECONDS:
            self._readings.popleft()
        began, before = self._readings[0]
        elapsed = now - began
        if not _MIN_MICROSECONDS <= elapsed <= _WINDOW_MICROSECONDS:
            return None
        return round((count - before) * 60_000_000 / elapsed, 1)
