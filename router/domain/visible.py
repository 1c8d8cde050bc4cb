"""Removes characters from posted texts that readers can't see, or that change how other characters are shown.

They hide a text from reviewers, or show it in another order than it is read: zero-width characters, controls of the
writing direction, fillers, tags, and control codes.
"""

import unicodedata
from typing import Any

_FILLERS = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180e\u180f\u2800\u3164\uffa0")
_JOINERS = frozenset("\u200c\u200d\ufe0e\ufe0f")
_KEYCAP = "\u20e3"
_HIDDEN = frozenset({"Cf", "Cc", "Cs", "Cn", "Co", "Zl", "Zp"})
_KEPT = frozenset("\n\t")


def visible(text: str) -> str:
    """Return the text without invisible characters; time is linear in its length.

    Joiners and variation selectors stay where scripts and emoji need them: between two characters beyond ASCII.
    """
    if text.isascii() and text.isprintable():
        return text
    text = text.replace("\r\n", "\n").replace("\u2028", "\n").replace("\u2029", "\n")
    letters: list[str] = []
    for position, letter in enumerate(text):
        if letter in _JOINERS:
            if _joins(letters, text, position):
                letters.append(letter)
        elif letter in _KEPT or not is_hidden(letter):
            letters.append(letter)
    return "".join(letters)


def is_hidden(letter: str) -> bool:
    """Return whether readers can't see a character, or whether it changes how other characters are shown."""
    if letter.isascii():
        return not letter.isprintable()
    return letter in _FILLERS or letter in _JOINERS or _is_selector(letter) or unicodedata.category(letter) in _HIDDEN


def _is_selector(letter: str) -> bool:
    return "\ufe00" <= letter <= "\ufe0f" or "\U000e0100" <= letter <= "\U000e01ef"


def _joins(letters: list[str], text: str, position: int) -> bool:
    after = text[position + 1 : position + 2]
    if text[position] in "\ufe0e\ufe0f":  # A selector belongs to the character before it. In a keycap, that is a digit.
        return bool(letters) and (not letters[-1].isascii() or after == _KEYCAP)
    return bool(letters) and not letters[-1].isascii() and bool(after) and not after.isascii() and not is_hidden(after)


def everywhere(value: Any) -> Any:
    """Return plain data with every text in it, including keys of mappings, changed by ``visible``."""
    match value:
        case str():
            return visible(value)
        case dict():
            return {everywhere(key): everywhere(inner) for key, inner in value.items()}
        case list() | tuple():
            return [everywhere(inner) for inner in value]
    return value
