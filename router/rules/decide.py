"""Finds the first rule that matches an alert: the walk through the index that ``compile`` has built.

This is the one place of the program that is written for nanoseconds: every accepted alert comes through here.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from router.domain import alerts, decisions, severities
from router.rules import fields, intervals, mute_windows, predicates, severity_aliases
from router.rules.conditions import regex

Group = Callable[[str, alerts.Alert], str]
Rate = Callable[[alerts.Alert], severities.Severity]

IGNORED = decisions.Decision(ignored="no rule matched")


@dataclass(frozen=True, slots=True)
class Exceptional:
    """What few rules say, kept apart so that the others don't pay for it.

    ``ignored`` is the decision of a rule whose alerts are ignored, ``rate`` tells the severity where it depends on
    the alert, ``while_open`` the incidents while which it is not heard of, ``mute_during`` the times at which it isn't.
    """

    ignored: decisions.Decision | None = None
    severity: Rate = severity_aliases.severity
    while_open: tuple[Callable[[alerts.Alert], str], ...] = ()
    mute_during: tuple[intervals.Named, ...] = ()


@dataclass(slots=True)
class Candidate:
    """A rule that matches if ``check`` says so too (None: nothing is left to check), and what then follows.

    Candidates are chained by ``after`` in the order of the rules, whose places in that order are their
    ``number``. All that a match leads to is kept here and not one step further: with many rules each step is a
    miss of the processor's caches, and those are what then costs. ``key`` is the whole incident key, or its
    beginning where ``group`` completes it. ``unusual`` is None for most rules; ``severity`` then is None where the
    sender's word decides.
    """

    number: int
    predicate: predicates.Predicate | None
    next: "Candidate | None"
    continues: bool
    severity: severities.Severity | None
    key: str
    group: Group | None
    response: decisions.Response
    exceptional: Exceptional | None = None

    def linked(self, check: predicates.Predicate | None, after: "Candidate | None") -> "Candidate":
        """Return this candidate with another check, in front of another candidate."""
        return Candidate(
            self.number,
            check,
            after,
            self.continues,
            self.severity,
            self.key,
            self.group,
            self.response,
            self.exceptional,
        )


Matches = list[Candidate]
"""The rules with ``continue: true`` that matched, in no order."""


class Node:
    """A part of the index. Every rule of it stands in exactly one of its tables, sets, or in ``rest``.

    ``tables`` map the text of one field to the rules that want it, or to a node that parts them further.
    ``wide`` holds, by label, the tables that are too many to be asked one by one.
    """

    __slots__ = ("label_tables", "rest", "sets", "tables")

    def __init__(
        self,
        tables: tuple[tuple[fields.Reader, dict[str, "Candidate | Node"]], ...] = (),
        wide: "dict[str, dict[str, Candidate | Node]] | None" = None,
        sets: tuple["PatternSet", ...] = (),
        rest: Candidate | None = None,
    ) -> None:
        self.tables = tables
        self.label_tables = wide
        self.sets = sets
        self.rest = rest

    def candidates(self) -> Iterator[Candidate]:
        """Yield the first candidate of each chain below this node."""
        tables = [table for _, table in self.tables] + list((self.label_tables or {}).values())
        for table in tables:
            for hit in table.values():
                if isinstance(hit, Node):
                    yield from hit.candidates()
                else:
                    yield hit
        for patterns in self.sets:
            yield from patterns.candidates
        if self.rest is not None:
            yield self.rest

    def search(self, alert: alerts.Alert, now: int, best: Candidate | None, found: Matches) -> Candidate | None:
        """Return the first rule that ends the search, ``best`` being the one to beat."""
        for read, table in self.tables:
            hit = table.get(read(alert))
            if isinstance(hit, Node):
                best = hit.search(alert, now, best, found)
            elif hit is not None:
                best = walk(hit, alert, now, best, found)
        if self.label_tables is not None:
            for label, text in alert.labels.items():
                table_of_label = self.label_tables.get(label)
                hit = table_of_label.get(text) if table_of_label is not None else None
                if isinstance(hit, Node):
                    best = hit.search(alert, now, best, found)
                elif hit is not None:
                    best = walk(hit, alert, now, best, found)
        for patterns in self.sets:
            best = patterns.search(alert, now, best, found)
        if self.rest is not None:
            best = walk(self.rest, alert, now, best, found)
        return best


def walk(
    candidate: Candidate | None, alert: alerts.Alert, now: int, best: Candidate | None, found: Matches
) -> Candidate | None:
    """Go through a chain of candidates until one ends the search, or ``best`` comes before all that is left."""
    while candidate is not None:
        if best is not None and candidate.number > best.number:
            return best
        check = candidate.predicate
        if check is None or check(alert, now):
            if not candidate.continues:
                return candidate
            found.append(candidate)
        candidate = candidate.next
    return best


class PatternSet:
    """Rules that want a pattern in the same field: RE2 looks for all of them in one pass over the text."""

    __slots__ = ("_first", "_patterns", "_read", "candidates")

    def __init__(self, read: fields.Reader, patterns: list[regex.Matches], candidates: list[Candidate]) -> None:
        """Take for each pattern, in the order of the rules, the candidate that it leads to (unchained)."""
        self._read = read
        self._patterns = regex.Combined(patterns)
        self.candidates = candidates
        self._first = candidates[0].number

    def search(self, alert: alerts.Alert, now: int, best: Candidate | None, found: Matches) -> Candidate | None:
        """As ``Node.search``."""
        if best is not None and best.number < self._first:
            return best
        for index in self._patterns.found(self._read(alert)):
            ended = walk(self.candidates[index], alert, now, best, found)
            if ended is not best:
                return ended
        return best


class Combined:
    """The responses of alerts that several rules matched: one object for each combination, however often it comes."""

    _MOST = 10_000

    def __init__(self) -> None:
        self._known: dict[tuple[int, ...], decisions.Response] = {}

    def response(self, chain: list[Candidate]) -> decisions.Response:
        """The first rule's response with the targets that the later ones add; per destination the first wins."""
        numbers = tuple(candidate.number for candidate in chain)
        known = self._known.get(numbers)
        if known is not None:
            return known
        if len(self._known) >= self._MOST:
            self._known.clear()
        self._known[numbers] = made = _combine([candidate.response for candidate in chain])
        return made


