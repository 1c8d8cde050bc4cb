"""Times as Go and Ruby print them: ``2026-03-02 09:15:30 +0000 UTC`` and ``2026-03-02 09:15:30 UTC``."""

import re
from typing import Any

_BLANK_BEFORE_AN_OFFSET = re.compile(r" (?=[+-][0-9]{4})")


def plain(value: Any) -> Any:
    """The time without the name of its zone and without a blank before its offset; anything else as it is."""
    if not isinstance(value, str):
        return value
    return _BLANK_BEFORE_AN_OFFSET.sub("", value.removesuffix(" UTC"))
