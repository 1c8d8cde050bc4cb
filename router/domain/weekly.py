"""Weekly windows of silences, written in one line: ``mon-fri 22:00-06:00 Europe/Zurich``.

Days, times, and the time zone are separated by spaces. Days are ranges and lists (``mon-thu,sat``), every day if
absent. A window over midnight belongs to the day on which it begins. Without times, a window lasts all day. The time
zone is UTC if absent.
"""

import functools

import msgspec

from router.domain import patterns, recurrence, time_zones

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIMES = patterns.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])-(?:([01]?[0-9]|2[0-3]):([0-5][0-9])|24:00)")
_SHORT = frozenset(day[:3] for day in DAYS)
_MIDNIGHT = 24 * 60
_EXAMPLE = 'write it as "mon-fri 22:00-06:00 Europe/Zurich"'


class InvalidWeeklyWindow(ValueError):
    """The window is invalid; the message says what is wrong with it."""


class WeeklyWindow(msgspec.Struct, frozen=True, array_like=True):
    """One weekly window. ``weekdays`` are ranges from 0 (Monday), ``times`` minutes of the day; empty means all."""

    weekdays: tuple[tuple[int, int], ...] = ()
    times: tuple[tuple[int, int], ...] = ()
    zone: str = "UTC"

    def interval(self) -> recurrence.Interval:
        """Return the window as a recurring interval; in UTC if this machine no longer knows the time zone."""
        return _interval(self)

    def __str__(self) -> str:
        """Return the window as it is written."""
        days = ",".join(_ends(*(DAYS[end][:3] for end in ends)) for ends in self.weekdays)
        times = ",".join("-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in ends) for ends in self.times)
        return " ".join(part for part in (days, times, self.zone) if part)


@functools.lru_cache(maxsize=1024)
def _interval(window: WeeklyWindow) -> recurrence.Interval:
    try:
        zone = time_zones.find(window.zone)
    except ValueError:
        zone = time_zones.find("UTC")
    return recurrence.Interval(window.times, window.weekdays, (), (), (), zone)


def parse(text: str) -> WeeklyWindow:
    """Parse a window. Raises ``InvalidWeeklyWindow``."""
    days: tuple[tuple[int, int], ...] = ()
    times: tuple[tuple[int, int], ...] = ()
    zone = "UTC"
    for part in text.split():
        if part[0].isdigit():
            times = (*times, *(_time(part_text, text) for part_text in part.split(",")))
        elif part[:3].lower() in _SHORT and "/" not in part:
            days = (*days, *(_days(part_text) for part_text in part.split(",")))
        else:
            zone = _zone(part, text)
    if not days and not times:
        raise InvalidWeeklyWindow(f'"{text}" names neither days nor times; {_EXAMPLE}')
    return WeeklyWindow(days, times, zone)


def _days(text: str) -> tuple[int, int]:
    first, _, last = text.replace(":", "-").partition("-")
    return _day(first), _day(last or first)


def _day(text: str) -> int:
    word = text.lower()
    for number, day in enumerate(DAYS):
        if word in {day, day[:3]}:
            return number
    raise InvalidWeeklyWindow(f'"{text}" is not a day of the week; days are mon, tue, wed, thu, fri, sat, sun')


def _time(text: str, schedule: str) -> tuple[int, int]:
    match = _TIMES.fullmatch(patterns.encode(text))
    if match is None:
        raise InvalidWeeklyWindow(f'"{text}" in "{schedule}" is not a time of the day; {_EXAMPLE}')
    hour, minute, end_hour, end_minute = match.groups()
    start = int(hour) * 60 + int(minute)
    end = _MIDNIGHT if end_hour is None else int(end_hour) * 60 + int(end_minute)
    if start == end:
        raise InvalidWeeklyWindow(f'"{text}" ends when it begins; a whole day is 00:00-24:00')
    return start, end


def _zone(text: str, schedule: str) -> str:
    try:
        time_zones.find(text)
    except ValueError:
        raise InvalidWeeklyWindow(
            f'"{text}" in "{schedule}" is neither a day, a time, nor a time zone; {_EXAMPLE}'
        ) from None
    return text


def _ends(first: str, last: str) -> str:
    return first if first == last else f"{first}-{last}"
