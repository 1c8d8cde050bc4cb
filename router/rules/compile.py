"""Builds the index over all rules, so that an alert meets only the rules that can match it.

At each node, a rule stands in the table of one field whose wanted texts, or beginnings of texts, it can list. Where one
is common to many rules, its place in the table is a node again, which parts them by a further field. Rules that can
list nothing but want patterns share an RE2 set; what is left over is asked one by one.
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

_MAX_CHAIN = 4  # So many candidates are quicker asked one by one than parted further.
_MAX_TABLES = 8  # More tables than this are not asked one by one; the alert's own labels say which matter.
_MAX_LEVELS = 3  # Rules that three fields can't part are asked one by one.
_MAX_TEXTS = 16  # Longer lists don't part rules below the first level: they would multiply.
_MAX_PATTERNS = 256  # Patterns in one RE2 set at most.


class _Entry(NamedTuple):
    """A rule on its way into the index.

    ``left`` are the conditions that the way has not yet settled, ``kept`` those that it has used and that still have
    to be asked; what stands ``beside`` them offers no way.
    """

    candidate: decide.Candidate
    remaining: tuple[groups.Asked, ...]
    beside: groups.OtherConditions
    verified: tuple[groups.Asked, ...] = ()


class _TableKey(NamedTuple):
    """One table of a node: of the texts of a field, or of their beginnings of ``length`` characters (0: whole)."""

    field: fields.Field
    length: int


class _IndexOption(NamedTuple):
    """One way into the index: a table, the texts in it, and the condition, which the table may settle or not."""

    place: _TableKey
    texts: frozenset[str]
    asked: groups.Asked
    settled: bool


def compile_rules(rules: Sequence[model.Rule], version: str) -> decide.Node:
    """Build the index; the rules are given in the order in which they decide."""
    by_name = {rule.name: rule for rule in rules}
    entries = [
        _Entry(_candidate(number, rule, version, by_name), rule.conditions, rule.other_conditions)
        for number, rule in enumerate(rules)
    ]
    return _Compiler().node(entries, 0)


def _candidate(number: int, rule: model.Rule, version: str, by_name: Mapping[str, model.Rule]) -> decide.Candidate:
    key, group = incident_keys.incident_key(rule)
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
        follows_severity=bool(shared.follow),
        notify=shared.notify or (),
    )


def _unusual(rule: model.Rule, by_name: Mapping[str, model.Rule]) -> decide.Exceptional | None:
    ignored = decisions.Decision(ignored=rule.ignore_reason) if rule.ignore_reason else None
    severity = rule.common.severity
    if not (
        rule.ignore_reason
        or rule.inhibited_by
        or rule.mute_during
        or isinstance(severity, severity_mapping.SeverityMapping)
    ):
        return None
    rate = severity.severity if isinstance(severity, severity_mapping.SeverityMapping) else severity_aliases.severity
    # A folder that stands apart may be left out for now, and with it a rule that another one names.
    muting = tuple(incident_keys.key_reader(by_name[name]) for name in rule.inhibited_by if name in by_name)
    return decide.Exceptional(ignored, rate, muting, rule.mute_during)


class _Compiler:
    def __init__(self) -> None:
        self._checks = predicates.PredicateFactory()
        self._readers: dict[_TableKey, fields.Reader] = {}

    def node(self, entries: list[_Entry], level: int) -> decide.Node:
        """Part the entries into tables, sets and the rest."""
        tables: dict[_TableKey, dict[str, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        loose: list[_Entry] = []
        for entry, way in zip(entries, _choose_options(entries, level), strict=True):
            if way is None:
                loose.append(entry)
                continue
            left = tuple(asked for asked in entry.remaining if asked != way.asked)
            kept = entry.verified if way.settled else (*entry.verified, way.asked)
            for text in way.texts:
                tables[way.place][text].append(entry._replace(remaining=left, verified=kept))
        built = {place: self._table(table, level) for place, table in tables.items()}
        sets, rest = self._sets(loose)
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
        # Rules that want the same list of texts make the same node under each of them.
        known: dict[tuple[int, ...], decide.Candidate | decide.Node] = {}
        for text, entries in table.items():
            numbers = tuple(entry.candidate.number for entry in entries)
            if numbers not in known:
                known[numbers] = self._place(entries, level)
            built[text] = known[numbers]
        return built

    def _place(self, entries: list[_Entry], level: int) -> decide.Candidate | decide.Node:
        if len(entries) > _MAX_CHAIN and level + 1 < _MAX_LEVELS:
            return self.node(entries, level + 1)
        return self._chain(entries)

    def _chain(self, entries: Iterable[_Entry]) -> decide.Candidate:
        """Link the candidates, of which there is at least one, in the order of the rules."""
        last, *others = sorted(entries, key=lambda entry: -entry.candidate.number)
        chain = self._candidate(last, None)
        for entry in others:
            chain = self._candidate(entry, chain)
        return chain

    def _candidate(self, entry: _Entry, after: decide.Candidate | None) -> decide.Candidate:
        return entry.candidate.linked(self._checks.predicate((*entry.remaining, *entry.verified), entry.beside), after)

    def _sets(self, loose: list[_Entry]) -> tuple[tuple[decide.PatternSet, ...], list[_Entry]]:
        """Put the rules with patterns in the same field together; the second part is what is left over."""
        by_field: dict[fields.Field, list[tuple[_Entry, groups.Asked]]] = defaultdict(list)
        rest = []
        for entry in loose:
            wanted = next((asked for asked in entry.remaining if isinstance(asked[1], regex.Matches)), None)
            if wanted is None:
                rest.append(entry)
            else:
                by_field[wanted[0]].append((entry, wanted))
        sets = []
        for field, wanting in by_field.items():
            if len(wanting) == 1:
                rest.append(wanting[0][0])
                continue
            sets += [
                self._set(field, wanting[start : start + _MAX_PATTERNS])
                for start in range(0, len(wanting), _MAX_PATTERNS)
            ]
        return tuple(sets), rest

    def _set(self, field: fields.Field, wanting: list[tuple[_Entry, groups.Asked]]) -> decide.PatternSet:
        patterns = [asked[1] for _, asked in wanting if isinstance(asked[1], regex.Matches)]
        candidates = [
            self._candidate(entry._replace(remaining=tuple(one for one in entry.remaining if one != asked)), None)
            for entry, asked in wanting
        ]
        return decide.PatternSet(self._reader(field), patterns, candidates)

    def _reader(self, field: fields.Field, length: int = 0) -> fields.Reader:
        place = _TableKey(field, length)
        if place not in self._readers:
            self._readers[place] = field.beginning(length) if length else field.reader()
        return self._readers[place]


def _choose_options(entries: list[_Entry], level: int) -> list[_IndexOption | None]:
    """Choose for each entry its way into the index: by a condition whose texts few rules want.

    Tables that most rules could stand in are preferred while their texts part the rules well: few tables are quick.
    """
    offered = [
        [way for asked in entry.remaining if (way := _index_option(asked, level)) is not None] for entry in entries
    ]
    coverage = Counter(way.place for ways in offered for way in ways)
    common: Counter[tuple[_TableKey, str]] = Counter(
        (way.place, text) for ways in offered for way in ways for text in way.texts
    )

    def cost(way: _IndexOption) -> tuple[int, int, str, int]:
        crowd = max(common[way.place, text] for text in way.texts)
        return (0 if crowd <= _MAX_CHAIN else crowd, -coverage[way.place], way.place.field.name, -way.place.length)

    return [min(ways, key=cost, default=None) for ways in offered]


def _index_option(asked: groups.Asked, level: int) -> _IndexOption | None:
    """The way that a condition offers, if any. The empty text is that of absent labels: no key."""
    field, condition = asked
    if isinstance(condition, substring.StartsWith):
        # Of several beginnings the shortest sets the length, so that a rule stands in one table.
        length = min(map(len, condition.wanted))
        texts = frozenset(text[:length] for text in condition.wanted)
        return (
            _IndexOption(_TableKey(field, length), texts, asked, texts == set(condition.wanted))
            if _is_listable(texts, level)
            else None
        )
    values = condition.values
    if values is None or "" in values or not _is_listable(values, level):
        return None
    return _IndexOption(_TableKey(field, 0), values, asked, True)


def _is_listable(texts: frozenset[str], level: int) -> bool:
    return level == 0 or len(texts) <= _MAX_TEXTS
