"""What silences match now, and whether their labels exist: for people who write a silence and see nothing happen.

Incidents keep the labels of few of their alerts. Those of the others are read from the newest kept deliveries.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple

from router.domain import alerts
from router.domain import silences as silencing
from router.services import resources
from router.store import archive, incident_snapshot
from router.yaml_source import suggestions

_DELIVERIES = 1_000  # The newest kept deliveries that are looked through.
_AT_ONCE = 100  # Each is read with its body.
_MOST_ALERTS = 10_000  # Firing alerts that silences are held against.
_FRESH = 10_000_000  # Microseconds for which what was read is believed.
_ALWAYS = frozenset({"source", "title", "severity"})  # What a matcher may name of every alert.
_FIELD = ("alert.labels.", "labels.", "alert.")  # How rules write what a silence names without it.


class FiringAlerts(NamedTuple):
    """The alerts that fire now, as far as their labels are known, and how many others there are.

    ``labels`` are the names of the labels that any alert or rule has.
    """

    known: list[alerts.Alert]
    unknown: int
    labels: frozenset[str]


class SilenceMatches:
    """Finds what silences match. ``named`` gives the labels that the rules name."""

    def __init__(self, kept: archive.Archive, named: Callable[[], Collection[str]], clock: Callable[[], int]) -> None:
        self._kept = kept
        self._named = named
        self._clock = clock
        self._found = FiringAlerts([], 0, frozenset())
        self._found_at = 0

    async def firing(self, seen: incident_snapshot.Snapshot) -> FiringAlerts:
        """The alerts that fire now; read again after 10 seconds at the earliest."""
        now = self._clock()
        if now - self._found_at > _FRESH:
            self._found, self._found_at = await self._read(seen), now
        return self._found

    def invalidate(self) -> None:
        """Read again the next time: somebody has acted, and wants to see what came of it."""
        self._found_at = 0

    async def count(self, silence: silencing.Silence, firing: FiringAlerts) -> int:
        """How many of the alerts match a silence; none if one of its matchers can't be read."""
        try:
            tests = [silencing.test(matcher) for matcher in silence.matchers]
        except silencing.Unreadable:
            return 0
        # Ten thousand alerts take a few milliseconds for each silence: others are answered meanwhile.
        return await asyncio.to_thread(lambda: sum(all(test(alert) for test in tests) for alert in firing.known))

    async def _read(self, seen: incident_snapshot.Snapshot) -> FiringAlerts:
        fires = {
            identity
            for held in seen.incidents.values()
            for identity, state in held.incident.alerts.items()
            if not state.resolved
        }
        known = {alert.identity: alert for alert in _firing_alerts(seen)}
        fires.update(identity for held in seen.incidents.values() for identity in held.incident.muted)
        labels = set(self._named()) | {name for alert in known.values() for name in alert.labels}
        before = ""
        for _ in range(_DELIVERIES // _AT_ONCE):
            page, before = await self._kept.page(before, _AT_ONCE)
            for alert in (row.alert for recorded in page for row in recorded.delivery.rows):
                labels.update(alert.labels)
                if alert.identity in fires:
                    known.setdefault(alert.identity, alert)
            if not before:
                break
        found = [alert for identity, alert in known.items() if identity in fires][:_MOST_ALERTS]
        return FiringAlerts(found, len(fires) - len(found), frozenset(labels))


def unknown_labels(silence: silencing.Silence, labels: Collection[str]) -> list[resources.UnknownLabel]:
    """The labels of a silence that no rule names and no known alert has, with the valid name most like each."""
    return [
        resources.UnknownLabel(name=one.name, nearest=_nearest(one.name, labels))
        for one in silence.matchers
        if one.name not in _ALWAYS and one.name not in labels
    ]


def _nearest(name: str, labels: Collection[str]) -> str:
    for prefix in _FIELD:
        if name.startswith(prefix) and (bare := name.removeprefix(prefix)) in _ALWAYS.union(labels):
            return bare
    return suggestions.nearest(name, _ALWAYS.union(labels)) or ""


def _firing_alerts(seen: incident_snapshot.Snapshot) -> Iterable[alerts.Alert]:
    """The alerts whose labels incidents keep: those that opened one, that are muted, or that wait."""
    for held in seen.incidents.values():
        incident = held.incident
        yield from (one.routed.alert for one in incident.muted.values())
        yield from (one.alert for one in incident.held_alerts.values())
        yield from (one.alert for one in incident.asks)
        if incident.opening_alert is not None:
            yield incident.opening_alert
