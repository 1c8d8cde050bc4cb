"""Parses the patterns of public variables: anchored, of plain characters, and too narrow for a name or a secret.

They use a small part of RE2's syntax: letters, digits, some punctuation, classes, groups, alternatives, and bounded
repetition. For anything else, use a list of texts. For example, ``^[a-z]{2}-[a-z]+-[0-9]$`` matches eu-west-1;
``^[a-z0-9-]+$`` is refused, since it also matches db01-internal.
"""

import string

from router.domain import patterns

MAX_LENGTH = 64
"""Characters of a text that a pattern may let through."""

_LETTERS = frozenset(string.ascii_letters)
_DIGITS = frozenset(string.digits)
PLAIN = _LETTERS | _DIGITS | frozenset(" -_.,+&'()%")
"""The characters that a pattern may contain."""

_MAX_MIXED_REPEATS = 8  # With more repetitions, a class of letters with digits or punctuation could match a secret.
_MAX_REPEATS = 4
_EXAMPLE = "^[a-z]{2}-[a-z]+-[0-9]$"

PROBES = (
    "10.0.0.7", "192.168.1.254", "hunter2", "s3cr3t", "db01", "web1", "db-prod-07", "redis-master", "prod-db-primary",
    "kafka-0", "ip-10-0-0-7", "i-0abc12345678def00", "deadbeef", "9f8e7d6c", "A1B2C3D4", "AKIAIOSFODNN7EXAMPLE",
    "db1.corp.local", "acme.com", "node-exporter-x7k2p", "checkout-7d9f8b6c5d-x2x4k", "123-45-6789", "user_admin",
)  # fmt: skip
"""What no pattern may fit: the kinds of texts that alerts carry and customers must not see."""


class PatternRefused(ValueError):
    """The pattern matches too much, or is unsupported. The message states the reason."""


def check(pattern: str) -> None:
    """Raise ``PatternRefused`` if a pattern isn't anchored, matches special characters, or matches too much."""
    _Reader(pattern).read()
    try:
        compiled = patterns.compile(pattern)
    except patterns.InvalidPattern as error:
        raise PatternRefused(f"not an RE2 pattern: {error}") from error
    # The syntax alone can't exclude every wide pattern, so typical private texts are tried, too.
    fitting = [probe for probe in PROBES if compiled.fullmatch(probe.encode()) is not None]
    if fitting:
        raise PatternRefused(
            f'the pattern also matches "{fitting[0]}"; make it narrower, or list the texts with values'
        )


