"""The valid name that somebody most likely meant: turns "unknown key" into a message that helps."""

import difflib
from collections.abc import Collection

_FEW = 6  # More valid names than this are not listed; nobody reads them.


def nearest(name: str, valid: Collection[str], likeness: float = 0.6) -> str | None:
    """Return the valid name most like ``name``, or None where none is alike; ``likeness`` is between 0 and 1."""
    folded = {candidate.casefold(): candidate for candidate in sorted(valid)}
    found = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=likeness)
    return folded[found[0]] if found else None


def hint(name: str, valid: Collection[str]) -> str:
    """The end of a message about an unknown name: ``; did you mean "x"?``, the few valid names, or nothing."""
    close = nearest(name, valid)
    if close is not None:
        return f'; did you mean "{close}"?'
    if valid and len(valid) <= _FEW:
        return "; valid here: " + ", ".join(sorted(valid))
    return ""
