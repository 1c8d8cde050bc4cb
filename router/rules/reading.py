"""Checks the rules of one file, one by one, so that every mistake is told and none hides another."""

import dataclasses
from collections.abc import Iterator
from typing import Any

import pydantic

from router.documents import load as documents
from router.documents import nearest, validation
from router.documents import problem as problems
from router.domain import decision as decisions
from router.domain import severity as severities
from router.rules import fields, known, model, template
from router.rules.conditions import condition, registry

_EMPTY = (
    ", for an alert without the labels and annotations that the template names; "
    'give it a default: "{{ alert.labels.x | default: alert.title }}"'
)
_OWN_KEYS = frozenset(model.OpenShape.model_fields)


class Reader:
    """Reads files one after the other. ``problems`` is everything that is wrong with any of them."""

    def __init__(self, destinations: known.Destinations) -> None:
        """Take the destinations that rules may open at."""
        self.destinations = destinations
        self.problems: list[problems.Problem] = []
        self.places: dict[str, tuple[str, tuple[str | int, ...], str]] = {}

    def read(self, document: documents.Document) -> list[model.Rule]:
        """Return the rules of a file that are right."""
        self.problems += document.problems
        # On a file that is broken as YAML, further complaints would only follow from the first.
        if document.problems or document.data is None:
            return []
        try:
            model.FileShape.model_validate(document.data)
        except pydantic.ValidationError as error:
            self.problems += validation.problems_of(error, document, model=model.FileShape)
        listed = document.data.get("rules") if isinstance(document.data, dict) else None
        if not isinstance(listed, list):
            return []
        rules = (_Reading(self, document, index).rule(data) for index, data in enumerate(listed))
        return [rule for rule in rules if rule is not None]


class _Reading:
    """Reads one rule; every part adds what is wrong with it to the problems found."""

    def __init__(self, reader: Reader, document: documents.Document, index: int) -> None:
        self._document = document
        self._destinations = reader.destinations
        self._places = reader.places
        self._found = reader.problems
        self._at: tuple[str | int, ...] = ("rules", index)
        self._about = ""

    def rule(self, data: Any) -> model.Rule | None:
        """Read the rule; None where anything about it is wrong."""
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            self._about = f'rule "{data["name"]}": '
        before = len(self._found)
        place = f"{self._document.name}:{self._document.place(self._at)[0]}"
        shape = self._shape(data)
        if not isinstance(data, dict):
            return None
        self._check_name(data.get("name"), place)
        # The parts are read even where the shape is wrong: all problems at once.
        conditions = tuple(self._conditions(data.get("when")))
        group_by = tuple(self._group_by(data.get("group_by")))
        targets = tuple(self._targets(data.get("open")))
        if shape is None or len(self._found) > before:
            return None
        return model.Rule(
            name=shape.name,
            place=place,
            conditions=conditions,
            targets=targets,
            severity=severities.parse(shape.severity) if shape.severity else None,
            group_by=group_by,
            continues=shape.continue_,
            owner=shape.owner,
            runbook=shape.runbook,
        )

    def _shape(self, data: Any) -> model.RuleShape | None:
        try:
            return model.RuleShape.model_validate(data)
        except pydantic.ValidationError as error:
            self._found.extend(
                validation.problems_of(error, self._document, at=self._at, model=model.RuleShape, about=self._about)
            )
            return None

    def _check_name(self, name: Any, place: str) -> None:
        if not isinstance(name, str):
            return
        # Two rules may stand in one line; what tells them apart is the file and the position in its list.
        first = self._places.setdefault(name, (self._document.file, self._at, place))
        if first[:2] != (self._document.file, self._at):
            self._say(f"the name is taken by the rule at {first[2]}", "name")

    def _conditions(self, when: Any) -> Iterator[tuple[fields.Field, condition.Condition]]:
        if not isinstance(when, dict):
            return
        # As written, not as YAML means it: a label is text, and 007 is not 7.
        for name, value in self._document.written((*self._at, "when")).items():
            field = self._field(name, ("when", name), key=True)
            # One by one, so that a mistake in one condition does not hide those in the next.
            several = isinstance(value, dict) and len(value) > 1
            for part in [{word: inner} for word, inner in value.items()] if several else [value]:
                try:
                    for one in registry.read(part):
                        if field is not None:
                            yield field, one
                except condition.Unreadable as error:
                    self._say(f'"{name}": {error.problem}', "when", name, *error.path, key=error.at_key)

    def _group_by(self, names: Any) -> Iterator[fields.Field]:
        seen = set()
        for index, name in enumerate(names if isinstance(names, list) else ()):
            if not isinstance(name, str):
                continue
            if name in seen:
                self._say(f'group_by names "{name}" twice', "group_by", index)
            seen.add(name)
            field = self._field(name, ("group_by", index))
            if field is not None:
                yield field

    def _field(self, name: str, path: tuple[str | int, ...], *, key: bool = False) -> fields.Field | None:
        try:
            return fields.parse(name)
        except fields.Unknown as error:
            self._say(str(error), *path, key=key)
            return None

    def _targets(self, entries: Any) -> Iterator[decisions.Target]:
        seen = set()
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if not isinstance(entry, dict) or not isinstance(entry.get("at"), str):
                continue
            name = entry["at"]
            if name in seen:
                self._say(f'opens at "{name}" twice', "open", index, "at")
            seen.add(name)
            destination = self._destinations.get(name)
            if destination is None:
                said = nearest.hint(name, self._destinations)
                self._say(f'there is no destination "{name}"{said}', "open", index, "at")
                continue
            own = {key: value for key, value in entry.items() if key not in _OWN_KEYS}
            before = len(self._found)
            self._check_texts(own, destination, name, ("open", index))
            self._check_opening(own, destination, index)
            # A text that is right as it stands may still come to nothing for an alert without the labels it names.
            if len(self._found) == before:
                self._check_opening(template.render(own, template.sample()), destination, index, _EMPTY)
            yield decisions.Target(name, own, entry.get("publish", "review"))

    def _check_opening(self, own: dict[str, Any], destination: known.Known, index: int, note: str = "") -> None:
        try:
            destination.opening.model_validate({**destination.defaults, **own}, context=destination.context)
        except pydantic.ValidationError as error:
            found = validation.problems_of(
                error, self._document, at=(*self._at, "open", index), model=destination.opening, about=self._about
            )
            self._found += [dataclasses.replace(problem, message=problem.message + note) for problem in found]

    def _check_texts(self, value: Any, destination: known.Known, name: str, path: tuple[str | int, ...]) -> None:
        """Templates have to be right at private destinations, and must not be there at public ones."""
        if isinstance(value, dict):
            for key, inner in value.items():
                self._check_texts(inner, destination, name, (*path, key))
        elif isinstance(value, list):
            for index, inner in enumerate(value):
                self._check_texts(inner, destination, name, (*path, index))
        elif isinstance(value, str) and template.is_template(value):
            if destination.public:
                self._say(f'customers see what is at "{name}": its texts are literal in this release, '
                          "without {{ … }} and {% … %}; write the text out", *path)  # fmt: skip
                return
            for said in template.problems(value):
                self._say(said, *path)

    def _say(self, message: str, *path: str | int, key: bool = False) -> None:
        self._found.append(self._document.problem(self._about + message, (*self._at, *path), key=key))