class _Reader:
    """Parses a pattern in one pass from left to right, and refuses unsupported syntax."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        # The first character is the anchor.
        self._at = 1

    def read(self) -> None:
        if len(self._text) < 3 or not self._text.startswith("^") or not self._text.endswith("$"):
            raise PatternRefused(
                f"the pattern must match the whole text: begin it with ^ and end it with $, such as {_EXAMPLE}"
            )
        if len(self._text) > 500:
            raise PatternRefused("the pattern is longer than 500 characters; list the texts with values")
        # In `^a|b$`, each alternative would be anchored at one end only and let any text through.
        if self._parse_alternatives() > 1 and self._text[self._at :] == "$":
            raise PatternRefused(
                "^ and $ apply only to the first and the last alternative: put all alternatives into ( )"
            )
        if self._text[self._at :] != "$":
            raise PatternRefused(f"{self._text[self._at]!r} can't stand there")

    def _parse_alternatives(self, depth: int = 0) -> int:
        """Parse up to ``)`` or the end. Return the number of alternatives."""
        if depth > 8:
            raise PatternRefused("the groups are nested too deeply")
        count = 1
        while self._at < len(self._text) - 1 and self._text[self._at] != ")":
            if self._text[self._at] == "|":
                self._at += 1
                count += 1
                continue
            self._parse_repeated(depth)
        return count

    def _parse_repeated(self, depth: int) -> None:
        """Parse one character, class, or group, and its repetition."""
        start = self._at
        letters = self._parse_one(depth)
        max_count = self._parse_max_count()
        if max_count is not None and max_count <= (_MAX_REPEATS if letters is None else _MAX_MIXED_REPEATS):
            return
        if letters is None:
            raise PatternRefused(f"a group may be repeated {_MAX_REPEATS} times at most, such as {{0,{_MAX_REPEATS}}}")
        if not (letters <= _LETTERS or letters <= _DIGITS):
            raise PatternRefused(
                f"{self._text[start : self._at]} matches any name or secret: repeat only letters or only digits, or "
                f"set a maximum, such as {{1,{_MAX_MIXED_REPEATS}}}"
            )

    def _parse_one(self, depth: int) -> frozenset[str] | None:
        """Return the characters that match here; None for a group."""
        letter = self._next()
        if letter == "(":
            if self._text[self._at : self._at + 2] == "?:":
                self._at += 2
            self._parse_alternatives(depth + 1)
            if self._next() != ")":
                raise PatternRefused("a group is not closed: ) is missing")
            return None
        if letter == "[":
            return self._parse_class()
        if letter == "\\":
            return self._parse_escape()
        if letter == ".":
            raise PatternRefused(
                r"a full stop matches every character; write \. for the full stop itself, or a class such as [a-z]"
            )
        # A plus sign here repeats nothing, so it is a mistake.
        if letter not in PLAIN or letter == "+":
            raise PatternRefused(
                f"{letter!r} is not allowed there: patterns of public variables contain only plain characters"
            )
        return frozenset(letter)

    def _parse_escape(self) -> frozenset[str]:
        letter = self._next()
        if letter == "d":
            return _DIGITS
        if letter in PLAIN and not letter.isalnum():
            return frozenset(letter)
        raise PatternRefused(
            rf"\{letter} is not allowed there: patterns of public variables contain only plain characters"
        )

    def _parse_class(self) -> frozenset[str]:
        if self._text[self._at : self._at + 1] == "^":
            raise PatternRefused("[^…] fits every character but some; name those that may stand there")
        letters: set[str] = set()
        while (letter := self._next()) != "]":
            if letter == "\\":
                letters |= self._parse_escape()
            elif self._text[self._at : self._at + 1] == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                letters |= self._parse_range(letter, self._next())
            elif letter in PLAIN:
                letters.add(letter)
            else:
                raise PatternRefused(
                    f"{letter!r} is not allowed there: patterns of public variables contain only plain characters"
                )
        if not letters:
            raise PatternRefused("a class must contain a character")
        return frozenset(letters)

    def _parse_range(self, first: str, last: str) -> set[str]:
        letters = {chr(code) for code in range(ord(first), ord(last) + 1)}
        if letters and (letters <= set(string.ascii_lowercase) or letters <= set(string.ascii_uppercase)):
            return letters
        if letters and letters <= _DIGITS:
            return letters
        raise PatternRefused(f"[{first}-{last}] is not a range of letters or digits")

    def _parse_max_count(self) -> int | None:
        """Return the maximum number of repetitions; None if there is none."""
        letter = self._text[self._at]
        if letter == "?":
            self._at += 1
            return 1
        if letter in "*+":
            self._at += 1
            return None
        if letter != "{":
            return 1
        close = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : max(close, self._at + 1)].partition(",")
        if close < 0 or not low.isdecimal() or (high and not high.isdecimal()):
            raise PatternRefused("write a repetition as {2} or {1,8}")
        self._at = close + 1
        if comma and not high:
            return None
        return int(high or low)

    def _next(self) -> str:
        """Return the next character. The last one is the anchor, which the parser never consumes."""
        if self._at >= len(self._text) - 1:
            raise PatternRefused("the pattern ends too early")
        self._at += 1
        return self._text[self._at - 1]
