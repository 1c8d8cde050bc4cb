"""The complete record of an incident."""

import msgspec

from router.domain import incidents, timeline
from router.domain.publications import Publication
from router.store.store import Store


class IncidentRecord(msgspec.Struct, frozen=True):
    """The complete record of an incident: the incident, its publications, and its timeline."""

    incident: incidents.Incident
    publications: list[Publication]
    timeline: list[timeline.Event]


async def read(store: Store, incident_key: str) -> IncidentRecord | None:
    """Return the record of the incident with this key; None if there is none."""
    stored = (await store.incidents.read([incident_key]))[incident_key]
    if not stored.version:
        return None
    return IncidentRecord(
        stored.incident, await store.publications.look(incident_key), await store.incidents.timeline(incident_key)
    )
