"""Senders' times as microseconds since the Unix epoch: whatever a source is told, the domain sees one unit."""

import datetime as dt
import functools

import msgspec

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY = 86_400_000_000
_SECOND = 1_000_000

LONGEST_TEXT = 64  # Characters; RFC 3339 with nanoseconds and an offset has 35.

# Beyond these a number cannot be the smaller unit: 1e11 seconds are the year 5138, 1e11 milliseconds are 1973.
_LARGEST_SECONDS = 10**11
_LARGEST_MILLISECONDS = 10**14
_LARGEST_MICROSECONDS = 10**17
_LARGEST_NANOSECONDS = 10**20


def micros(moment: dt.datetime) -> int:
    """Turn a moment into microseconds; one before 1970 (senders' zero) is 0; one without a zone is read as UTC."""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)
    since = moment - _EPOCH
    days = since.days
    return days * _DAY + since.seconds * _SECOND + since.microseconds if days >= 0 else 0


def from_text(text: str) -> int:
    """Read RFC 3339, to the nanosecond and in any offset, or a number in digits; ``ValueError`` where it is neither.

    Empty text, and any time before 1970, is 0. Alerts of one group share their times, so the latest are remembered.
    """
    # Checked before the cache: it holds texts of senders that aren't authenticated yet.
    if len(text) > LONGEST_TEXT:
        raise ValueError(f"{text[:40]!r}… has {len(text)} characters, and a time has at most {LONGEST_TEXT}")
    return _from_text(text)


@functools.lru_cache(maxsize=4096)
def _from_text(text: str) -> int:
    if not text:
        return 0
    try:
        return micros(msgspec.convert(text, dt.datetime))
    except msgspec.ValidationError:
        pass
    try:
        return from_number(float(text))
    except ValueError as error:
        raise ValueError(f"{text[:40]!r} is neither RFC 3339 nor seconds or milliseconds since 1970") from error


def from_number(number: float) -> int:
    """Read a number since 1970: seconds, milliseconds, microseconds or nanoseconds, told apart by its size.

    ``ValueError`` where it is none of them; 0 and everything below is 0.
    """
    if number <= 0:
        return 0
    if number < _LARGEST_SECONDS:
        return round(number * _SECOND)
    if number < _LARGEST_MILLISECONDS:
        return round(number * 1000)
    if number < _LARGEST_MICROSECONDS:
        return round(number)
    if number < _LARGEST_NANOSECONDS:
        return round(number / 1000)
    raise ValueError(f"{number!r} is not a time")
