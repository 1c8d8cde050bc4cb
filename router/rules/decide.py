"""Finds the first rule that matches an alert, in the index that ``compile`` builds.

Every accepted alert is decided here, so this module is optimized for speed: one decision takes about a microsecond.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from router.domain import alerts, decisions, severities
from router.domain.times import Timestamp
from router.rules import fields, intervals, mute_windows, predicates, severity_aliases
from router.rules.conditions import regex

Group = Callable[[str, alerts.Alert], str]
Rate = Callable[[alerts.Alert], severities.Severity]

IGNORED = decisions.Decision(ignored="no rule matched")


@dataclass(frozen=True, slots=True)
class Exceptional:
    """Settings that few rules have, in a separate object so that other rules don't pay for them.

    ``ignored`` is the decision if the rule ignores its alerts. ``severity`` returns the severity if it depends on the
    alert. ``while_open`` returns the keys of incidents that mute the alert. ``mute_during`` are the times that mute it.
    """

    ignored: decisions.Decision | None = None
    severity: Rate = severity_aliases.severity
    while_open: tuple[Callable[[alerts.Alert], str], ...] = ()
    mute_during: tuple[intervals.NamedIntervals, ...] = ()


@dataclass(slots=True)
class Candidate:
    """A rule in the index, with everything that is needed after a match.

    The rule matches if ``predicate`` holds, or if there is none because the index has checked every condition. ``next``
    is the following rule of the same chain; ``number`` is the position among all rules. ``key`` is the incident key, or
    its beginning if ``group`` completes it. ``severity`` is None if the sender's severity or ``exceptional`` decides.

    The data is stored here and not behind another reference: with many rules, each further object is a cache miss.
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

    def with_next(self, check: predicates.Predicate | None, after: "Candidate | None") -> "Candidate":
        """Return a copy of this candidate with another predicate, in front of another candidate."""
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
    """A part of the index. Every rule of a node is in exactly one of its tables, sets, or in ``rest``.

    ``tables`` map a text of one field to the rules that require it, or to a node that separates them further.
    ``label_tables`` are the tables by label, if there are too many to look up each.
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

    def search(self, alert: alerts.Alert, now: Timestamp, best: Candidate | None, matches: Matches) -> Candidate | None:
        """Return the first rule that matches and ends the search; ``best`` is the earliest one so far."""
        for read, table in self.tables:
            # Readers return the empty text for an absent label, and no table has it as a key.
            hit = table.get(read(alert))
            if isinstance(hit, Node):
                best = hit.search(alert, now, best, matches)
            elif hit is not None:
                best = walk(hit, alert, now, best, matches)
        if self.label_tables is not None:
            # There are more tables than an alert usually has labels, so the loop goes over the labels.
            for label, text in alert.labels.items():
                table_of_label = self.label_tables.get(label)
                hit = table_of_label.get(text) if table_of_label is not None else None
                if isinstance(hit, Node):
                    best = hit.search(alert, now, best, matches)
                elif hit is not None:
                    best = walk(hit, alert, now, best, matches)
        for patterns in self.sets:
            best = patterns.search(alert, now, best, matches)
        # The remaining rules require no single text, so each of them is checked.
        if self.rest is not None:
            best = walk(self.rest, alert, now, best, matches)
        return best


def walk(
    candidate: Candidate | None, alert: alerts.Alert, now: Timestamp, best: Candidate | None, matches: Matches
) -> Candidate | None:
    """Check a chain of candidates until one ends the search, or until ``best`` precedes all remaining candidates."""
    while candidate is not None:
        # Chains are in the order of the rules, so all remaining candidates come after the rule already found.
        if best is not None and candidate.number > best.number:
            return best
        check = candidate.predicate
        if check is None or check(alert, now):
            # The first matching rule without `continue` ends the search.
            if not candidate.continues:
                return candidate
            # A rule with `continue` adds to the rules after it.
            matches.append(candidate)
        candidate = candidate.next
    return best


class PatternSet:
    """Rules with patterns on the same field. RE2 searches for all of them in one pass over the text."""

    __slots__ = ("_first", "_patterns", "_read", "candidates")

    def __init__(self, read: fields.Reader, patterns: list[regex.Matches], candidates: list[Candidate]) -> None:
        """Store the patterns and, for each pattern, its candidate. Both are in the order of the rules."""
        self._read = read
        self._patterns = regex.CombinedPatterns(patterns)
        self.candidates = candidates
        self._first = candidates[0].number

    def search(self, alert: alerts.Alert, now: Timestamp, best: Candidate | None, matches: Matches) -> Candidate | None:
        """Return the first rule that matches and ends the search, as ``Node.search`` does."""
        # Every rule of the set comes after the rule found so far, so the text isn't searched.
        if best is not None and best.number < self._first:
            return best
        for index in self._patterns.find_matches(self._read(alert)):
            ended = walk(self.candidates[index], alert, now, best, matches)
            # The patterns are in the order of the rules, so the first match ends the search of this set.
            if ended is not best:
                return ended
        return best


class ResponseCache:
    """Caches the responses of alerts that several rules matched: one object for each combination of rules."""

    _MAX_CACHED = 10_000

    def __init__(self) -> None:
        self._cache: dict[tuple[int, ...], decisions.Response] = {}

    def response(self, chain: list[Candidate]) -> decisions.Response:
        """Return the combined response of several rules. For each destination, the first rule wins."""
        numbers = tuple(candidate.number for candidate in chain)
        cached = self._cache.get(numbers)
        # Alerts of one kind mostly match the same rules.
        if cached is not None:
            return cached
        # Clearing everything is rare and cheap. The combinations in use come back with the next alerts.
        if len(self._cache) >= self._MAX_CACHED:
            self._cache.clear()
        self._cache[numbers] = combined = _combine([candidate.response for candidate in chain])
        return combined


def _combine(responses: list[decisions.Response]) -> decisions.Response:
    """Add the destinations, labels, and notifiers of the later rules to the first rule's response."""
    first, *others = responses
    targets = {target.destination: target for target in first.targets}
    labels, copied = dict(first.labels), dict(first.copied)
    # The first rule that names a destination or a label decides it, as without `continue`.
    for response in others:
        for target in response.targets:
            targets.setdefault(target.destination, target)
        taken_names = labels.keys() | copied.keys()
        labels.update((name, text) for name, text in response.labels.items() if name not in taken_names)
        copied.update((name, source) for name, source in response.copied.items() if name not in taken_names)
    because = tuple(reason for response in responses for reason in response.because)
    notify = tuple(dict.fromkeys(name for response in responses for name in response.notify))
    return msgspec.structs.replace(
        first, targets=tuple(targets.values()), labels=labels, copied=copied, because=because, notify=notify
    )


