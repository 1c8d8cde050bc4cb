"""The times at which a rule is active: weekly times in a time zone, with the keys of Alertmanager's ``time_intervals``.

Months, days of the month, and years may restrict them further. A time that ends before it begins continues past
midnight and belongs to the day on which it begins.
"""

import calendar
import re
import zoneinfo
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import pydantic

from router.domain import recurrence, time_zones
from router.domain.times import Timestamp
from router.yaml_source import suggestions

_MINUTE = 60_000_000
_TIME = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])|24:00")
# An offset is the usual mistake for a zone, and would be wrong for half of the year.
_OFFSET = re.compile(r"(?:UTC|GMT|utc|gmt)?[+-][0-9]{1,2}(?::?[0-9]{2})?")
WEEKDAYS = [name.lower() for name in calendar.day_name]
MONTHS = [name.lower() for name in calendar.month_name]  # The first name is empty, so that months count from 1.


def _minutes(value: Any) -> int:
    text = str(value)
    if _TIME.fullmatch(text) is None:
        hint = (
            f'; did you mean "0{text}"?'
            if _TIME.fullmatch(f"0{text}")
            else ', such as "09:00", or "24:00" for midnight'
        )
        raise ValueError(f"expected hours and minutes, of two digits each{hint}")
    return int(text[:2]) * 60 + int(text[3:])


def _parse_name(text: str, names: Sequence[str], unit_name: str) -> int:
    """Return the position of a name. Its first three letters are enough."""
    word = text.strip().lower()
    for position, name in enumerate(names):
        if name and word in {name, name[:3]}:
            return position
    raise ValueError(f'"{text}" is no {unit_name}{suggestions.hint(word, [name for name in names if name])}')


def _ends(text: str) -> tuple[str, str]:
    first, colon, last = text.partition(":")
    return first, last if colon else first


def _weekdays(value: Any) -> recurrence.Range:
    first, last = (_parse_name(end, WEEKDAYS, "day of the week") for end in _ends(str(value)))
    return first, last


def _months(value: Any) -> recurrence.Range:
    ends = _ends(str(value))
    first, last = (int(end) if end.isdigit() else _parse_name(end, MONTHS, "month") for end in ends)
    return _check_range(first, last, 1, 12)


def _years(value: Any) -> recurrence.Range:
    first, last = (_number(end, "year") for end in _ends(str(value)))
    return _check_range(first, last, 1970, 9999)


def _days_of_month(value: Any) -> recurrence.Range:
    first, last = (_number(end, "day of the month") for end in _ends(str(value)))
    # A range from a positive to a negative day has another length in each month, and may be empty.
    if 0 in {first, last} or (first > 0) != (last > 0):
        raise ValueError("days of the month are 1:31, counted from the start, or -31:-1, counted from the end")
    return _check_range(first, last, -31, 31)


def _number(text: str, unit_name: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f'"{text}" is no {unit_name}') from None


def _check_range(first: int, last: int, min_gap: int, max_value: int) -> recurrence.Range:
    if not min_gap <= first <= last <= max_value:
        raise ValueError(f"expected a range from {min_gap} to {max_value}, the smaller end first")
    return first, last


def _zone(value: Any) -> zoneinfo.ZoneInfo:
    try:
        return time_zones.find(str(value))
    except ValueError:
        if _OFFSET.fullmatch(str(value)):
            raise ValueError(
                f'"{value}" is an offset; name a time zone, such as Europe/Berlin, which includes daylight saving time'
            ) from None
        hint = suggestions.hint(str(value), zoneinfo.available_timezones())
        raise ValueError(f'there is no time zone "{value}"{hint or "; write it like Europe/Zurich"}') from None


class TimeShape(pydantic.BaseModel):
    """One span of a day; ``start_time`` belongs to it, ``end_time`` does not."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    start_time: Annotated[int, pydantic.BeforeValidator(_minutes, json_schema_input_type=str)] = pydantic.Field(
        description="the start, such as 09:00"
    )
    end_time: Annotated[int, pydantic.BeforeValidator(_minutes, json_schema_input_type=str)] = pydantic.Field(
        description="the end, such as 17:30 or 24:00; on the next day if it is before the start"
    )

    @pydantic.model_validator(mode="after")
    def _check_not_empty(self) -> "TimeShape":
        # It is unclear whether equal times mean no time or a whole day.
        if self.start_time == self.end_time:
            raise ValueError("the range is empty; a whole day is 00:00 to 24:00")
        return self


class Shape(pydantic.BaseModel):
    """One interval in a rule file. An absent field doesn't restrict it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, arbitrary_types_allowed=True)

    times: list[TimeShape] = pydantic.Field(default=[], description="times of the day")
    weekdays: list[Annotated[recurrence.Range, pydantic.BeforeValidator(_weekdays, json_schema_input_type=str)]] = (
        pydantic.Field(default=[], description="days of the week: monday, or monday:friday")
    )
    days_of_month: list[
        Annotated[recurrence.Range, pydantic.BeforeValidator(_days_of_month, json_schema_input_type=str)]
    ] = pydantic.Field(default=[], description="days of the month: 1:5, or -3:-1 from its end")
    months: list[Annotated[recurrence.Range, pydantic.BeforeValidator(_months, json_schema_input_type=str)]] = (
        pydantic.Field(default=[], description="months: march, or 6:9")
    )
    years: list[Annotated[recurrence.Range, pydantic.BeforeValidator(_years, json_schema_input_type=str)]] = (
        pydantic.Field(default=[], description="years: 2030, or 2030:2032")
    )
    location: Annotated[Any, pydantic.BeforeValidator(_zone, json_schema_input_type=str)] = pydantic.Field(
        default=zoneinfo.ZoneInfo("UTC"), description="the time zone, such as Europe/Zurich; UTC if absent"
    )

    def interval(self) -> recurrence.Interval:
        """Return the interval that this data describes."""
        return recurrence.Interval(
            tuple((time.start_time, time.end_time) for time in self.times),
            tuple(self.weekdays),
            tuple(self.days_of_month),
            tuple(self.months),
            tuple(self.years),
            self.location,
        )


@dataclass(frozen=True, slots=True, eq=False)
class NamedIntervals:
    """Intervals that mute, and their display name.

    Instances are compared by identity: their occurrences are looked up for every alert, and hashing all intervals is
    slow.
    """

    name: str
    intervals: tuple[recurrence.Interval, ...]


class Schedule:
    """Holds within one of the intervals or, if ``outside``, within none of them.

    Caches the result of the current minute.
    """

    __slots__ = ("_holds", "_minute", "intervals", "outside")

    def __init__(self, intervals: tuple[recurrence.Interval, ...], *, outside: bool = False) -> None:
        """Store the intervals."""
        self.intervals = intervals
        self.outside = outside
        self._minute = -1
        self._holds = False

    def __call__(self, now: Timestamp) -> bool:
        """Return whether the schedule holds at a time, in microseconds since the epoch."""
        minute = now // _MINUTE
        # Intervals begin and end at whole minutes, so the result holds for all alerts of a minute.
        if minute != self._minute:
            self._holds = any(interval.holds(now) for interval in self.intervals) != self.outside
            self._minute = minute
        return self._holds
