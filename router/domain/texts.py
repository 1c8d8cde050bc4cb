"""Whether two texts say the same, whatever a vendor has made of their markup and blanks.

Vendors store texts in their own way: other line ends, escaped characters, other bullets, paragraphs in HTML, fewer
blanks. ``canonical`` undoes all of it on both sides, so that what is left differs only if the words do:

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
_LEAST_CUT = 20  # Characters that have to be left of a text that was cut, to know it by them.


def canonical(text: str) -> str:
    """Return the words of a text, one blank between them."""
    plain = _BULLET.sub("", _ESCAPED.sub(r"\1", _TAG.sub("\n", html.unescape(text).replace("\r", "\n"))))
    return " ".join(unicodedata.normalize("NFKC", plain).translate(_QUOTES).split())


def alike(first: str, second: str) -> bool:
    """Whether two texts say the same."""
    return first == second or canonical(first) == canonical(second)


def is_cut(text: str, whole: str) -> bool:
    """Whether a text is the beginning of another one, as of a vendor that keeps so many characters."""
    kept = canonical(text).removesuffix("...").removesuffix("…").rstrip()
    return len(kept) >= _LEAST_CUT and canonical(whole).startswith(kept)


def mark(text: str) -> str:
    """Return what a text in a vendor's timeline is known again by."""
    return hashlib.blake2b(canonical(text).encode(), digest_size=6).hexdigest()


def title(text: str) -> str:
    """Return a title as vendors keep it: one line, without blanks at its ends or several in a row."""
    return " ".join(text.split())