def sort_matches(best: Candidate | None, matches: Matches) -> list[Candidate]:
    """Return all rules that decide, in order: those that continue, and the one that ended the search."""
    # Tables are searched in no particular order, so later rules may have matched before `best` was found.
    chain = [candidate for candidate in matches if best is None or candidate.number < best.number]
    chain.sort(key=lambda candidate: candidate.number)
    return [*chain, best] if best is not None else chain


def decision(
    alert: alerts.Alert, chain: list[Candidate], response: decisions.Response, now: Timestamp
) -> decisions.Decision:
    """Combine the rules of a chain into one decision.

    The name and the incident key are those of the first rule. The severity is the highest of all the rules.
    """
    last = chain[-1].exceptional
    if last is not None and last.ignored is not None:
        # No rule before the ignoring rule opens an incident, so the ignoring rule's reason is the decision.
        if not response.targets:
            return last.ignored
        # An earlier rule with `continue` already opens an incident. The ignoring rule only ends the search.
        chain = chain[:-1]
    # The first rule names the incident, so an added rule never moves alerts to another incident.
    first = chain[0]
    key = test_key(first.key if first.group is None else first.group(first.key, alert), alert)
    # Only the first rule's incident opens, so only its inhibitions count. Mute windows of all rules apply.
    muting = first.exceptional.while_open if first.exceptional is not None else ()
    return decisions.Decision(
        key,
        max(_severity(candidate, alert) for candidate in chain),
        response,
        while_open=tuple(join(alert) for join in muting),
        mute_windows=mute_windows.mute_windows(
            [window for each in chain if each.exceptional is not None for window in each.exceptional.mute_during], now
        ),
    )


def test_key(key: str, alert: alerts.Alert) -> str:
    """Return the incident key of an alert. Test alerts get separate keys, so that they never join a real incident."""
    # A real key ends with a name or a brace, so no real incident has such a key.
    return f"{key} (test)" if alert.is_test else key


def _severity(candidate: Candidate, alert: alerts.Alert) -> severities.Severity:
    # The rule sets a severity, which overrides the sender's.
    if candidate.severity is not None:
        return candidate.severity
    # The rule maps a field to a severity, or uses the sender's severity.
    return severity_aliases.severity(alert) if candidate.exceptional is None else candidate.exceptional.severity(alert)
