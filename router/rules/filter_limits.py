"""Limits the input and output of Liquid's filters.

Without limits, a short template could use any amount of memory or time.

Liquid limits loops, assigned values, and the output, but not the values that filters pass to one another.
"""

import functools
import string
from collections.abc import Callable
from typing import Any

from liquid import exceptions

MAX_CHARACTERS = 100_000
MAX_ITEMS = 5_000
_MAX_DIGITS = 30
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)

Filter = Callable[..., Any]


def limit(name: str, function: Filter) -> Filter:
    """Wrap a filter so that it raises ``LiquidError`` if its input or output is too large."""
    expected = _EXPECTED.get(name)

    @functools.wraps(function)
    def limited_filter(value: Any, *arguments: Any, **keywords: Any) -> Any:
        # Inputs are checked, too: the time of a filter may grow faster than the length of its input.
        for operand in (value, *arguments):
            _check(name, operand)
        # These filters can build a huge result from small values, so the size is estimated before they run.
        if expected is not None and expected(value, *arguments) > MAX_CHARACTERS:
            raise exceptions.LiquidValueError(f"{name} would return more than {MAX_CHARACTERS} characters", token=None)
        result = function(value, *arguments, **keywords)
        _check(name, result)
        return result

    return limited_filter


def strip_html(value: object) -> str:
    """Remove tags, comments, scripts, and styles in one pass over the text."""
    text = str(value)
    lower = text.translate(_LOWER)
    pieces: list[str] = []
    # End tags that don't occur in the rest of the text. They are not searched for again.
    missing: set[str] = set()
    at = 0
    while (start := text.find("<", at)) >= 0:
        following = text[start + 1 : start + 2]
        # In "a < b", the sign is no tag.
        if not following.isalpha() and following not in {"/", "!", "?"}:
            pieces.append(text[at : start + 1])
            at = start + 1
            continue
        pieces.append(text[at:start])
        at = _behind(lower, start, missing)
        if not at:  # A tag without an end is text.
            at = start
            break
    return "".join([*pieces, text[at:]])


def _behind(lower: str, start: int, missing: set[str]) -> int:
    """Return the position after a tag and its content; 0 if the tag has no end."""
    begin = start
    for opening, closing in (("<!--", "-->"), ("<script", "</script"), ("<style", "</style")):
        if lower.startswith(opening, start) and closing not in missing:
            end = lower.find(closing, start)
            if end < 0:
                # Without this set, each of many unclosed tags would search the rest of the text again.
                missing.add(closing)
            else:
                begin = end
    return lower.find(">", begin) + 1


def _check(name: str, value: Any) -> None:
    if isinstance(value, str) and len(value) > MAX_CHARACTERS:
        raise exceptions.LiquidValueError(f"{name}: more than {MAX_CHARACTERS} characters", token=None)
    if isinstance(value, list | tuple | range) and len(value) > MAX_ITEMS:
        raise exceptions.LiquidValueError(f"{name}: more than {MAX_ITEMS} items", token=None)
    if isinstance(value, int) and abs(value) >= 10**_MAX_DIGITS:
        raise exceptions.LiquidValueError(f"{name}: a number has more than {_MAX_DIGITS} digits", token=None)


def _replace_length(value: Any, old: Any, new: Any = "", *_: Any) -> int:
    text, old = str(value), str(old)
    # Replacing the empty text inserts the new text between all characters.
    return len(text) + (text.count(old) if old else len(text) + 1) * len(str(new))


def _join_length(value: Any, separator: Any = " ", *_: Any) -> int:
    items = value if isinstance(value, list | tuple | range) else [value]
    return sum(len(str(item)) + len(str(separator)) for item in items)


def _round_length(_: Any, digits: Any = 0, *__: Any) -> int:
    try:
        return 0 if abs(int(digits or 0)) <= _MAX_DIGITS else MAX_CHARACTERS + 1
    except (ValueError, OverflowError, TypeError):
        return 0  # The filter reports it.


_EXPECTED: dict[str, Callable[..., int]] = {"replace": _replace_length, "join": _join_length, "round": _round_length}
"""How much a filter would give, where that is far more than it takes."""
