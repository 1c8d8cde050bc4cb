"""Parses the rules of rule files. Every mistake is reported, and none hides another."""

from collections.abc import Iterator, Mapping
from typing import Any

from router.rules import (
    common_fields,
    defaults,
    destination_info,
    expressions,
    file_header,
    groups,
    inhibitions,
    model,
    parse_context,
    parse_resolve,
    parse_schedules,
    parse_targets,
    parse_when,
)
from router.yaml_source import documents, problems, quantities, suggestions

Place = tuple[str, tuple[str | int, ...], str]
"""The place of a rule's name: its file, its position, and the word for it in messages."""

MAX_PROBLEMS = 1_000
"""The maximum number of problems per file. Each costs a search for a suggestion."""

_NOTHING = defaults.Defaults()
_SHOWS = (
    "severity",
    "group_by",
    "timing",
    "labels",
    "public",
    "continue",
    "mute_during",
    "inhibited_by",
    "notify",
    "acknowledgement",
    "open",
)
"""None of these means anything to an alert that is ignored."""


class RuleFileParser:
    """Parses files one after the other. ``problems`` collects the problems of all files."""

    def __init__(self, destinations: destination_info.Destinations, places: dict[str, Place] | None = None) -> None:
        """Store the destinations that rules may use, and the positions of rule names that are already used."""
        self.destinations = destinations
        self.problems: list[problems.LocatedProblem] = []
        self.places = {} if places is None else places
        self._references: list[tuple[parse_context.Context, tuple[str | int, ...], str]] = []

    def read(self, document: documents.Document, inherits: defaults.Defaults = _NOTHING) -> list[model.Rule]:
        """Return the valid rules of a file. They inherit the settings of the file, which override ``inherits``."""
        self.problems += document.problems
        # If a file isn't valid YAML, further problems would only be consequences of the first.
        if document.problems or document.data is None:
            return []
        file_context = parse_context.Context(document, (), self.problems)
        if isinstance(document.data, list):
            file_context.report('a rule file is a mapping; put the list of rules under the key "rules:"')
            return []
        file_context.validate(model.FileShape, document.data)
        inherits = file_header.read(file_context, document.data, self.destinations, inherits)
        self.add_inhibition_names(file_context, document.data)
        entries = document.data.get("rules") if isinstance(document.data, dict) else None
        if not isinstance(entries, list):
            return []
        rules = []
        for index, data in enumerate(entries):
            if len(self.problems) >= MAX_PROBLEMS:
                message = f"more than {MAX_PROBLEMS} problems: the rules from here on are not read"
                file_context.report(message, "rules", index)
                break
            rule = _RuleParser(self, file_context.child("rules", index), inherits).rule(data)
            if rule is not None:
                rules.append(rule)
        return rules

    def check_names(self) -> None:
        """Report references to rules that don't exist, after all files are parsed."""
        # Inhibitions share the names with rules, but can't inhibit by name.
        rules = {name for name, place in self.places.items() if place[1][:1] == ("rules",)}
        for context, path, name in self._references:
            if name not in rules:
                context.report(f'there is no rule "{name}"{suggestions.hint(name, rules)}', *path)

    def add_reference(self, context: parse_context.Context, name: str, *path: str | int) -> None:
        """Record that a rule refers to another one, at a path below it."""
        self._references.append((context, path, name))

    def add_name(self, context: parse_context.Context, name: Any) -> None:
        """Record the name of a rule or an inhibition. Report the name if it is already used."""
        if not isinstance(name, str):
            return
        # Two rules may be on one line, so the file and the position in its list identify a rule.
        position = (context.document.file, context.path)
        place = f"{context.document.name}:{context.document.position(context.path)[0]}"
        first = self.places.setdefault(name, (*position, place))
        if first[:2] != position:
            noun = "rule" if first[1][:1] == ("rules",) else "inhibit rule"
            context.report(f"the name is taken by the {noun} at {first[2]}", "name")

    def add_inhibition_names(self, file_context: parse_context.Context, data: Any) -> None:
        """Record the names of the ``inhibit_rules`` of a file or a ``folder.yaml``."""
        entries = data.get("inhibit_rules") if isinstance(data, dict) else None
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                context = file_context.child("inhibit_rules", index).with_prefix(f'inhibit rule "{entry["name"]}": ')
                self.add_name(context, entry["name"])


