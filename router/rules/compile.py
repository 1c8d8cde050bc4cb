"""Builds the index over all rules, so that an alert meets only the rules that can match it.

At each node, a rule stands in the table of one field whose wanted texts, or beginnings of texts, it can list. Where one
is common to many rules, its place in the table is a node again, which parts them by a further field. Rules that can
list nothing but want patterns share an RE2 set; what is left over is asked one by one.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from router.domain import decisions, severities
from router.rules import checks, decide, fields, groups, keys, model, rating, saying, words
from router.rules.conditions import matches, starts_with

_CHAIN = 4  # So many candidates are quicker asked one by one than parted further.
_TABLES = 8  # More tables than this are not asked one by one; the alert's own labels say which matter.
_LEVELS = 3  # Rules that three fields can't part are asked one by one.
_LISTED = 16  # Longer lists don't part rules below the first level: they would multiply.
_SET = 256  # Patterns in one RE2 set at most.


class _Entry(NamedTuple):
    """A rule on its way into the index.

    ``left`` are the conditions that the way has not yet settled, ``kept`` those that it has used and that still have
    to be asked; what stands ``beside`` them offers no way.
    """

    candidate: decide.Candidate
    left: tuple[groups.Asked, ...]
    beside: groups.Beside
    kept: tuple[groups.Asked, ...] = ()


class _Place(NamedTuple):
    """One table of a node: of the texts of a field, or of their beginnings of ``length`` characters (0: whole)."""

    field: fields.Field
    length: int


class _Way(NamedTuple):
    """One way into the index: a table, the texts in it, and the condition, which the table may settle or not."""

    place: _Place
    texts: frozenset[str]
    asked: groups.Asked
    settled: bool


def compile_rules(rules: Sequence[model.Rule], version: str) -> decide.Node:
    """Build the index; the rules are given in the order in which they decide."""
    by_name = {rule.name: rule for rule in rules}
    entries = [
        _Entry(_candidate(number, rule, version, by_name), rule.conditions, rule.beside)
        for number, rule in enumerate(rules)
    ]
    return _Compiler().node(entries, 0)


def _candidate(number: int, rule: model.Rule, version: str, by_name: Mapping[str, model.Rule]) -> decide.Candidate:
    key, group = keys.of(rule)
    severity = rule.shared.severity if isinstance(rule.shared.severity, severities.Severity) else None
    response = _response(rule, version)
    return decide.Candidate(number, None, None, rule.continues, severity, key, group, response, _unusual(rule, by_name))


def _response(rule: model.Rule, version: str) -> decisions.Response:
    shared = rule.shared
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
        because=(decisions.Because(rule.name, rule.place, saying.rule_words(rule)),),
        follows_severity=bool(shared.follow),
        notify=shared.notify or (),
    )


def _unusual(rule: model.Rule, by_name: Mapping[str, model.Rule]) -> decide.Unusual | None:
    ignored = decisions.Decision(ignored=rule.ignored) if rule.ignored else None
    severity = rule.shared.severity
    if not (rule.ignored or rule.inhibited_by or rule.mute_during or isinstance(severity, rating.Mapped)):
        return None
    rate = severity.severity if isinstance(severity, rating.Mapped) else words.severity
    # A folder that stands apart may be left out for now, and with it a rule that another one names.
    muting = tuple(keys.joining(by_name[name]) for name in rule.inhibited_by if name in by_name)
    return decide.Unusual(ignored, rate, muting, rule.mute_during)


class _Compiler:
    def __init__(self) -> None:
        self._checks = checks.Checks()
        self._readers: dict[_Place, fields.Reader] = {}

    def node(self, entries: list[_Entry], level: int) -> decide.Node:
        """Part the entries into tables, sets and the rest."""
        tables: dict[_Place, dict[str, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        loose: list[_Entry] = []
        for entry, way in zip(entries, _choose(entries, level), strict=True):
            if way is None:
                loose.append(entry)
                continue
            left = tuple(asked for asked in entry.left if asked != way.asked)
            kept = entry.kept if way.settled else (*entry.kept, way.asked)
            for text in way.texts:
                tables[way.place][text].append(entry._replace(left=left, kept=kept))
        built = {place: self._table(table, level) for place, table in tables.items()}
        sets, rest = self._sets(loose)
        labels = [place for place in built if place.field.part == "labels" and not place.length]
        wide = {place.field.key: built.pop(place) for place in labels} if len(built) > _TABLES else None
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
        if len(entries) > _CHAIN and level + 1 < _LEVELS:
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
        return entry.candidate.linked(self._checks.of((*entry.left, *entry.kept), entry.beside), after)

    def _sets(self, loose: list[_Entry]) -> tuple[tuple[decide.PatternSet, ...], list[_Entry]]:
        """Put the rules with patterns in the same field together; the second part is what is left over."""
        by_field: dict[fields.Field, list[tuple[_Entry, groups.Asked]]] = defaultdict(list)
        rest = []
        for entry in loose:
            wanted = next((asked for asked in entry.left if isinstance(asked[1], matches.Matches)), None)
            if wanted is None:
                rest.append(entry)
            else:
                by_field[wanted[0]].append((entry, wanted))
        sets = []
        for field, wanting in by_field.items():
            if len(wanting) == 1:
                rest.append(wanting[0][0])
                continue
            sets += [self._set(field, wanting[start : start + _SET]) for start in range(0, len(wanting), _SET)]
        return tuple(sets), rest

    def _set(self, field: fields.Field, wanting: list[tuple[_Entry, groups.Asked]]) -> decide.PatternSet:
        patterns = [asked[1] for _, asked in wanting if isinstance(asked[1], matches.Matches)]
        candidates = [
            self._candidate(entry._replace(left=tuple(one for one in entry.left if one != asked)), None)
            for entry, asked in wanting
        ]
        return decide.PatternSet(self._reader(field), patterns, candidates)

    def _reader(self, field: fields.Field, length: int = 0) -> fields.Reader:
        place = _Place(field, length)
        if place not in self._readers:
            self._readers[place] = field.beginning(length) if length else field.reader()
        return self._readers[place]


def _choose(entries: list[_Entry], level: int) -> list[_Way | None]:
    """Choose for each entry its way into the index: by a condition whose texts few rules want.

    Tables that most rules could stand in are preferred while their texts part the rules well: few tables are quick.
    """
    offered = [[way for asked in entry.left if (way := _way(asked, level)) is not None] for entry in entries]
    coverage = Counter(way.place for ways in offered for way in ways)
    common: Counter[tuple[_Place, str]] = Counter(
        (way.place, text) for ways in offered for way in ways for text in way.texts
    )

    def cost(way: _Way) -> tuple[int, int, str, int]:
        crowd = max(common[way.place, text] for text in way.texts)
        return (0 if crowd <= _CHAIN else crowd, -coverage[way.place], way.place.field.name, -way.place.length)

    return [min(ways, key=cost, default=None) for ways in offered]


def _way(asked: groups.Asked, level: int) -> _Way | None:
    """The way that a condition offers, if any. The empty text is that of absent labels: no key."""
    field, condition = asked
    if isinstance(condition, starts_with.StartsWith):
        # Of several beginnings the shortest sets the length, so that a rule stands in one table.
        length = min(map(len, condition.wanted))
        texts = frozenset(text[:length] for text in condition.wanted)
        return _Way(_Place(field, length), texts, asked, texts == set(condition.wanted)) if _few(texts, level) else None
    values = condition.values
    if values is None or "" in values or not _few(values, level):
        return None
    return _Way(_Place(field, 0), values, asked, True)


def _few(texts: frozenset[str], level: int) -> bool:
    return level == 0 or len(texts) <= _LISTED
