"""The values of plain YAML scalars by the core schema of YAML 1.2, in which ``yes``, ``on``, and ``1:30`` are text."""

import re

_INTEGER = re.compile(r"[-+]?[0-9]+")
_OTHER_BASE = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_WORDS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_MAX_NUMBER_LENGTH = 300  # Python refuses to parse integers with thousands of digits. Such a text is not a number here.

Value = str | int | float | bool | None


def value(text: str) -> Value:
    """Return the value of a scalar without quotes. Infinities and NaN stay text, since no setting accepts them."""
    if text in _WORDS:
        return _WORDS[text]
    # Nearly every scalar begins with a letter and is text. Checking the first character is cheap.
    if text[0] not in "-+.0123456789" or len(text) > _MAX_NUMBER_LENGTH:
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OTHER_BASE.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