class _RuleParser:
    """Parses one rule and reports its problems."""

    def __init__(self, reader: RuleFileParser, context: parse_context.Context, inherits: defaults.Defaults) -> None:
        self._reader = reader
        self._at = context
        self._inherits = inherits

    def rule(self, data: Any) -> model.Rule | None:
        """Return the rule; None if any part of it is invalid."""
        context = self._at
        if isinstance(data, dict) and isinstance(data.get("name"), str):
            context = self._at = context.with_prefix(f'rule "{data["name"]}": ')
        before = len(context.problems)
        place = f"{context.document.name}:{context.document.position(context.path)[0]}"
        shape = context.validate(model.RuleShape, data)
        if not isinstance(data, dict):
            return None
        self._reader.add_name(context, data.get("name"))
        self._check_ignore(data)
        over = tuple(self._parse_inhibitors(data.get("inhibited_by"), data.get("name")))
        mutes = tuple(parse_schedules.mutes(context, data, self._inherits.times))
        # The parts are parsed even if the shape is invalid, so that all problems are reported together.
        when, beside = self._parse_conditions(data)
        shared = common_fields.read(context, data, shape, self._inherits.lists).with_defaults(self._inherits.shared)
        parse_context.check_notifiers(context, data, "notify", destination_info.notifiers_of(self._reader.destinations))
        self._check_hold(shared.timing)
        opens = parse_targets.TargetParser(context, self._reader.destinations, self._inherits, shared.public)
        targets = tuple(opens.targets(data.get("open")))
        parse_resolve.check_heartbeat(context, shared.timing, targets)
        if shape is None or len(context.problems) > before:
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
            tuple(name for name in shape.inhibited_by if isinstance(name, str)),
            over,
            # An ignored alert opens nothing, so there is nothing to mute.
            () if shape.ignore else self._inherits.label_inhibitions,
            mutes,
        )

    def _parse_conditions(self, data: dict[str, Any]) -> tuple[groups.When, groups.OtherConditions]:
        """Parse everything that must hold for the rule to match."""
        context, lists = self._at, self._inherits.lists
        when = parse_when.when(context.child("when"), lists) if "when" in data else groups.When()
        unless = parse_when.unless(context.child("unless"), lists) if "unless" in data else None
        grouped = when.groups if unless is None else (*when.groups, unless)
        scheduled = parse_schedules.read(context, data, self._inherits.times)
        return when, groups.OtherConditions(grouped, tuple(scheduled), tuple(self._expressions(data.get("expr"))))

    def _expressions(self, text: Any) -> list[expressions.Expression]:
        if not isinstance(text, str):
            return []
        try:
            return [expressions.Expression(text)]
        except expressions.InvalidExpression as error:
            where = f"in line {error.line}, column {error.column} of the expression"
            self._at.report(f'"expr": {error.problem} ({where})', "expr")
            return []

    def _parse_inhibitors(self, entries: Any, own_names: Any) -> Iterator[inhibitions.RuleInhibition]:
        """Record the rules that ``inhibited_by`` names, and yield the entries that require equal fields."""
        for index, entry in enumerate(entries if isinstance(entries, list) else ()):
            path: tuple[str | int, ...] = ("inhibited_by", index)
            name = entry
            if isinstance(entry, dict):
                name = entry.get("rule")
                equal = file_header.equal_fields(self._at, entry.get("equal"), *path, "equal")
                path = (*path, "rule")
                if isinstance(name, str):
                    yield inhibitions.RuleInhibition(name, equal)
            if isinstance(name, str):
                self._reader.add_reference(self._at, name, *path)
                if name == own_names:
                    self._at.report("a rule can't inhibit itself", *path)

    def _check_hold(self, timing: Mapping[str, int]) -> None:
        """Report a hold that never takes effect, since an incident opens at the earlier of both times."""
        hold, max_hold = timing.get("open_after", 0), timing.get("max_hold", 0)
        if max_hold and max_hold < hold:
            texts = quantities.format_duration(max_hold), quantities.format_duration(hold)
            self._at.report(
                f'"max_hold" ({texts[0]}) is shorter than "open_after" ({texts[1]}), so that incidents would open '
                f"after {texts[0]}; make it longer, or remove it",
                "timing",
                "max_hold",
            )

    def _check_ignore(self, data: dict[str, Any]) -> None:
        """Report a rule that has neither a destination for its alerts nor a reason to ignore them."""
        if "ignore" not in data:
            if "open" not in data:
                self._at.report('"open" is missing')
            return
        for key in _SHOWS:
            if key in data:
                self._at.report(
                    f'"{key}" and "ignore" exclude each other: ignored alerts open no incident', key, key=True
                )
