"""Parses ``Retry-After``: seconds, an HTTP date (RFC 9110), or a time in RFC 3339."""

import datetime as dt
import email.utils
import math

from router.domain.times import Timestamp

# Maximum pause, whatever the vendor asks for. A longer one would leave a resolved incident open for as long.
MAX_SECONDS = 900.0


def seconds(text: str, *, now: Timestamp) -> float | None:
    """Return the seconds from ``now`` (microseconds), at least 0, or None if the text can't be parsed."""
    text = text.strip()
    if not text:
        return None
    # Numbers are far more frequent than dates. Some vendors send fractions of a second.
    waited = _number(text)
    if waited is None:
        moment = _moment(text)
        if moment is None:
            return None
        waited = moment.timestamp() - now / 1_000_000
    # A date in the past means "now". Clocks of vendors differ from ours.
    return min(max(waited, 0.0), MAX_SECONDS)


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    # float() also parses "nan" and "inf", which are no durations.
    return number if math.isfinite(number) else None


def _moment(text: str) -> dt.datetime | None:
    # The header has an HTTP date. A vendor that puts the time into the body may write it in RFC 3339.
    for read in (email.utils.parsedate_to_datetime, dt.datetime.fromisoformat):
        try:
            moment = read(text)
        except ValueError:
            continue
        # A date without a zone is UTC, as HTTP dates are.
        return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
    return None
