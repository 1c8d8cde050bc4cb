"""Loads a folder of rule files as a whole or not at all. Isolated subfolders are loaded or refused individually."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from router.rules import (
    defaults,
    destination_info,
    file_header,
    folders,
    garbage_collection,
    model,
    parse_context,
    reachability,
    rule_parser,
    ruleset,
)
from router.yaml_source import documents, problems

_NAMED = 3  # Maximum number of earlier rules that a message names. Further rules are counted.


class RulesRefused(Exception):
    """The rules can't be used. ``problems`` are in the order of files and lines."""

    def __init__(self, reported: Iterable[problems.LocatedProblem]) -> None:
        self.problems = sorted(reported, key=lambda problem: problem.order)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class LastGood(NamedTuple):
    """The last valid state of an isolated folder: its rules by file, and their version."""

    rules: Mapping[str, tuple[model.Rule, ...]]
    version: str


@dataclass(frozen=True)
class Loaded:
    """Rules that can be used. ``refused`` are the isolated folders that are invalid on the disk, with their problems.

    ``good`` is an argument of the next load. ``files`` are the bytes of all files by their paths, including refused
    files.
    """

    rules: ruleset.RuleSet
    refused: Mapping[str, list[problems.LocatedProblem]]
    good: Mapping[str, LastGood]
    files: Mapping[str, bytes]


def load(folder: Path, destinations: destination_info.Destinations) -> ruleset.RuleSet:
    """Load all ``*.yaml`` files of the folder and its subfolders. Raises ``RulesRefused`` if anything is invalid.

    Files whose names begin with a dot are ignored. A file named ``*.yml`` is refused, since its author expects it to be
    read. A folder without files is refused; a file with ``rules: []`` makes a rule set that ignores every alert.
    """
    loaded = load_apart(folder, destinations)
    if loaded.refused:
        raise RulesRefused(problem for unit_problems in loaded.refused.values() for problem in unit_problems)
    return loaded.rules


def load_apart(
    folder: Path, destinations: destination_info.Destinations, last: Mapping[str, LastGood] | None = None
) -> Loaded:
    """Load the folder for use. Raises ``RulesRefused`` if anything outside isolated folders is invalid.

    An invalid isolated folder keeps its rules from ``last``, or is omitted if ``last`` has none.
    """
    all_problems: list[problems.LocatedProblem] = []
    with garbage_collection.limit_collection():
        return _assemble(
            folders.read(folder, all_problems, frozenset(last or {})), all_problems, destinations, last or {}
        )


def load_files(files: Mapping[str, bytes], destinations: destination_info.Destinations) -> Loaded:
    """Load rule files from memory, as ``load_apart`` does from a folder. Raises ``RulesRefused``."""
    with garbage_collection.limit_collection():
        return _assemble(folders.from_files(files), [], destinations, {})


def _assemble(
    read: list[folders.Folder],
    all_problems: list[problems.LocatedProblem],
    destinations: destination_info.Destinations,
    last: Mapping[str, LastGood],
) -> Loaded:
    units = _units(read, destinations)
    _check_order(read, units)
    shared = [*all_problems, *units[""].problems]
    # Outside isolated folders, one problem refuses everything: a part of the rules could route alerts wrongly.
    if shared:
        raise RulesRefused([*shared, *(problem for name, unit in units.items() if name for problem in unit.problems)])
    refused_units = {name: unit.problems for name, unit in units.items() if unit.problems}
    nothing = LastGood({}, "")
    good = {
        # A refused folder keeps the rules that it had, so that its alerts still open incidents.
        name: last.get(name, nothing)
        if name in refused_units
        else LastGood(unit.rules, folders.version([folder for folder in read if folder.unit == name]))
        for name, unit in units.items()
    }
    by_file = {name: rules for last_good in good.values() for name, rules in last_good.rules.items()}
    rules = [rule for name in sorted(by_file, key=folders.order) for rule in by_file[name]]
    # Without isolated folders, there is only one version to report.
    version = (
        good[""].version if len(good) == 1 else folders.join_versions([good[name].version for name in sorted(good)])
    )
    apart = {name: last_good for name, last_good in good.items() if name}
    return Loaded(ruleset.RuleSet(rules, version), refused_units, apart, folders.contents(read))


def build(
    rules: Iterable[Mapping[str, Any]], destinations: destination_info.Destinations, version: str = "built"
) -> ruleset.RuleSet:
    """Make a rule set from rules as data, as under ``rules:``. Raises ``RulesRefused``."""
    return from_document(documents.from_data({"rules": list(rules)}, "rules"), destinations, version)


def from_document(
    document: documents.Document, destinations: destination_info.Destinations, version: str = "built"
) -> ruleset.RuleSet:
    """Make a rule set from one rule file. Raises ``RulesRefused``."""
    with garbage_collection.limit_collection():
        reader = rule_parser.RuleFileParser(destinations)
        rules = reader.read(document)
        reader.check_names()
        if reader.problems:
            raise RulesRefused(reader.problems)
        return ruleset.RuleSet(rules, version)


