"""Builds the index of all rules, so that an alert is compared only with rules that can match it.

The index is a tree of nodes. At each node, every rule is in exactly one of these places:

- A table: a dictionary from a text of one field (or the beginning of a text) to the rules that require it. Of the
  tables that a rule could be in, it is in the one that can hold the most rules, unless a text leads to too many rules.
- An RE2 set, if the rule lists no texts but has a pattern. One pass over the text finds all patterns of the set.
- The rest: a chain of rules that are checked one by one.

If a text in a table leads to more than ``_MAX_CHAIN`` rules, a node below it separates them by a second field.

A worked example with four rules, numbered in their order:

    0  labels.service: checkout, severity: critical
    1  labels.service: [checkout, orders]
    2  title: {matches: "timed? ?out"}
    3  {} (every alert)

Rule 0 could be in a table of ``severity`` or of ``labels.service``. The latter can hold two rules, so the root node is:

    tables  labels.service: checkout -> 0, 1    (rule 0 still has to check severity, rule 1 nothing)
                            orders   -> 1
    sets    title: rule 2 alone is no set, so it joins the rest
    rest    2, 3                                (rule 2 has to check its pattern, rule 3 nothing)

An alert with ``service: orders`` costs one dictionary lookup, which finds rule 1, and no check at all: the rest is
skipped, since rules 2 and 3 come after rule 1. An alert without a service costs the lookup and one pattern.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from router.domain import decisions, severities
from router.rules import (
    decide,
    describe,
    fields,
    groups,
    incident_keys,
    model,
    predicates,
    severity_aliases,
    severity_mapping,
)
from router.rules.conditions import regex, substring

_MAX_CHAIN = 4  # Checking a chain of this length one by one is faster than another table.
_MAX_TABLES = 8  # With more tables than this, a lookup for each label of the alert is faster than one for each table.
_MAX_LEVELS = 3  # Rules that three fields don't separate are checked one by one.
_MAX_TEXTS = 16  # Below the first level, a rule with more texts would be copied too often.
_MAX_PATTERNS = 256  # Patterns in one RE2 set.


class _Entry(NamedTuple):
    """A rule while the index is built.

    ``remaining`` are the conditions that no table has checked yet. ``verified`` are those that a table has used to find
    the rule, but only in part, so that they have to be checked again. ``beside`` can't be indexed.
    """

    candidate: decide.Candidate
    remaining: tuple[groups.Asked, ...]
    beside: groups.OtherConditions
    verified: tuple[groups.Asked, ...] = ()


class _TableKey(NamedTuple):
    """A table of a node: the texts of a field, or their beginnings of ``length`` characters (0: the whole text)."""

    field: fields.Field
    length: int


class _IndexOption(NamedTuple):
    """A table that a condition could use, with its texts. ``settled``: the table checks the whole condition."""

    place: _TableKey
    texts: frozenset[str]
    asked: groups.Asked
    settled: bool


def compile_rules(rules: Sequence[model.Rule], version: str) -> decide.Node:
    """Build the index. Earlier rules take precedence over later ones."""
    by_name = {rule.name: rule for rule in rules}
    entries = [
        _Entry(_candidate(number, rule, version, by_name), rule.conditions, rule.other_conditions)
        for number, rule in enumerate(rules)
    ]
    return _Compiler().node(entries, 0)


def _candidate(number: int, rule: model.Rule, version: str, by_name: Mapping[str, model.Rule]) -> decide.Candidate:
    key, group = incident_keys.incident_key(rule)
    # A mapped severity depends on the alert, so it belongs to the exceptional settings.
    severity = rule.common.severity if isinstance(rule.common.severity, severities.Severity) else None
    response = _response(rule, version)
    return decide.Candidate(
        number, None, None, rule.should_continue, severity, key, group, response, _unusual(rule, by_name)
    )


def _response(rule: model.Rule, version: str) -> decisions.Response:
    shared = rule.common
    return decisions.Response(
        rule.name,
        rule.place,
        version,
        rule.targets,
        timing=decisions.Timing(**shared.timing),
        labels={name: text for name, text in shared.labels.items() if isinstance(text, str)},
        copied={name: source.name for name, source in shared.labels.items() if isinstance(source, fields.Field)},
        owner=shared.owner,
        runbook=shared.runbook,
        because=(decisions.Because(rule.name, rule.place, describe.describe_rule(rule)),),
        follows_severity=bool(shared.follow_severity),
        notify=shared.notify or (),
        reminders=decisions.Reminders(**shared.reminders),
    )


def _unusual(rule: model.Rule, by_name: Mapping[str, model.Rule]) -> decide.Exceptional | None:
    ignored = decisions.Decision(ignored=rule.ignore_reason) if rule.ignore_reason else None
    severity = rule.common.severity
    # Most rules have none of these, so the search reads only one attribute of them.
    if not (
        rule.ignore_reason
        or rule.inhibited_by
        or rule.mute_during
        or isinstance(severity, severity_mapping.SeverityMapping)
    ):
        return None
    rate = severity.severity if isinstance(severity, severity_mapping.SeverityMapping) else severity_aliases.severity
    # An isolated folder may be omitted for now, including rules that other rules name.
    muting = tuple(incident_keys.key_reader(by_name[name]) for name in rule.inhibited_by if name in by_name)
    return decide.Exceptional(ignored, rate, muting, rule.mute_during)


class _Compiler:
    def __init__(self) -> None:
        self._checks = predicates.PredicateFactory()
        self._readers: dict[_TableKey, fields.Reader] = {}

    def node(self, entries: list[_Entry], level: int) -> decide.Node:
        """Divide the entries into tables, sets, and the rest."""
        tables: dict[_TableKey, dict[str, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        loose: list[_Entry] = []
        for entry, way in zip(entries, _choose_options(entries, level), strict=True):
            # No condition lists texts, so no table can find the rule.
            if way is None:
                loose.append(entry)
                continue
            # The table checks this condition; the rule below it checks only the others.
            left = tuple(condition for condition in entry.remaining if condition != way.asked)
            # A table of beginnings finds the rule, but only the condition itself checks the rest of the text.
            verified = entry.verified if way.settled else (*entry.verified, way.asked)
            for text in way.texts:
                tables[way.place][text].append(entry._replace(remaining=left, verified=verified))
        built = {place: self._table(table, level) for place, table in tables.items()}
        sets, rest = self._sets(loose)
        # Only whole labels can be looked up by the alert's own labels. Other fields keep their tables.
        labels = [place for place in built if place.field.part == "labels" and not place.length]
        wide = {place.field.key: built.pop(place) for place in labels} if len(built) > _MAX_TABLES else None
        return decide.Node(
            tuple((self._reader(*place), table) for place, table in built.items()),
            wide,
            sets,
            self._chain(rest) if rest else None,
        )

    def _table(self, table: dict[str, list[_Entry]], level: int) -> dict[str, decide.Candidate | decide.Node]:
        built: dict[str, decide.Candidate | decide.Node] = {}
        # Rules that require the same list of texts share one node under all of these texts.
        shared_nodes: dict[tuple[int, ...], decide.Candidate | decide.Node] = {}
        for text, entries in table.items():
            numbers = tuple(entry.candidate.number for entry in entries)
            if numbers not in shared_nodes:
                shared_nodes[numbers] = self._place(entries, level)
            built[text] = shared_nodes[numbers]
        return built

    def _place(self, entries: list[_Entry], level: int) -> decide.Candidate | decide.Node:
        # The limit on levels bounds the copies of a rule, since each level may list several texts.
        if len(entries) > _MAX_CHAIN and level + 1 < _MAX_LEVELS:
            return self.node(entries, level + 1)
        return self._chain(entries)

    def _chain(self, entries: Iterable[_Entry]) -> decide.Candidate:
        """Link at least one candidate in the order of the rules."""
        # A chain is linked from its end, because each candidate holds the next one.
        last, *others = sorted(entries, key=lambda entry: -entry.candidate.number)
        chain = self._candidate(last, None)
        for entry in others:
            chain = self._candidate(entry, chain)
        return chain

    def _candidate(self, entry: _Entry, after: decide.Candidate | None) -> decide.Candidate:
        return entry.candidate.with_next(
            self._checks.predicate((*entry.remaining, *entry.verified), entry.beside), after
        )

    def _sets(self, loose: list[_Entry]) -> tuple[tuple[decide.PatternSet, ...], list[_Entry]]:
        """Combine the rules with patterns on the same field. Return the sets, and the entries that are in no set."""
        by_field: dict[fields.Field, list[tuple[_Entry, groups.Asked]]] = defaultdict(list)
        rest = []
        for entry in loose:
            pattern = next(
                (condition for condition in entry.remaining if isinstance(condition[1], regex.Matches)), None
            )
            if pattern is None:
                rest.append(entry)
            else:
                by_field[pattern[0]].append((entry, pattern))
        sets = []
        for field, wanting in by_field.items():
            # A set of one pattern costs more than the pattern itself.
            if len(wanting) == 1:
                rest.append(wanting[0][0])
                continue
            sets += [
                self._set(field, wanting[start : start + _MAX_PATTERNS])
                for start in range(0, len(wanting), _MAX_PATTERNS)
            ]
        return tuple(sets), rest

    def _set(self, field: fields.Field, wanting: list[tuple[_Entry, groups.Asked]]) -> decide.PatternSet:
        patterns = [condition[1] for _, condition in wanting if isinstance(condition[1], regex.Matches)]
        candidates = [
            self._candidate(
                entry._replace(remaining=tuple(other for other in entry.remaining if other != condition)), None
            )
            for entry, condition in wanting
        ]
        return decide.PatternSet(self._reader(field), patterns, candidates)

    def _reader(self, field: fields.Field, length: int = 0) -> fields.Reader:
        place = _TableKey(field, length)
        if place not in self._readers:
            self._readers[place] = field.beginning(length) if length else field.reader()
        return self._readers[place]


def _choose_options(entries: list[_Entry], level: int) -> list[_IndexOption | None]:
    """Choose a table for each entry: the one in which the fewest rules share the entry's texts.

    Among tables that separate the rules well enough, prefer the one that holds the most rules: a node with few tables
    is fast.
    """
    offered = [
        [way for condition in entry.remaining if (way := _index_option(condition, level)) is not None]
        for entry in entries
    ]
    coverage = Counter(way.place for ways in offered for way in ways)
    common: Counter[tuple[_TableKey, str]] = Counter(
        (way.place, text) for ways in offered for way in ways for text in way.texts
    )

    def cost(way: _IndexOption) -> tuple[int, int, str, int]:
        # The most frequent text decides, because its alerts pay for every rule under it.
        crowd = max(common[way.place, text] for text in way.texts)
        # The name and the length only make the choice independent of the order of the rules.
        return (0 if crowd <= _MAX_CHAIN else crowd, -coverage[way.place], way.place.field.name, -way.place.length)

    return [min(ways, key=cost, default=None) for ways in offered]


def _index_option(requirement: groups.Asked, level: int) -> _IndexOption | None:
    """Return the table that a condition can use, if any. Absent labels are the empty text, which is never a key."""
    field, condition = requirement
    if isinstance(condition, substring.StartsWith):
        # The shortest of several beginnings sets the length, so that the rule is in only one table.
        length = min(map(len, condition.wanted))
        texts = frozenset(text[:length] for text in condition.wanted)
        return (
            _IndexOption(_TableKey(field, length), texts, requirement, texts == set(condition.wanted))
            if _is_listable(texts, level)
            else None
        )
    values = condition.values
    # An absent label reads as the empty text, so an entry for it would be a hit for nearly every alert.
    if values is None or "" in values or not _is_listable(values, level):
        return None
    return _IndexOption(_TableKey(field, 0), values, requirement, True)


def _is_listable(texts: frozenset[str], level: int) -> bool:
    return level == 0 or len(texts) <= _MAX_TEXTS
