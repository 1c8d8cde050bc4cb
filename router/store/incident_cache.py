"""A cache of decoded incidents: a document that hasn't changed is neither sent nor decoded again."""

from collections import OrderedDict
from typing import NamedTuple

from router.domain import incidents

_ITSELF = 8  # Weight of an incident without alerts, in alerts.


class CachedIncident(NamedTuple):
    """An incident and its version."""

    incident: incidents.Incident
    version: int


class IncidentCache:
    """An LRU cache of incidents that hold at most ``max_alerts`` alerts together."""

    def __init__(self, max_alerts: int) -> None:
        self._max_alerts = max_alerts
        self._weight = 0
        self._cached: OrderedDict[str, CachedIncident] = OrderedDict()

    def get(self, name: str) -> CachedIncident | None:
        """Return the cached incident. The caller must check with the store that the version is current."""
        cached = self._cached.get(name)
        if cached is not None:
            self._cached.move_to_end(name)
        return cached

    def put(self, incident: incidents.Incident, version: int) -> None:
        """Store an incident and its version, replacing the cached one."""
        key = incident.key
        before = self._cached.pop(key, None)
        self._weight += _weight(incident) - (_weight(before.incident) if before is not None else 0)
        self._cached[key] = CachedIncident(incident, version)
        # The limit is on alerts, because an incident may have one alert or thousands.
        while self._weight > self._max_alerts:
            _, cached_incident = self._cached.popitem(last=False)
            self._weight -= _weight(cached_incident.incident)

    def evict(self, name: str) -> None:
        """Remove an incident from the cache."""
        if cached := self._cached.pop(name, None):
            self._weight -= _weight(cached.incident)


def _weight(incident: incidents.Incident) -> int:
    return _ITSELF + len(incident.alerts) + len(incident.muted)
