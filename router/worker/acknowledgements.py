"""Acknowledgements of open incidents by operators, and by responders at vendors. A worker announces them."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from router.domain import acknowledgements, incident_reminders, incidents, publications, timeline
from router.store import incidents as incident_store


class NotOpenError(Exception):
    """The incident isn't open, so that nothing of it can be acknowledged. ``status`` is what it is."""

    def __init__(self, status: incidents.Status) -> None:
        self.status = status
        super().__init__(f"the incident is {status}, and only open incidents can be acknowledged")


@dataclass(frozen=True)
class Word:
    """An operator's statement, and the reason."""

    who: str
    reason: str = ""


@dataclass(frozen=True)
class Given:
    """The acknowledgement that holds now, and the incident; ``is_new`` is false if another one was there before."""

    incident: incidents.Incident
    acknowledgement: acknowledgements.Acknowledgement
    is_new: bool


class Acknowledgements:
    """Records acknowledgements, and ends them."""

    def __init__(self, store: incident_store.Incidents, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def acknowledge(self, key: str, word: Word) -> Given:
        """Acknowledge an open incident, unless an acknowledgement holds already that isn't stale.

        Of two operators who acknowledge at once, the first one is recorded. Raises ``NotOpenError``.
        """
        now = self._clock()
        found: list[incidents.Incident] = []

        def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
            after = acknowledged(held.incident, word, now)
            found[:] = [after]
            if after is held.incident:
                return None
            assert after.acknowledgement is not None  # noqa: S101 - it was acknowledged above
            events = [timeline.acknowledged(after.acknowledgement)]
            return incident_store.Change(after, held.version, wake=True, events=events)

        is_new = await self._store.update(key, make)
        (incident,) = found
        assert incident.acknowledgement is not None  # noqa: S101 - of an incident that is not open, it raises
        return Given(incident, incident.acknowledgement, is_new)

    async def withdraw(self, key: str, word: Word) -> acknowledgements.Acknowledgement | None:
        """End the acknowledgement that holds. Return it; None if none holds."""
        now = self._clock()
        found: list[acknowledgements.Acknowledgement] = []

        def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
            ended = withdrawn(held.incident, word, now)
            found[:] = [] if ended is None else [ended]
            if ended is None:
                return None
            after = msgspec.structs.replace(held.incident, acknowledgement=ended)
            return incident_store.Change(after, held.version, wake=True, events=[timeline.unacknowledged(ended)])

        await self._store.update(key, make)
        return found[0] if found else None


async def read_back(
    store: incident_store.Incidents, incident: incidents.Incident, known: Sequence[publications.Publication]
) -> None:
    """Record the acknowledgement of a responder at a vendor, if the publications show a new one.

    Crashes lose nothing: the publication keeps when it was seen, and the next pass compares again.
    """
    if with_vendors(incident, known) is incident:
        return

    def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
        after = with_vendors(held.incident, known)
        if after is held.incident or after.acknowledgement is None:
            return None
        events = [timeline.acknowledged(after.acknowledgement)]
        return incident_store.Change(after, held.version, wake=True, events=events)

    await store.update(incident.key, make)


def with_vendors(incident: incidents.Incident, known: Iterable[publications.Publication]) -> incidents.Incident:
    """Return the incident with the newest acknowledgement at a vendor; the same object if there is no new one."""
    given = [one for one in known if one.episode == incident.episode and one.acknowledged_at]
    if incident.status != "open" or incident.acknowledged is not None or not given:
        return incident
    newest, before = max(given, key=lambda one: one.acknowledged_at), incident.acknowledgement
    # One that was seen before the last one ended is known already, or was overruled by its end.
    if before is not None and newest.acknowledged_at <= max(before.at, before.ended_at):
        return incident
    found = acknowledgements.Acknowledgement(
        "", newest.acknowledged_at, incident.severity, destination=newest.destination
    )
    return msgspec.structs.replace(incident, acknowledgement=found)


def acknowledged(incident: incidents.Incident, word: Word, now: int) -> incidents.Incident:
    """Return the incident with an acknowledgement; the same object if one holds that isn't stale.

    Raises ``NotOpenError``.
    """
    if incident.status != "open":
        raise NotOpenError(incident.status)
    # The first operator works on it. A second one has to learn who that is, and may withdraw it.
    if incident.acknowledged is not None and not incident_reminders.is_stale(incident, now):
        return incident
    before = incident.acknowledgement
    # Each acknowledgement has a time of its own, since notifiers tell them apart by it.
    at = max(now, max(before.at, before.ended_at) + 1) if before is not None else now
    given = acknowledgements.Acknowledgement(word.who, at, incident.severity, word.reason)
    return msgspec.structs.replace(incident, acknowledgement=given)


def withdrawn(incident: incidents.Incident, word: Word, now: int) -> acknowledgements.Acknowledgement | None:
    """Return the incident's acknowledgement after an operator has withdrawn it; None if none holds."""
    held = incident.acknowledged
    if held is None:
        return None
    return msgspec.structs.replace(
        held, ended_at=max(now, held.at), ended_cause="withdrawn", ended_by=word.who, ended_reason=word.reason
    )
