"""Suggests the valid name that the author of an unknown name most likely meant."""

import difflib
import itertools
from collections.abc import Collection

_FEW = 6  # Longer lists of valid names are not shown.
_MAX_LENGTH = 100  # Characters. Comparing takes time quadratic in the length.
_COMPARED = 200  # If there are more valid names, only those with the same first letter are compared.


def nearest(name: str, valid: Collection[str], likeness: float = 0.6) -> str | None:
    """Return the valid name most similar to ``name``; None if none is similar. ``likeness`` is between 0 and 1."""
    if not name or len(name) > _MAX_LENGTH:
        return None
    if len(valid) > _COMPARED:
        alike = (candidate for candidate in valid if candidate[:1].casefold() == name[:1].casefold())
        valid = list(itertools.islice(alike, _COMPARED))
    # Sorting makes the suggestion independent of the order of a set.
    folded = {candidate.casefold(): candidate for candidate in sorted(valid)}
    matches = difflib.get_close_matches(name.casefold(), list(folded), n=1, cutoff=likeness)
    return folded[matches[0]] if matches else None


def hint(name: str, valid: Collection[str]) -> str:
    """Return the end of a message about an unknown name: ``; did you mean "x"?``, or a short list, or nothing."""
    close = nearest(name, valid)
    if close is not None:
        return f'; did you mean "{close}"?'
    if valid and len(valid) <= _FEW:
        return "; valid here: " + ", ".join(sorted(valid))
    return ""
