"""The active rules, which decide every accepted alert."""

from collections.abc import Sequence

from router.domain import alerts, decisions
from router.domain.times import Timestamp
from router.rules import decide, inhibitor, model, referenced_labels, severity_aliases
from router.rules.compile import compile_rules


class RuleSet:
    """All rules of a folder, compiled. A rule set is immutable; a reload makes a new one.

    ``version`` is a short hash of the files' bytes. ``rules`` are in the order in which they decide.
    """

    def __init__(self, rules: Sequence[model.Rule], version: str) -> None:
        """Compile validated rules."""
        self.version = version
        self.rules = tuple(rules)
        self._root = compile_rules(self.rules, version)
        self._response_cache = decide.ResponseCache()
        # Most rule sets have no inhibitions, and then no decision pays for them.
        inhibits = any(rule.label_inhibitions or rule.rule_inhibitions for rule in self.rules)
        self._inhibitor = inhibitor.Inhibitor(self.rules) if inhibits else None
        self._labels_named: frozenset[str] | None = None

    def labels_named(self) -> frozenset[str]:
        """Return the labels and annotations that any rule names.

        They are the last to be dropped from an oversized alert.
        """
        # Computed when first used: only oversized alerts need them, and the search visits all rules.
        if self._labels_named is None:
            self._labels_named = referenced_labels.labels(self.rules)
        return self._labels_named

    def parts(self) -> list[object]:
        """Return the objects that take most of the memory, for a caller that frees a rule set in small steps."""
        return [*self._root.candidates(), *self.rules]

    def decide(self, alert: alerts.Alert, now: Timestamp) -> decisions.Decision:
        """Decide an alert at a time, in microseconds since the epoch. Only rules with schedules depend on the time.

        The same alert at the same time always gets the same decision.
        """
        decision = self._decide(alert, now)
        return decision if self._inhibitor is None else self._inhibitor.apply(decision, alert, now)

    def _decide(self, alert: alerts.Alert, now: Timestamp) -> decisions.Decision:
        matches: decide.Matches = []
        best = self._root.search(alert, now, None, matches)
        # Rules with `continue` matched: the response combines them with the one that ended the search.
        if matches:
            chain = decide.sort_matches(best, matches)
            return decide.decision(alert, chain, self._response_cache.response(chain), now)
        # No rule matched.
        if best is None:
            return decide.IGNORED
        # The rule ignores, mutes, or maps severities.
        if best.exceptional is not None:
            return decide.decision(alert, [best], best.response, now)
        # The common case is inlined, since a call would take a tenth of the time of a decision.
        severity = best.severity
        if severity is None:
            severity = severity_aliases.severity(alert)
        group = best.group
        # Without `group_by`, all alerts of the rule share one incident.
        key = best.key if group is None else group(best.key, alert)
        # A test alert must never join a real incident.
        if "test" in alert.labels:
            key = decide.test_key(key, alert)
        return decisions.Decision(key, severity, best.response)
