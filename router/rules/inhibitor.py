"""Adds the inhibition keys to decisions: the keys that an alert supports while it fires, and the keys that mute it.

An inhibition key is the name of the inhibition and the values of its ``equal`` fields, formatted like an incident key:
``inhibit:cluster-down{labels.cluster="eu-1"}``. An absent label is the empty text, so two alerts without the label are
equal, as in Alertmanager.

Also as in Alertmanager, alerts that match both sides of an inhibition inhibit neither one another nor themselves. Such
an alert therefore supports a separate key (``inhibit:cluster-down:both{…}``), which mutes only alerts that match only
the target side:

    matches              supports          is muted by
    source only          inhibit:x         -
    source and target    inhibit:x:both    inhibit:x
    target only          -                 inhibit:x, inhibit:x:both
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from router.domain import alerts, decisions
from router.domain.times import Timestamp
from router.rules import decide, fields, groups, incident_keys, inhibitions, model, predicates, reachability

_NO_LABELS = decisions.Response("", "", "")
_BOTH = ":both"

Make = Callable[[alerts.Alert, decisions.Response, str], str]
"""Makes the key for an alert with its response; the text follows the inhibition's name."""


class _Labels(NamedTuple):
    """One inhibition by labels. ``overlaps``: an alert may match both of its sides."""

    source: predicates.Predicate
    target: predicates.Predicate
    key: Make
    overlaps: bool


class Inhibitor:
    """All inhibitions of a rule set."""

    def __init__(self, rules: Sequence[model.Rule]) -> None:
        """Compile the inhibitions that the rules are subject to."""
        factory = predicates.PredicateFactory()
        by_name = {rule.name: rule for rule in rules}
        # All rules of a file or a folder share the same inhibition objects.
        by_id = {id(inhibition): inhibition for rule in rules for inhibition in rule.label_inhibitions}
        # Small numbers are cheaper to hash and to sort than the inhibitions themselves.
        numbers = {identity: number for number, identity in enumerate(by_id)}
        every = dict(enumerate(by_id.values()))
        self._by_labels = {number: _labels(inhibition, factory) for number, inhibition in every.items()}
        self._targets = {
            rule.name: frozenset(
                numbers[id(inhibition)]
                for inhibition in rule.label_inhibitions
                # A rule whose conditions contradict the target can't match a target, so it isn't checked for each
                # alert.
                if not reachability.never_both(inhibition.target.asked, rule.conditions)
            )
            for rule in rules
        }
        overs = {
            inhibition: _key(inhibition.rule, inhibition.equal)
            for rule in rules
            for inhibition in rule.rule_inhibitions
            # The inhibiting rule may belong to an isolated folder that is omitted for now.
            if inhibition.rule in by_name
        }
        self._over_sources: dict[str, tuple[Make, ...]] = dict.fromkeys(by_name, ())
        for over, key in overs.items():
            self._over_sources[over.rule] += (key,)
        self._over_targets: Mapping[str, tuple[Make, ...]] = {
            rule.name: tuple(overs[over] for over in rule.rule_inhibitions if over in overs) for rule in rules
        }
        self._tables, self._loose = _build_index(every)

    def _near(self, alert: alerts.Alert) -> set[int]:
        """Return the inhibitions whose source the alert may match."""
        candidates = set(self._loose)
        for read, table in self._tables:
            candidates.update(table.get(read(alert), ()))
        return candidates

    def apply(self, decision: decisions.Decision, alert: alerts.Alert, now: Timestamp) -> decisions.Decision:
        """Return the decision with the alert's inhibition keys, or the same object if there are none."""
        response = decision.response or _NO_LABELS
        # An alert that no rule matched can still inhibit as a source, but is no target.
        names = [reason.rule for reason in response.because]
        targets = {
            number for name in names for number in self._targets[name] if self._by_labels[number].target(alert, now)
        }
        inhibits: list[str] = []
        muted_by: list[str] = []
        # Sorting makes the keys of equal alerts equal, whatever the order of the sets.
        for number in sorted(self._near(alert) | targets):
            predicates_by_number = self._by_labels[number]
            is_target = number in targets
            # If no alert can match both sides, a target is no source, and the check is skipped.
            is_source = (not is_target or predicates_by_number.overlaps) and predicates_by_number.source(alert, now)
            if is_source:
                inhibits.append(predicates_by_number.key(alert, response, _BOTH if is_target else ""))
            if is_target:
                muted_by.append(predicates_by_number.key(alert, response, ""))
                # An alert that matches both sides inhibits under a separate key, so that it mutes others but not
                # itself.
                if predicates_by_number.overlaps and not is_source:
                    muted_by.append(predicates_by_number.key(alert, response, _BOTH))
        # With `continue`, several rules decide, and each of them may inhibit and be inhibited.
        for name in names:
            inhibits += [key(alert, response, "") for key in self._over_sources[name]]
            muted_by += [key(alert, response, "") for key in self._over_targets[name]]
        # Most alerts take part in no inhibition, and copying the decision would cost more than the search.
        if not inhibits and not muted_by:
            return decision
        return _with(decision, inhibits, muted_by)


