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
    """An LRU cache of incidents that hold at most ``most`` alerts together."""

    def __init__(self, max_bytes: int) -> None:
        self._most = max_bytes
        self._weight = 0
        self._seen: OrderedDict[str, CachedIncident] = OrderedDict()

    def get(self, name: str) -> CachedIncident | None:
        """Return the cached incident. The caller must check with the store that the version is current."""
        found = self._seen.get(name)
        if found is not None:
            self._seen.move_to_end(name)
        return found

    def put(self, incident: incidents.Incident, version: int) -> None:
        """Store an incident and its version, replacing the cached one."""
        key = incident.key
        before = self._seen.pop(key, None)
        self._weight += _weight(incident) - (_weight(before.incident) if before is not None else 0)
        self._seen[key] = CachedIncident(incident, version)
        # The limit is on alerts, because an incident may have one alert or thousands.
        while self._weight > self._most:
            _, cached_incident = self._seen.popitem(last=False)
            self._weight -= _weight(cached_incident.incident)

    def evict(self, name: str) -> None:
        """Remove an incident from the cache."""
        if seen := self._seen.pop(name, None):
            self._weight -= _weight(seen.incident)


def _weight(incident: incidents.Incident) -> int:
    return _ITSELF + len(incident.alerts) + len(incident.muted)
