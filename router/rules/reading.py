"""Checks the rules of one file, one by one, so that every mistake is told and none hides another."""

from typing import Any

from router.documents import load as documents
from router.documents import nearest
from router.documents import problem as problems
from router.rules import (
    asking,
    expression,
    groups,
    heading,
    inherited,
    known,
    model,
    openings,
    part,
    schedules,
    sharing,
)

Place = tuple[str, tuple[str | int, ...], str]
"""Where a rule's name stands: file, position, and what is told of it."""

_NOTHING = inherited.Inherited()
_SHOWS = ("severity", "group_by", "timing", "labels", "public", "continue", "inhibited_by", "open")
"""None of these means anything to an alert that is ignored."""


class Reader:
    """Reads files one after the other. ``problems`` is everything that is wrong with any of them."""

    def __init__(self, destinations: known.Destinations, places: dict[str, Place] | None = None) -> None:
        """Take the destinations that rules may open at, and where the names of rules are taken already."""
        self.destinations = destinations
        self.problems: list[problems.Problem] = []
        self.places = {} if places is None else places
        self._named: list[tuple[part.Part, int, str]] = []

    def read(self, document: documents.Document, inherits: inherited.Inherited = _NOTHING) -> list[model.Rule]:
        """Return the rules of a file that are right; they inherit what the file says, and beyond it ``inherits``."""
        self.problems += document.problems
        # On a file that is broken as YAML, further complaints would only follow from the first.
        if document.problems or document.data is None:
            return []
        whole = part.Part(document, (), self.problems)
        whole.shaped(model.FileShape, document.data)
        inherits = heading.read(whole, document.data, self.destinations, inherits)
        listed = document.data.get("rules") if isinstance(document.data, dict) else None
        if not isinstance(listed, list):
            return []
        rules = (_Reading(self, whole.inside("rules", index), inherits).rule(data) for index, data in enumerate(listed))
        return [rule for rule in rules if rule is not None]

    def check_names(self) -> None:
        """Tell of rules that are named and are not there; once all files are read."""
        for at, index, name in self._named:
            if name not in self.places:
                at.say(f'there is no rule "{name}"{nearest.hint(name, self.places)}', "inhibited_by", index)

    def names(self, at: part.Part, names: list[str]) -> None:
        """Note that a rule names others."""
        self._named += [(at, index, name) for index, name in enumerate(names)]


class _Reading:
    """Reads one rule; every part adds what is wrong with it to the problems found."""

    def __init__(self, reader: Reader, at: part.Part, inherits: inherited.Inherited) -> None:
        self._reader = reader
        self._at = at
        self._inherits = inherits

    def rule(self, data: Any) -> model.Rule | None:
        """Read the rule; None where anything about it is wrong."""
        at = self._at
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            at = self._at = at.named(f'rule "{data["name"]}": ')
        before = len(at.found)
        place = f"{at.document.name}:{at.document.place(at.at)[0]}"
        shape = at.shaped(model.RuleShape, data)
        if not isinstance(data, dict):
            return None
        self._check_name(data.get("name"), place)
        self._check_ignore(data)
        self._check_inhibited(data.get("inhibited_by"), data.get("name"))
        # The parts are read even where the shape is wrong: all problems at once.
        when, beside = self._asked(data)
        shared = sharing.read(at, data, shape).over(self._inherits.shared)
        opens = openings.Openings(at, self._reader.destinations, self._inherits, shared.public)
        targets = tuple(opens.targets(data.get("open")))
        if shape is None or len(at.found) > before:
            return None
        return model.Rule(
            shape.name,
            place,
            when.asked,
            beside,
            targets,
            shared,
            shape.ignore or "",
            shape.continue_,
            tuple(shape.inhibited_by),
        )

    def _asked(self, data: dict[str, Any]) -> tuple[groups.When, groups.Beside]:
        """Everything that has to hold for the rule to match."""
        at, lists = self._at, self._inherits.lists
        when = asking.when(at.inside("when"), lists) if "when" in data else groups.When()
        unless = asking.unless(at.inside("unless"), lists) if "unless" in data else None
        grouped = when.groups if unless is None else (*when.groups, unless)
        scheduled = schedules.read(at, data, self._inherits.times)
        return when, groups.Beside(grouped, tuple(scheduled), tuple(self._expressions(data.get("expr"))))

    def _expressions(self, text: Any) -> list[expression.Expression]:
        if not isinstance(text, str):
            return []
        try:
            return [expression.Expression(text)]
        except expression.Unreadable as error:
            where = f"in line {error.line}, column {error.column} of the expression"
            self._at.say(f'"expr": {error.problem} ({where})', "expr")
            return []

    def _check_name(self, name: Any, place: str) -> None:
        if not isinstance(name, str):
            return
        # Two rules may stand in one line; what tells them apart is the file and the position in its list.
        here = (self._at.document.file, self._at.at)
        first = self._reader.places.setdefault(name, (*here, place))
        if first[:2] != here:
            self._at.say(f"the name is taken by the rule at {first[2]}", "name")

    def _check_inhibited(self, names: Any, own: Any) -> None:
        listed = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
        self._reader.names(self._at, listed)
        if own in listed:
            self._at.say("a rule can't be inhibited by itself", "inhibited_by", listed.index(own))

    def _check_ignore(self, data: dict[str, Any]) -> None:
        """A rule says where its alerts appear, or why they don't."""
        if "ignore" not in data:
            if "open" not in data:
                self._at.say('"open" is missing')
            return
        for key in _SHOWS:
            if key in data:
                self._at.say(
                    f'"{key}" and "ignore" exclude each other: what is ignored is shown nowhere', key, key=True
                )
