"""Senders' times as microseconds since the Unix epoch, in every form that senders are known to use.

A text is read as RFC 3339, as a number, or by one of these patterns, whichever fits first. ``mm/dd`` is read only with
AM or PM, because without them it can't be told from ``dd/mm``; a source that sends such times sets ``format``.

========================================  ==========================================
``2026-01-10 10:00:00.5 +0100 CET m=+1``  Go's ``time.Time.String()``
``2026-01-10 10:00:00 UTC``               with a zone's name, or without any zone
``2026/01/10 10:00:00 GMT``               slashes or dots between the parts of the date
``2026-01-10T10:10Z``                     without seconds
``20260110T101010Z``                      ISO 8601, basic format
``2026-01-10T10:10:08,123Z``              a comma before the fraction
``2026-06-30T23:59:60Z``                  a leap second, read as the second after ``:59``
``2026-01-10T24:00:00Z``                  midnight at the end of the day
``Sat, 10 Jan 2026 10:10:08 GMT``         RFC 1123, RFC 2822
``01/10/2026 10:10:08 PM``                American
========================================  ==========================================
"""

import datetime as dt
import functools
import re
from collections.abc import Callable

import msgspec

from router.domain import time_zones
from router.domain.times import Timestamp

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = 86_400_000_000
_SECOND = 1_000_000
_NONE = Timestamp(0)

# Larger numbers are in a smaller unit: 1e11 seconds are the year 5138, 1e11 milliseconds are 1973.
_LARGEST_SECONDS = 10**11
_LARGEST_MILLISECONDS = 10**14
_LARGEST_MICROSECONDS = 10**17
_LARGEST_NANOSECONDS = 10**20

MAX_LENGTH = 64  # Characters; a longer text isn't a time, and isn't worth parsing or caching.
# 9999-12-31T00:00:00Z; a time that is rounded up must stay within the range of dates.
LATEST = 253_402_214_400 * _SECOND
_LATEST = Timestamp(LATEST)
_LAST_DAY = LATEST // _DAY

UNITS = {"unix": 1, "unix_ms": 1_000, "unix_us": 1_000_000, "unix_ns": 1_000_000_000}
"""Formats that are names: a number since 1970, and how many of its units make a second."""

_TIME = r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
_OFFSET = r"(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)"
_NAMED = r"(?P<name>UTC|GMT|UT|EST|EDT|CST|CDT|MST|MDT|PST|PDT)"
_ZONE = rf"(?:\s*{_OFFSET}(?:\s+[A-Z+-][A-Za-z0-9+-]{{0,5}})?|\s*{_NAMED})?"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_FLAGS = re.IGNORECASE | re.ASCII
# Go appends the reading of its monotonic clock.
_YEAR_FIRST = re.compile(
    rf"(?P<year>\d{{4}})([-/.])(?P<month>\d{{1,2}})\2(?P<day>\d{{1,2}})(?:T|,?\s+){_TIME}{_ZONE}(?:\s+m=[+-][\d.]+)?",
    _FLAGS,
)
_BASIC = re.compile(
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})T(?P<hour>\d{2})(?P<minute>\d{2})"
    rf"(?:(?P<second>\d{{2}})(?:[.,](?P<fraction>\d{{1,12}}))?)?{_ZONE}",
    _FLAGS,
)
_RFC_2822 = re.compile(
    rf"(?:[A-Z]{{3,9}},?\s+)?(?P<day>\d{{1,2}})[ -](?P<month>[A-Z]{{3}})[ -](?P<year>\d{{4}})\s+{_TIME}{_ZONE}", _FLAGS
)
_AMERICAN = re.compile(
    rf"(?P<month>\d{{1,2}})/(?P<day>\d{{1,2}})/(?P<year>\d{{4}}),?\s+{_TIME}\s*(?P<half>AM|PM){_ZONE}", _FLAGS
)
# The zones that RFC 2822 defines. Every other abbreviation means different offsets in different countries.
_HOURS = {"UTC": 0, "GMT": 0, "UT": 0, "EDT": -4, "EST": -5, "CDT": -5, "CST": -6, "MDT": -6, "MST": -7, "PDT": -7}
_HOURS["PST"] = -8
_HALF_A_DAY = 12


def micros(moment: dt.datetime) -> Timestamp:
    """Convert a moment to microseconds. Times before 1970 (senders' zero) become 0; without a zone, UTC is assumed."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - _EPOCH
    days = since.days
    # Go's zero time, the year 1, means that there is none.
    if days < 0:
        return _NONE
    # Without `min`, because every alert has a time, and the call would take as long as the arithmetic.
    return Timestamp(days * _DAY + since.seconds * _SECOND + since.microseconds) if days < _LAST_DAY else _LATEST


def from_text(text: str, zone: str = "") -> Timestamp:
    """Read a time in one of the formats above, or a number in digits. Raises ``ValueError`` for any other text.

    Empty text and times before 1970 become 0. ``zone`` is the IANA name of the time zone for times without one; empty
    means UTC. If a local time occurs twice, the first occurrence is used.
    """
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{text[:40]!r}… is longer than {MAX_LENGTH} characters, so it isn't a time")
    return _from_text(text, zone)


# Alerts of one group share their times, so the latest results are cached.
@functools.lru_cache(maxsize=4096)
def _from_text(text: str, zone: str) -> Timestamp:
    text = text.strip()
    if not text:
        return Timestamp(0)
    # msgspec reads RFC 3339 much faster than a pattern, and nearly all senders use it.
    try:
        return _local(msgspec.convert(text, dt.datetime), zone)
    except msgspec.ValidationError:
        pass
    match = (
        _YEAR_FIRST.fullmatch(text) or _BASIC.fullmatch(text) or _RFC_2822.fullmatch(text) or _AMERICAN.fullmatch(text)
    )
    if match is not None:
        return _assemble(text, match, zone)
    try:
        return from_number(float(text))
    except ValueError:
        raise ValueError(f"{text[:40]!r} isn't a known form of a time") from None


def from_format(text: str, pattern: str, zone: str = "") -> Timestamp:
    """Read a time by a ``strptime`` pattern or a name in ``UNITS``. Raises ``ValueError`` if it doesn't fit."""
    if len(text) > MAX_LENGTH:
        raise ValueError(f"{text[:40]!r}… is longer than {MAX_LENGTH} characters, so it isn't a time")
    return _from_format(text, pattern, zone)


