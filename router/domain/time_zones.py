"""Looks up time zones by IANA name."""

import functools
import re
import zoneinfo

# ``zoneinfo`` imports one package of `tzdata` for each slash of a name: thousands of slashes exceed Python's
# recursion limit. No name has more than three parts.
_PART = re.compile(r"[A-Za-z0-9_+-]{1,32}")
_MAX_PARTS = 3


@functools.lru_cache(maxsize=1024)
def find(name: str) -> zoneinfo.ZoneInfo:
    """Return the time zone of an IANA name, such as ``Europe/Zurich``. Raise ``ValueError`` for an unknown name."""
    parts = name.split("/", _MAX_PARTS)
    if len(parts) > _MAX_PARTS or not all(map(_PART.fullmatch, parts)):
        raise ValueError("not a time zone name")
    try:
        return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, OSError) as error:
        raise ValueError("unknown time zone") from error
