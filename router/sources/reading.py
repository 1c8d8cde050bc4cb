"""One delivery while it is read: where and when it was received, and what of it could not be used.

An unreadable detail never loses an alert. Whoever finds one reports it here and goes on without it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from router.domain import notices as noticing
from router.sources import base, paths, times

_MOST = 1_000  # Notices that are collected; further ones are only counted. What is kept of them is less.

Item = TypeVar("Item")


class Reading:
    """Collects the notices about one delivery.

    ``now`` is when it was received, in microseconds. At most ``max_alerts`` of its alerts are read.
    """

    __slots__ = ("_more", "_notices", "max_alerts", "now", "source")

    def __init__(self, source: str, now: int, max_alerts: int = base.MAX_ALERTS) -> None:
        self.source = source
        self.now = now
        self.max_alerts = max_alerts
        self._notices: list[noticing.Notice] = []
        self._more: dict[noticing.Code, int] = {}

    def note(self, code: noticing.Code, where: str, detail: str, count: int = 1) -> None:
        """Report a change to what was sent; ``where`` is the place in the body, or the setting that looked there."""
        if len(self._notices) < _MOST:
            self._notices.append(noticing.Notice(code, where, detail, count=count))
        else:
            self._more[code] = self._more.get(code, 0) + count

    def limited(self, items: Sequence[Item], where: str) -> Sequence[Item]:
        """Return the first ``max_alerts`` items, and report the number of the others."""
        count, most = len(items), self.max_alerts
        if count <= most:
            return items
        detail = f"{count} alerts arrived, and the first {most} are read (web.max_alerts)"
        self.note("alerts_truncated", where or "alerts", detail, count - most)
        return items[:most]

    def ignore(self, where: str, problem: str) -> None:
        """Report an optional field that can't be used."""
        self.note("field_ignored", where, f"{problem}; the field is ignored")

    def unreadable_time(self, where: str, problem: str) -> None:
        """Report a time that can't be read."""
        self.note("time_unreadable", where, f"{problem}; the time of receipt is used")

    def moment(self, value: Any, where: str) -> int:
        """A time in any of the forms that ``times`` knows, in microseconds; 0 if there is none, or no readable one."""
        try:
            if isinstance(value, str):
                return times.from_text(value)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return times.from_number(value)
        except ValueError as error:
            self.unreadable_time(where, str(error))
            return 0
        if value is not None:
            self.unreadable_time(where, f"a time is expected here, not {paths.kind_of(value)}")
        return 0

    def mark(self) -> int:
        """Where the notices of the next alert begin; for ``settle``."""
        return len(self._notices)

    def settle(self, mark: int, fingerprint: str) -> None:
        """Say which alert the notices since ``mark`` are about."""
        for position in range(mark, len(self._notices)):
            self._notices[position] = msgspec.structs.replace(self._notices[position], fingerprint=fingerprint)

    def forget(self, mark: int) -> None:
        """Drop the notices since ``mark``: their alert can't be read at all, and is reported as such."""
        del self._notices[mark:]

    def close(self, parsed: base.Parsed) -> base.Parsed:
        """What was read, with the notices. Those about no alert yet are about the only one, if there is only one."""
        if not self._notices:
            return parsed
        if len(parsed.alerts) == 1:
            self.settle(0, parsed.alerts[0].fingerprint)
        more = [noticing.Notice(code, "alerts", "more changes of this kind", "", n) for code, n in self._more.items()]
        return msgspec.structs.replace(parsed, notices=noticing.bounded((*parsed.notices, *self._notices, *more)))
