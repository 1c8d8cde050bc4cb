"""The fields of an alert that rules can ask about and group by, each with the function that reads it."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from router.documents import nearest
from router.domain import alert as alerts

Reader = Callable[[alerts.Alert], str]

_PLAIN = ("title", "source", "severity")
_SPOKEN = (*_PLAIN, "labels.<name>", "annotations.<name>")
# These have a meaning in an incident key, so a name that holds one could make two keys look the same.
_AMBIGUOUS = re.compile(r'[\s"={},]')


class Unknown(Exception):
    """A name that is no field; the text says what is, or which was meant."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field by the name that rule files use: ``title``, ``labels.service`` and the like.

    ``part`` is ``labels``, ``annotations`` or ``""``; ``key`` the name within it.
    """

    name: str
    part: str
    key: str

    def reader(self) -> Reader:
        """Make the function that reads the field; an absent label or annotation is the empty text."""
        key = self.key
        if self.part == "labels":
            return lambda alert: alert.labels.get(key, "")
        if self.part == "annotations":
            return lambda alert: alert.annotations.get(key, "")
        return operator.attrgetter(key)

    def beginning(self, length: int) -> Reader:
        """Make the function that reads the field's first ``length`` characters, or all where there are fewer."""
        read = self.reader()
        return lambda alert: read(alert)[:length]


def parse(name: str) -> Field:
    """Read a field's name; ``Unknown`` where there is no such field."""
    if name in _PLAIN:
        return Field(name, "", name)
    part, dot, key = name.partition(".")
    if part in {"labels", "annotations"}:
        if not dot or not key:
            raise Unknown(f'"{name}" needs a name: {part}.<name>')
        if _AMBIGUOUS.search(key):
            raise Unknown(f'"{name}": a name of {part} has no spaces, quotes, commas, braces or equals signs')
        return Field(name, part, key)
    if name == "status":
        raise Unknown("rules can't ask for the status: a resolved alert has to reach the incident that it opened")
    if dot:
        close = nearest.nearest(part, ("labels", "annotations"))
        said = f'; did you mean "{close}.{key}"?' if close else ""
    else:
        # Most likely it is a label, unless it is nearly one of the plain fields: "service" is not "source".
        close = nearest.nearest(name, _PLAIN, likeness=0.79)
        said = f'; did you mean "{close}"?' if close else f'; did you mean "labels.{name}"?'
    raise Unknown(f'unknown field "{name}"{said} Fields are: {", ".join(_SPOKEN)}')