def files(folder: Path, all_problems: list[problems.LocatedProblem]) -> list[documents.Document]:
    """Return the rule files in order. Append problems of the folder to ``all_problems``."""
    read = [document for source_folder in folders.read(folder, all_problems) for document in source_folder.files]
    return sorted(read, key=lambda document: folders.order(document.name))


@dataclass
class _Unit:
    """Rules that are accepted or refused together: those of one isolated folder, or all other rules."""

    problems: list[problems.LocatedProblem]
    rules: dict[str, tuple[model.Rule, ...]]


def _units(read: list[folders.Folder], destinations: destination_info.Destinations) -> dict[str, _Unit]:
    """Parse all files.

    If a name is used twice, an isolated folder is at fault, since files outside isolated folders are parsed first.
    """
    places: dict[str, rule_parser.Place] = {}
    inherits = _headings(read, destinations)
    units = {"": _Unit([], {})}
    readers: list[tuple[_Unit, rule_parser.RuleFileParser]] = []
    # Shared files come first, so that they keep a name that an isolated folder uses, too.
    for folder in sorted(read, key=lambda folder: bool(folder.unit)):
        unit = units.setdefault(folder.unit, _Unit([], {}))
        reader = rule_parser.RuleFileParser(destinations, places)
        if folder.heading is not None:
            reader.add_inhibition_names(parse_context.Context(folder.heading, (), reader.problems), folder.heading.data)
        for document in folder.files:
            unit.rules[document.name] = tuple(reader.read(document, inherits[folder.name][0]))
            document.release()
        readers.append((unit, reader))
        unit.problems += inherits[folder.name][1]
    for unit, reader in readers:
        # Only now: a rule may name a rule in any file.
        reader.check_names()
        unit.problems += reader.problems
    return units


def _check_order(read: list[folders.Folder], units: Mapping[str, _Unit]) -> None:
    """Report each file in which no rule can match because earlier rules match all its alerts."""
    unit_of = {name: unit for unit, file_unit in units.items() for name in file_unit.rules}
    by_file = {name: units[unit].rules[name] for name, unit in unit_of.items()}
    file_of = {rule.name: name for name, rules in by_file.items() for rule in rules}
    ordered = [rule for name in sorted(by_file, key=folders.order) for rule in by_file[name]]
    before = {rule.name: earlier for rule, earlier in reachability.unreachable_rules(ordered)}
    documents_of = {document.name: document for folder in read for document in folder.files}
    for name, rules in by_file.items():
        # One unreachable rule is a warning. A whole file without effect is a mistake in its order.
        if not rules or not all(rule.name in before for rule in rules):
            continue
        earlier = list({before[rule.name].name: before[rule.name] for rule in rules}.values())
        # An isolated folder must not keep other folders from being loaded, so the isolated folder is at fault.
        apart = next((rule for rule in earlier if unit_of[file_of[rule.name]] not in {"", unit_of[name]}), None)
        if apart is None:
            units[unit_of[name]].problems.append(_unreachable(documents_of[name], earlier))
        else:
            place = file_of[apart.name]
            message = f'rule "{apart.name}" matches every alert of {name}, so no rule of that file can match'
            at = ("rules", _position(apart, by_file[place]))
            units[unit_of[place]].problems.append(documents_of[place].problem(message, at))


def _position(rule: model.Rule, rules: Sequence[model.Rule]) -> int:
    return next(index for index, candidate in enumerate(rules) if candidate is rule)


def _unreachable(document: documents.Document, earlier: list[model.Rule]) -> problems.LocatedProblem:
    elsewhere = ", ".join(f'"{rule.name}" at {rule.place}' for rule in earlier[:_NAMED])
    more = f" and {len(earlier) - _NAMED} more" if len(earlier) > _NAMED else ""
    return document.problem(
        f"no rule of this file can match, because earlier rules match all its alerts: {elsewhere}{more}; files and "
        "folders are read together in the order of their names",
        ("rules", 0),
    )


def _headings(
    read: list[folders.Folder], destinations: destination_info.Destinations
) -> dict[str, tuple[defaults.Defaults, list[problems.LocatedProblem]]]:
    """Return what the files of each folder inherit, and the problems of its ``folder.yaml``."""
    headings: dict[str, tuple[defaults.Defaults, list[problems.LocatedProblem]]] = {}
    for folder in read:
        outer = headings[folder.parent][0] if folder.name else defaults.Defaults()
        wrong: list[problems.LocatedProblem] = []
        document = folder.heading
        if document is not None:
            wrong += document.problems
            context = parse_context.Context(document, (), wrong)
            if not wrong and document.data is not None:
                context.validate(model.FolderShape, document.data)
                outer = file_header.read(context, document.data, destinations, outer)
            if not folder.name and isinstance(document.data, dict) and document.data.get("isolate"):
                context.report("the top folder can't be isolated", "isolate")
        headings[folder.name] = (outer, wrong)
    return headings
