"""Time zones by their IANA names."""

import functools
import re
import zoneinfo

# ``zoneinfo`` looks a name up in the packages of `tzdata`, one level for each slash: thousands of them exceed Python's
# recursion limit. No name has more than three parts.
_NAME = re.compile(r"[A-Za-z0-9_+-]{1,32}(?:/[A-Za-z0-9_+-]{1,32}){0,2}")


@functools.lru_cache(maxsize=1024)
def find(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone with this name, such as ``Europe/Zurich``. Raises ``ValueError`` if there is none."""
    if not _NAME.fullmatch(name):
        raise ValueError("this is no name of a time zone")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError("there is no time zone of this name") from error
