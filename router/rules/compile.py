"""Builds the index over all rules, so that an alert meets only the rules that can match it.

At each node, a rule stands in the table of one field whose wanted texts it can list. Where a text is common to many
rules, its place in the table is a node again, which parts them by a further field. Rules that can list no texts but
want patterns share an RE2 set; what is left over is asked one by one.
"""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from router.domain import decision as decisions
from router.rules import checks, decide, fields, keys, model
from router.rules.conditions import matches

_CHAIN = 4  # So many candidates are quicker asked one by one than parted further.
_TABLES = 8  # More tables than this are not asked one by one; the alert's own labels say which matter.
_LEVELS = 3  # Rules that three fields can't part are asked one by one.
_LISTED = 16  # Longer lists don't part rules below the first level: they would multiply.
_SET = 256  # Patterns in one RE2 set at most.


class _Entry(NamedTuple):
    """A rule on its way into the index, with the conditions that the way has not yet settled."""

    candidate: decide.Candidate
    left: tuple[checks.Asked, ...]


def compile_rules(rules: Sequence[model.Rule], version: str) -> decide.Node:
    """Build the index; the rules are given in the order in which they decide."""
    entries = [_Entry(_candidate(number, rule, version), rule.conditions) for number, rule in enumerate(rules)]
    return _Compiler().node(entries, 0)


def _candidate(number: int, rule: model.Rule, version: str) -> decide.Candidate:
    key, group = keys.of(rule)
    response = decisions.Response(rule.name, rule.place, version, rule.targets)
    return decide.Candidate(number, None, None, rule.continues, rule.severity, key, group, response)


class _Compiler:
    def __init__(self) -> None:
        self._checks = checks.Checks()
        self._readers: dict[fields.Field, fields.Reader] = {}

    def node(self, entries: list[_Entry], level: int) -> decide.Node:
        """Part the entries into tables, sets and the rest."""
        tables: dict[fields.Field, dict[str, list[_Entry]]] = defaultdict(lambda: defaultdict(list))
        loose: list[_Entry] = []
        for entry, chosen in zip(entries, _choose(entries, level), strict=True):
            if chosen is None:
                loose.append(entry)
                continue
            field, condition = chosen
            left = tuple(asked for asked in entry.left if asked != chosen)
            for text in condition.values or ():
                tables[field][text].append(_Entry(entry.candidate, left))
        built = {field: self._table(table, level) for field, table in tables.items()}
        sets, rest = self._sets(loose)
        labels = [field for field in built if field.part == "labels"]
        wide = {field.key: built.pop(field) for field in labels} if len(built) > _TABLES else None
        return decide.Node(
            tuple((self._reader(field), table) for field, table in built.items()),
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
        return dataclasses.replace(entry.candidate, check=self._checks.of(entry.left), after=after)

    def _sets(self, loose: list[_Entry]) -> tuple[tuple[decide.PatternSet, ...], list[_Entry]]:
        """Put the rules with patterns in the same field together; the second part is what is left over."""
        by_field: dict[fields.Field, list[tuple[_Entry, checks.Asked]]] = defaultdict(list)
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

    def _set(self, field: fields.Field, wanting: list[tuple[_Entry, checks.Asked]]) -> decide.PatternSet:
        patterns = [asked[1] for _, asked in wanting if isinstance(asked[1], matches.Matches)]
        candidates = [
            dataclasses.replace(entry.candidate, check=self._checks.of(one for one in entry.left if one != asked))
            for entry, asked in wanting
        ]
        return decide.PatternSet(self._reader(field), patterns, candidates)

    def _reader(self, field: fields.Field) -> fields.Reader:
        return self._readers.setdefault(field, field.reader())


def _choose(entries: list[_Entry], level: int) -> list[checks.Asked | None]:
    """Choose for each entry the condition that it is indexed by: one whose texts few rules want.

    Fields that most rules ask about are preferred while their texts part the rules well: few tables are quick.
    """
    listed = [[asked for asked in entry.left if _listable(asked, level)] for entry in entries]
    coverage = Counter(asked[0] for options in listed for asked in options)
    common: Counter[tuple[fields.Field, str]] = Counter(
        (field, text) for options in listed for field, condition in options for text in condition.values or ()
    )

    def cost(asked: checks.Asked) -> tuple[int, int, str]:
        field, condition = asked
        crowd = max(common[field, text] for text in condition.values or ())
        return (0 if crowd <= _CHAIN else crowd, -coverage[field], field.name)

    return [min(options, key=cost, default=None) for options in listed]


def _listable(asked: checks.Asked, level: int) -> bool:
    """Tell whether a rule can be indexed by the condition. The empty text is that of absent labels: no key."""
    values = asked[1].values
    return values is not None and "" not in values and (level == 0 or len(values) <= _LISTED)
