"""The valid name that somebody most likely meant: turns "unknown key" into a message that helps."""

import difflib
import itertools
from collections.abc import Collection

_FEW = 6  # More valid names than this are not listed; nobody reads them.
_LONGEST = 100  # Characters; comparing takes time that grows with the square of the length.
_COMPARED = 200  # Of more valid names, those that begin with the same letter are compared.


def nearest(name: str, valid: Collection[str], likeness: float = 0.6) -> str | None:
    """Return the valid name most like ``name``, or None where none is alike; ``likeness`` is between 0 and 1."""
    if not name or len(name) > _LONGEST:
        return None
    if len(valid) > _COMPARED:
        alike = (candidate for candidate in valid if candidate[:1].casefold() == name[:1].casefold())
        valid = list(itertools.islice(alike, _COMPARED))
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
