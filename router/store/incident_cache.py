"""Incidents that this process has read or written lately: what has not changed since is not sent and decoded again."""

from collections import OrderedDict
from typing import NamedTuple

from router.domain import incident as incidents

_ITSELF = 8  # What an incident without alerts weighs, in alerts.


class CachedIncident(NamedTuple):
    """An incident at a version."""

    incident: incidents.Incident
    version: int


class IncidentCache:
    """The incidents known, as many as hold ``most`` alerts together; those not asked for longest go first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._weight = 0
        self._seen: OrderedDict[str, CachedIncident] = OrderedDict()

    def get(self, name: str) -> CachedIncident | None:
        """What is known of an incident; whether it is so still has to be asked for."""
        return self._seen.get(name)

    def put(self, incident: incidents.Incident, version: int) -> None:
        """Keep an incident as it is at a version; what was known of it before is forgotten."""
        self.evict(incident.key)
        self._weight += _weight(incident)
        self._seen[incident.key] = CachedIncident(incident, version)
        while self._weight > self._most:
            _, gone = self._seen.popitem(last=False)
            self._weight -= _weight(gone.incident)

    def evict(self, name: str) -> None:
        """Know nothing of an incident any more."""
        if seen := self._seen.pop(name, None):
            self._weight -= _weight(seen.incident)


def _weight(incident: incidents.Incident) -> int:
    return _ITSELF + len(incident.alerts) + len(incident.muted)
