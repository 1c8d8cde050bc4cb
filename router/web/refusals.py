"""The log of refused deliveries, limited per source.

Every client that can reach the port can cause refusals. Writing a line takes longer than the rest of a refusal, so a
flood of requests would fill the log and slow the router down. The metrics count every refusal.
"""

from typing import Any

from router.domain.times import Timestamp
from router.telemetry import log

MAX_LINES = 10
_SECOND = 1_000_000
_log = log.get("web")


class Refusals:
    """Logs at most ``MAX_LINES`` refusals per source and second. A line says how many lines before it were omitted."""

    def __init__(self) -> None:
        self._windows: dict[str, _Window] = {}

    def log(self, source: str, now: Timestamp, *, is_warning: bool, **fields: Any) -> None:
        """Log one refusal at ``now`` (microseconds). ``source`` is a configured source, or empty."""
        window = self._windows.setdefault(source, _Window())
        # A clock that was set back also begins a new window, or the source would log nothing until the old time
        # returns.
        if window.began_at is None or not 0 <= now - window.began_at < _SECOND:
            window.began_at, window.lines = now, 0
        if window.lines >= MAX_LINES:
            window.suppressed_lines += 1
            return
        window.lines += 1
        suppressed = {"suppressed": window.suppressed_lines} if window.suppressed_lines else {}
        window.suppressed_lines = 0
        level = _log.warning if is_warning else _log.info
        level("delivery_refused", source=source, **fields, **suppressed)


class _Window:
    """One second of one source: its start, and the numbers of lines that were written and left out."""

    __slots__ = ("began_at", "lines", "suppressed_lines")

    def __init__(self) -> None:
        self.began_at: Timestamp | None = None
        self.lines = 0
        self.suppressed_lines = 0