def _build_index(
    every: Mapping[int, inhibitions.Inhibition],
) -> tuple[list[tuple[fields.Reader, dict[str, list[int]]]], tuple[int, ...]]:
    """Return the inhibitions by a text that their source requires in a field, and those without such a text."""
    tables: dict[fields.Field, dict[str, list[int]]] = {}
    loose = []
    for number, inhibition in every.items():
        lookup = next(
            ((field, condition.values) for field, condition in inhibition.source.asked if condition.values), None
        )
        # Without a listed text, the source has to be checked against every alert.
        if lookup is None:
            loose.append(number)
            continue
        for text in lookup[1]:
            tables.setdefault(lookup[0], {}).setdefault(text, []).append(number)
    return [(field.reader(), table) for field, table in tables.items()], tuple(loose)


def _with(decision: decisions.Decision, inhibits: Iterable[str], muted_by: Iterable[str]) -> decisions.Decision:
    supported = tuple(dict.fromkeys(inhibits))
    # An alert that matches both rules of an inhibition would otherwise mute itself for as long as it fires.
    foreign = [key for key in dict.fromkeys(muted_by) if key not in supported]
    return msgspec.structs.replace(
        decision, inhibits=supported, while_open=tuple(dict.fromkeys((*decision.while_open, *foreign)))
    )


def _labels(inhibition: inhibitions.Inhibition, factory: predicates.PredicateFactory) -> _Labels:
    return _Labels(
        factory.predicate(inhibition.source.asked, groups.OtherConditions(inhibition.source.groups)) or _always,
        factory.predicate(inhibition.target.asked, groups.OtherConditions(inhibition.target.groups)) or _always,
        _key(inhibition.name, inhibition.equal),
        not reachability.never_both(inhibition.source.asked, inhibition.target.asked),
    )


def _always(_: alerts.Alert, __: int) -> bool:
    return True


def _key(name: str, equal: tuple[fields.Field, ...]) -> Make:
    readers = [(field.name, _reader(field)) for field in equal]

    def make(alert: alerts.Alert, response: decisions.Response, mark: str) -> str:
        pairs = ",".join(f"{field}={incident_keys.quote(read(alert, response))}" for field, read in readers)
        key = f"{decisions.INHIBITION}{name}{mark}" + (f"{{{pairs}}}" if pairs else "")
        return decide.test_key(key, alert)  # Test alerts inhibit only test alerts.

    return make


def _reader(field: fields.Field) -> Callable[[alerts.Alert, decisions.Response], str]:
    """Return a reader of a field as in ``group_by``: a label that the rules set or copy overrides the sender's."""
    read = field.reader()
    if field.part != "labels":
        return lambda alert, _: read(alert)
    label = field.key

    def label_of(alert: alerts.Alert, response: decisions.Response) -> str:
        if label in response.labels:
            return response.labels[label]
        if label in response.copied:
            return fields.parse(response.copied[label]).reader()(alert)
        return read(alert)

    return label_of
