"""Repairs of common JSON errors, so that an authentic alert isn't lost to one wrong character.

Shell scripts and old monitoring systems paste the output of checks into a JSON template. The usual errors are text that
isn't UTF-8, a raw line break in a string, ``NaN`` for a measurement, a number out of every range, an unpaired
surrogate, and a byte order mark. Nothing else is repaired: a body that is cut short, or that lacks a quotation mark, is
ambiguous.
"""

import json
import re
from collections.abc import Callable
from typing import NamedTuple

import msgspec

_SURROGATE = re.compile("[\ud800-\udfff]")
_MARKS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
# ``surrogateescape`` turns bytes that aren't UTF-8 into U+DC80 to U+DCFF. Such bytes are most often Windows-1252.
_WINDOWS_1252 = {0xDC00 + byte: bytes([byte]).decode("cp1252", "replace") for byte in range(0x80, 0x100)}
_MAX_DIGITS = 308
_MAX_BYTES = 1024 * 1024  # Repairing takes some 100 ms per megabyte, and template-made JSON is short.

_decode = msgspec.json.Decoder().decode


class Repaired(NamedTuple):
    """A repaired body, and the changes in words."""

    body: bytes
    changes: tuple[str, ...]


def repair(body: bytes) -> Repaired | None:
    """Return the body as strict JSON in UTF-8; None if it already is, is over 1 MiB, or can't be repaired."""
    # A valid body is never changed, not even in its spelling.
    if len(body) > _MAX_BYTES or _is_json(body):
        return None
    changes: dict[str, None] = {}
    try:
        value = _decoder(changes).decode(_text(body, changes))
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return None
    fixed = _replace_unpaired(text, changes)
    # Without any other change, only the lenient mode of the parser has made the body readable.
    if not changes:
        changes["control characters in strings were accepted"] = None
    # The sources decode with msgspec, which is stricter than Python's parser.
    return Repaired(fixed, tuple(changes)) if _is_json(fixed) else None


def _is_json(body: bytes) -> bool:
    try:
        _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _text(body: bytes, changes: dict[str, None]) -> str:
    """Return the body's text without padding. Raises ``UnicodeDecodeError`` if it is broken UTF-16."""
    for mark, encoding in _MARKS:
        if body.startswith(mark):
            changes["a byte order mark was removed"] = None
            if encoding == "utf-16":
                changes["UTF-16 was read"] = None
                return body.decode(encoding).strip("\0 \t\r\n")
            body = body.removeprefix(mark)
            break
    # This never fails, so valid UTF-8 around the bad bytes stays as it is.
    text = body.decode("utf-8", "surrogateescape")
    if not text.isascii() and text.translate(_WINDOWS_1252) != text:
        changes["bytes that are not UTF-8 were read as Windows-1252"] = None
        text = text.translate(_WINDOWS_1252)
    stripped = text.strip("\0 \t\r\n")
    # Programs in C may send a buffer with its terminating zero.
    if "\0" in text[len(stripped) :]:
        changes["padding after the JSON was removed"] = None
    return stripped


def _decoder(changes: dict[str, None]) -> json.JSONDecoder:
    def constant(_name: str) -> None:
        changes["NaN and Infinity were read as null"] = None

    return json.JSONDecoder(
        strict=False,
        parse_constant=constant,
        parse_float=_number(float, changes),
        parse_int=_number(int, changes),
    )


def _number(read: Callable[[str], float], changes: dict[str, None]) -> Callable[[str], float | str]:
    """Build a parser of numbers. Numbers out of range become text."""

    def number(text: str) -> float | str:
        # Converting very long numbers takes quadratic time, and Python refuses it above a limit.
        if len(text) <= _MAX_DIGITS:
            value = read(text)
            if abs(value) < float("inf"):
                return value
        changes["numbers out of range were read as text"] = None
        return text

    return number


def _replace_unpaired(text: str, changes: dict[str, None]) -> bytes:
    """Return the text in UTF-8, with U+FFFD for each unpaired surrogate."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        changes["unpaired surrogates were replaced"] = None
        # JSON's parser has joined the pairs. A handler of codec errors would be called for each surrogate.
        return _SURROGATE.sub("\ufffd", text).encode()
