"""The fields of an alert that rules can match and group by, each with the function that reads it."""

import functools
import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from router.domain import alerts
from router.yaml_source import suggestions

Reader = Callable[[alerts.Alert], str]

PLAIN = {
    "title": "the alert's title",
    "source": "the name of the source",
    "severity": "the severity in the sender's words",
    "fingerprint": "the alert's identity: the sender's deduplication key, or a hash of its labels",
}
"""The fields that every alert has, with their descriptions."""

NAMED = {
    "labels": "one label; the empty text if absent",
    "annotations": "one annotation; the empty text if absent",
}
"""The prefixes of named fields, such as ``labels.service``, with their descriptions."""

# The excluded characters have a meaning in an incident key: with them in a name, two keys could look the same.
NAME = r'[^\s"={},]+'
"""A regular expression for the rest of the name."""

_KEY = re.compile(NAME)

PATTERN = rf"^({'|'.join(PLAIN)}|({'|'.join(NAMED)})\.{NAME})$"
"""Every field's name, as a regular expression."""

_SPOKEN = (*PLAIN, *(f"{part}.<name>" for part in NAMED))


class UnknownField(Exception):
    """The name is not a field. The message lists the fields, or suggests a similar one."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field, with its name in rule files, such as ``title`` or ``labels.service``.

    ``part`` is ``labels``, ``annotations``, or ``""``. ``key`` is the name within that part.
    """

    name: str
    part: str
    key: str

    def __hash__(self) -> int:
        # The name identifies a field, and Python caches the hash of a string.
        return hash(self.name)

    def reader(self) -> Reader:
        """Return a function that reads the field. It returns the empty text for an absent label or annotation."""
        key = self.key
        if self.part == "labels":
            return lambda alert: alert.labels.get(key, "")
        if self.part == "annotations":
            return lambda alert: alert.annotations.get(key, "")
        # It is implemented in C and faster than a lambda.
        return operator.attrgetter(key)

    def beginning(self, length: int) -> Reader:
        """Return a function that reads the first ``length`` characters of the field, or all of a shorter text."""
        read = self.reader()
        return lambda alert: read(alert)[:length]


@functools.lru_cache(maxsize=4_096)
def parse(name: str) -> Field:
    """Parse a field's name. Raises ``UnknownField`` if there is no such field. Equal names return the same object."""
    if name in PLAIN:
        return Field(name, "", name)
    part, dot, key = name.partition(".")
    if part in NAMED:
        if not dot or not key:
            raise UnknownField(f'"{name}" needs a name: {part}.<name>')
        if _KEY.fullmatch(key) is None:
            raise UnknownField(f'"{name}": a name of {part} has no spaces, quotes, commas, braces or equals signs')
        return Field(name, part, key)
    if name == "status":
        raise UnknownField(
            "conditions on the status are not allowed: a resolved alert must reach the incident that it opened"
        )
    if dot:
        close = suggestions.nearest(part, NAMED)
        hint = f'; did you mean "{close}.{key}"?' if close else ""
    else:
        # The name is probably a label, unless it is very similar to a plain field: "service" is not "source".
        close = suggestions.nearest(name, PLAIN, likeness=0.79)
        hint = f'; did you mean "{close}"?' if close else f'; did you mean "labels.{name}"?'
    raise UnknownField(f'unknown field "{name}"{hint} Fields are: {", ".join(_SPOKEN)}')