def _combine(responses: list[decisions.Response]) -> decisions.Response:
    """Everything is the first rule's, but for the destinations, labels, and notifiers that the later ones add."""
    first, *others = responses
    targets = {target.destination: target for target in first.targets}
    labels, copied = dict(first.labels), dict(first.copied)
    for response in others:
        for target in response.targets:
            targets.setdefault(target.destination, target)
        taken = labels.keys() | copied.keys()
        labels.update((name, text) for name, text in response.labels.items() if name not in taken)
        copied.update((name, source) for name, source in response.copied.items() if name not in taken)
    because = tuple(one for response in responses for one in response.because)
    notify = tuple(dict.fromkeys(name for response in responses for name in response.notify))
    return msgspec.structs.replace(
        first, targets=tuple(targets.values()), labels=labels, copied=copied, because=because, notify=notify
    )


def in_rule_order(best: Candidate | None, found: Matches) -> list[Candidate]:
    """All rules that decide, in their order: those that continue, up to the one that ended the search."""
    chain = [candidate for candidate in found if best is None or candidate.number < best.number]
    chain.sort(key=lambda candidate: candidate.number)
    return [*chain, best] if best is not None else chain


def decision(alert: alerts.Alert, chain: list[Candidate], response: decisions.Response, now: int) -> decisions.Decision:
    """Name and key are the first rule's; the severity is the highest that any of the rules gives.

    A rule that ignores its alerts takes nothing back: where an earlier one has opened something, it only ends the
    search.
    """
    last = chain[-1].exceptional
    if last is not None and last.ignored is not None:
        if not response.targets:
            return last.ignored
        chain = chain[:-1]
    first = chain[0]
    key = test_key(first.key if first.group is None else first.group(first.key, alert), alert)
    muting = first.exceptional.while_open if first.exceptional is not None else ()
    return decisions.Decision(
        key,
        max(_severity(candidate, alert) for candidate in chain),
        response,
        while_open=tuple(join(alert) for join in muting),
        mute_windows=mute_windows.mute_windows(
            [one for each in chain if each.exceptional is not None for one in each.exceptional.mute_during], now
        ),
    )


def test_key(key: str, alert: alerts.Alert) -> str:
    """The incident key of an alert, apart for tests: what somebody tries out never joins what is real."""
    return f"{key} (test)" if alert.is_test else key


def _severity(candidate: Candidate, alert: alerts.Alert) -> severities.Severity:
    if candidate.severity is not None:
        return candidate.severity
    return severity_aliases.severity(alert) if candidate.exceptional is None else candidate.exceptional.severity(alert)