@functools.lru_cache(maxsize=4096)
def _from_format(text: str, pattern: str, zone: str) -> Timestamp:
    text = text.strip()
    if not text:
        return Timestamp(0)
    if pattern in UNITS:
        return from_unit(float(text), pattern)
    try:
        return _local(dt.datetime.strptime(text, pattern), zone)  # noqa: DTZ007 - _local adds the zone
    except OverflowError as error:
        raise ValueError(f"{text[:40]!r} is not a date") from error
    except ValueError:
        raise ValueError(f"{text[:40]!r} doesn't fit the format {pattern!r}") from None


def from_unit(number: float, unit: str) -> Timestamp:
    """Read a number since 1970 in the unit that ``UNITS`` names. Raises ``ValueError`` beyond the year 9999."""
    if number <= 0:
        return Timestamp(0)
    # The negation also refuses NaN, which compares as false.
    if not number < LATEST / _SECOND * UNITS[unit]:
        raise ValueError(f"{number!r} is not a time")
    return Timestamp(round(number * _SECOND / UNITS[unit]))


def from_number(number: float) -> Timestamp:
    """Read a number since 1970 in seconds, milliseconds, microseconds, or nanoseconds, distinguished by its size.

    Raises ``ValueError`` if it is in none of these ranges. 0 and negative numbers become 0.
    """
    if number <= 0:
        return Timestamp(0)
    if number < _LARGEST_SECONDS:
        return Timestamp(round(number * _SECOND))
    if number < _LARGEST_MILLISECONDS:
        return Timestamp(round(number * 1000))
    if number < _LARGEST_MICROSECONDS:
        return Timestamp(round(number))
    if number < _LARGEST_NANOSECONDS:
        return Timestamp(round(number / 1000))
    raise ValueError(f"{number!r} is not a time")


def check_zone(name: str) -> str:
    """Return the name of an IANA time zone. Raises ``KeyError`` if there is no zone of this name."""
    try:
        time_zones.find(name)
    except ValueError:
        raise KeyError(name) from None
    return name


def _local(moment: dt.datetime, zone: str) -> Timestamp:
    """Convert a moment to microseconds. ``zone`` applies if the moment has none."""
    if zone and moment.tzinfo is None:
        moment = moment.replace(tzinfo=time_zones.find(zone))
    return micros(moment)


def _assemble(text: str, match: "re.Match[str]", zone: str) -> Timestamp:
    """Build a time from the parts of a match. Raises ``ValueError`` if there is no such day or time."""
    part: Callable[[str], str] = lambda name: match.groupdict().get(name) or ""  # noqa: E731
    try:
        month = part("month").casefold()
        day = dt.datetime(int(part("year")), _month(month), int(part("day")))  # noqa: DTZ001 - _local adds the zone
        hour, minute, second = int(part("hour")), int(part("minute")), int(part("second") or 0)
        if part("half"):
            hour = _to_24_hours(hour, part("half").upper())
        # Go and Java send nanoseconds. Digits beyond microseconds are cut, not rounded into the next second.
        fraction = int(part("fraction")[:6].ljust(6, "0")) if part("fraction") else 0
        moment = day + _since_midnight(hour, minute, second) + dt.timedelta(microseconds=fraction)
        if (offset := part("offset").upper()) or part("name"):
            # In `+0100 CET`, the offset decides, because most abbreviations are ambiguous.
            moment = moment.replace(tzinfo=_offset(offset, part("name").upper()))
        return _local(moment, zone)
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} looks like a time, but there is no such day or hour") from None


def _since_midnight(hour: int, minute: int, second: int) -> dt.timedelta:
    # 24:00 is the midnight that ends the day, :60 a leap second: both mean the moment after.
    if (hour, minute, second) != (24, 0, 0) and not (hour < 24 and minute < 60 and second <= 60):
        raise ValueError(hour, minute, second)
    return dt.timedelta(hours=hour, minutes=minute, seconds=second)


def _month(text: str) -> int:
    return int(text) if text.isdigit() else _MONTHS.index(text) + 1


def _to_24_hours(hour: int, half: str) -> int:
    if not 1 <= hour <= _HALF_A_DAY:
        raise ValueError(hour)
    # 12 AM is midnight and 12 PM is noon.
    return hour % _HALF_A_DAY + (_HALF_A_DAY if half == "PM" else 0)


def _offset(offset: str, name: str) -> dt.timezone:
    if not offset:
        return dt.timezone(dt.timedelta(hours=_HOURS[name]))
    if offset == "Z":
        return dt.UTC
    # An offset may have only hours, as in `+02`.
    digits = offset[1:].replace(":", "").ljust(4, "0")
    minutes = int(digits[:2]) * 60 + int(digits[2:])
    return dt.timezone(dt.timedelta(minutes=-minutes if offset[0] == "-" else minutes))
