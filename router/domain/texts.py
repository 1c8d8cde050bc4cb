"""Compares texts by their words, whatever a vendor has changed in their markup and white space.

Vendors store texts in their own way: other line ends, escaped characters, other bullets, paragraphs in HTML, fewer
spaces. ``canonical`` undoes these changes on both sides, so that texts differ only if their words do:

    "- a & b\\n\\n- c_d"            "a & b c_d"
    "<p>* a &amp; b</p>* c\\\\_d"    "a & b c_d"
"""

import hashlib
import html
import re
import unicodedata

_TAG = re.compile(r"</?(?:p|br|div|span|ul|ol|li|strong|em|b|i|a|code|pre|h[1-6])(?:/|\s[^<>]*[\"'/])?>", re.IGNORECASE)
_ESCAPED = re.compile(r"\\([\\`*_{}\[\]()#+.!~>|-])")
_BULLET = re.compile(r"(?m)^[ \t]*[-*+•][ \t]+")
_QUOTES = str.maketrans("\u2018\u2019\u201c\u201d\u2013\u2014", "''\"\"--")
_MIN_CUT_LENGTH = 20  # Characters of a truncated text that are needed to recognize it.


def canonical(text: str) -> str:
    """Return the words of a text, separated by one space."""
    plain = _BULLET.sub("", _ESCAPED.sub(r"\1", _TAG.sub("\n", html.unescape(text).replace("\r", "\n"))))
    return " ".join(unicodedata.normalize("NFKC", plain).translate(_QUOTES).split())


def alike(first: str, second: str) -> bool:
    """Return whether two texts have the same words."""
    return first == second or canonical(first) == canonical(second)


def is_cut(text: str, full_text: str) -> bool:
    """Return whether a text is the beginning of another one, as from a vendor that truncates texts."""
    beginning = canonical(text).removesuffix("...").removesuffix("…").rstrip()
    return len(beginning) >= _MIN_CUT_LENGTH and canonical(full_text).startswith(beginning)


def mark(text: str) -> str:
    """Return the mark by which a text in a vendor's timeline is recognized."""
    return hashlib.blake2b(canonical(text).encode(), digest_size=6).hexdigest()


def title(text: str) -> str:
    """Return a title as vendors store it: one line, without spaces at its ends or several in a row."""
    return " ".join(text.split())
