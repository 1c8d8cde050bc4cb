"""Looks up time zones by IANA name."""

import functools
import re
import zoneinfo

# ``zoneinfo`` imports one package of `tzdata` for each slash of a name: thousands of slashes exceed Python's
# recursion limit. No name has more than three parts.
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


@functools.lru_cache(maxsize=1024)
def find(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone of an IANA name, such as ``Europe/Zurich``. Raise ``ValueError`` for an unknown name."""
    if not _NAME.fullmatch(name):
        raise ValueError("not a time zone name")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError("unknown time zone") from error
