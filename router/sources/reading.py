"""The state of reading one delivery: its source, its time of receipt, and its unusable parts.

An unreadable detail never loses an alert. The code that finds one reports it here and continues without it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from router.domain import notices
from router.domain.times import Timestamp
from router.sources import base, paths, times

_MAX_NOTICES = 1_000  # The most notices that are collected; further ones are only counted. Fewer are stored.

Item = TypeVar("Item")


class Reading:
    """Collects the notices about one delivery.

    ``now`` is the time of receipt in microseconds. At most ``max_alerts`` of the delivery's alerts are read.
    """

    __slots__ = ("_more", "_notices", "max_alerts", "now", "source")

    def __init__(self, source: str, now: Timestamp, max_alerts: int = base.MAX_ALERTS) -> None:
        self.source = source
        self.now = now
        self.max_alerts = max_alerts
        self._notices: list[notices.Notice] = []
        self._more: dict[notices.Code, int] = {}

    def note(self, code: notices.Code, where: str, detail: str, count: int = 1) -> None:
        """Report a change to the delivery. ``where`` is the place in the body, or the setting that refers to it."""
        # A body of 20,000 bad alerts must not produce as many texts.
        if len(self._notices) < _MAX_NOTICES:
            self._notices.append(notices.Notice(code, where, detail, count=count))
        else:
            self._more[code] = self._more.get(code, 0) + count

    def limit(self, items: Sequence[Item], where: str) -> Sequence[Item]:
        """Return the first ``max_alerts`` items, and report the number of the others."""
        count, limit = len(items), self.max_alerts
        if count <= limit:
            return items
        detail = f"{count} alerts arrived, and the first {limit} are read (web.max_alerts)"
        self.note("alerts_truncated", where or "alerts", detail, count - limit)
        return items[:limit]

    def ignore(self, where: str, problem: str) -> None:
        """Report an optional field that can't be used."""
        self.note("field_ignored", where, f"{problem}; the field is ignored")

    def unreadable_time(self, where: str, problem: str) -> None:
        """Report a time that can't be read."""
        self.note("time_unreadable", where, f"{problem}; the time of receipt is used")

    def moment(self, value: Any, where: str) -> Timestamp:
        """Return a time in any format that ``times`` reads, in microseconds; 0 if it is absent or unreadable."""
        try:
            if isinstance(value, str):
                return times.from_text(value)
            # In Python, True is an int, but no time.
            if isinstance(value, int | float) and not isinstance(value, bool):
                return times.from_number(value)
        except ValueError as error:
            self.unreadable_time(where, str(error))
            return Timestamp(0)
        if value is not None:
            self.unreadable_time(where, f"expected a time, not {paths.kind_of(value)}")
        return Timestamp(0)

    def mark(self) -> int:
        """Return the position of the next alert's first notice, for ``settle``."""
        return len(self._notices)

    def settle(self, mark: int, fingerprint: str) -> None:
        """Assign the notices since ``mark`` to an alert."""
        for position in range(mark, len(self._notices)):
            self._notices[position] = msgspec.structs.replace(self._notices[position], fingerprint=fingerprint)

    def forget(self, mark: int) -> None:
        """Drop the notices since ``mark``: their alert is unreadable, and is reported as a whole."""
        del self._notices[mark:]

    def close(self, parsed: base.Parsed) -> base.Parsed:
        """Return the result with the notices. If there is only one alert, all notices are assigned to it."""
        if not self._notices:
            return parsed
        # Notices about the delivery as a whole then show up in the alert's incident, too.
        if len(parsed.alerts) == 1:
            self.settle(0, parsed.alerts[0].fingerprint)
        more = [notices.Notice(code, "alerts", "more changes of this kind", "", n) for code, n in self._more.items()]
        return msgspec.structs.replace(parsed, notices=notices.limit((*parsed.notices, *self._notices, *more)))
