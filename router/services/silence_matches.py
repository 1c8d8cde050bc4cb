"""Finds which alerts silences match now, and whether their labels exist, for operators who check a new silence.

Incidents keep the labels of few of their alerts. The labels of other alerts are read from the newest stored deliveries.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from router.domain import alerts, silences
from router.domain.times import Timestamp
from router.services import resources
from router.store import incident_snapshot
from router.store.store import Store
from router.yaml_source import suggestions

_DELIVERIES = 1_000  # The newest stored deliveries that are searched.
_AT_ONCE = 100  # Each delivery is read with its body.
_MAX_ALERTS = 10_000  # Firing alerts that silences are matched against.
_FRESH = 10_000_000  # Microseconds for which the result of a read is cached.
_ALWAYS = frozenset({"source", "title", "severity"})  # The attributes that a matcher may name for every alert.
_FIELD = ("alert.labels.", "labels.", "alert.")  # Prefixes of names that rules write and silences omit.


class FiringAlerts(NamedTuple):
    """The firing alerts whose labels are known, and the number of the other firing alerts.

    ``labels`` are the names of the labels that any alert or rule has.
    """

    known: list[alerts.Alert]
    unknown: int
    labels: frozenset[str]


class SilenceMatches:
    """Finds the alerts that silences match. ``labels_named`` returns the labels that the rules name."""

    def __init__(
        self,
        store: Store,
        labels_named: Callable[[], Collection[str]],
        clock: Callable[[], Timestamp],
    ) -> None:
        self._store = store
        self._labels_named = labels_named
        self._clock = clock
        self._firing = FiringAlerts([], 0, frozenset())
        self._read_at = 0

    async def firing(self, seen: incident_snapshot.Snapshot) -> FiringAlerts:
        """Return the alerts that fire now. They are read again after 10 seconds at the earliest."""
        now = self._clock()
        if now - self._read_at > _FRESH:
            self._firing, self._read_at = await self._read(seen), now
        return self._firing

    def invalidate(self) -> None:
        """Clear the cache after an operator's action, so that the next query shows the result."""
        self._read_at = 0

    async def count(self, silence: silences.Silence, firing: FiringAlerts) -> int:
        """Return how many of the alerts match a silence; 0 if one of its matchers can't be parsed."""
        try:
            tests = [silences.test(matcher) for matcher in silence.matchers]
        except silences.InvalidMatcher:
            return 0
        # Ten thousand alerts take a few milliseconds for each silence, so other tasks get their turn in between.
        return await asyncio.to_thread(lambda: sum(all(test(alert) for test in tests) for alert in firing.known))

    async def _read(self, seen: incident_snapshot.Snapshot) -> FiringAlerts:
        fires = {
            identity
            for incident in seen.incidents.values()
            for identity, state in incident.incident.alerts.items()
            if not state.resolved
        }
        cached = {alert.identity: alert for alert in _firing_alerts(seen)}
        fires.update(identity for incident in seen.incidents.values() for identity in incident.incident.muted)
        # A label that a rule names is valid, even if no alert has had it yet.
        labels = set(self._labels_named()) | {name for alert in cached.values() for name in alert.labels}
        before = ""
        for _ in range(_DELIVERIES // _AT_ONCE):
            page, before = await self._store.archive.page(before, _AT_ONCE)
            for alert in (row.alert for archived in page for row in archived.delivery.rows):
                labels.update(alert.labels)
                if alert.identity in fires:
                    # The newest delivery comes first, so labels that are known already are at least as new as these.
                    cached.setdefault(alert.identity, alert)
            if not before:
                break
        firing_alerts = [alert for identity, alert in cached.items() if identity in fires][:_MAX_ALERTS]
        return FiringAlerts(firing_alerts, len(fires) - len(firing_alerts), frozenset(labels))


def unknown_labels(silence: silences.Silence, labels: Collection[str]) -> list[resources.UnknownLabel]:
    """Return the labels of a silence that no rule names and no known alert has, each with the nearest valid name."""
    return [
        resources.UnknownLabel(name=matcher.name, nearest=_nearest(matcher.name, labels))
        for matcher in silence.matchers
        if matcher.name not in _ALWAYS and matcher.name not in labels
    ]


def _nearest(name: str, labels: Collection[str]) -> str:
    for prefix in _FIELD:
        # Rules name a label as `labels.service`. In a silence, the same name without the prefix is the likely
        # intention.
        if name.startswith(prefix) and (bare := name.removeprefix(prefix)) in _ALWAYS.union(labels):
            return bare
    return suggestions.nearest(name, _ALWAYS.union(labels)) or ""


def _firing_alerts(seen: incident_snapshot.Snapshot) -> Iterable[alerts.Alert]:
    """Return the alerts whose labels incidents keep: opening alerts, muted alerts, and waiting alerts."""
    for entry in seen.incidents.values():
        incident = entry.incident
        yield from (ask.routed.alert for ask in incident.muted.values())
        yield from (ask.alert for ask in incident.held_alerts.values())
        yield from (ask.alert for ask in incident.asks)
        if incident.opening_alert is not None:
            yield incident.opening_alert
