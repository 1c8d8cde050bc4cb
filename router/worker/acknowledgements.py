"""Acknowledgements of open incidents by operators, and by responders at vendors. A worker announces them."""

import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from router.domain import acknowledgements, incident_reminders, incidents, publications, timeline
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store


class NotOpenError(Exception):
    """The incident can't be acknowledged, because it isn't open. ``status`` is its status."""

    def __init__(self, status: incidents.Status) -> None:
        self.status = status
        super().__init__(f"the incident is {status}, and only open incidents can be acknowledged")


@dataclass(frozen=True)
class OperatorRequest:
    """An operator's request, with its reason."""

    who: str
    reason: str = ""


@dataclass(frozen=True)
class Given:
    """The active acknowledgement and its incident. ``is_new`` is false if it already existed."""

    incident: incidents.Incident
    acknowledgement: acknowledgements.Acknowledgement
    is_new: bool


class Acknowledgements:
    """Records and withdraws acknowledgements in the store."""

    def __init__(self, store: Store, clock: Callable[[], Timestamp]) -> None:
        self._store = store
        self._clock = clock

    async def acknowledge(self, key: str, request: OperatorRequest) -> Given:
        """Acknowledge an open incident, unless it has an active acknowledgement that isn't stale.

        If two operators acknowledge concurrently, record the first. Raises ``NotOpenError``.
        """
        now = self._clock()
        given: list[incidents.Incident] = []

        def make(stored: StoredIncident) -> Change | None:
            after = add_acknowledgement(stored.incident, request, now)
            # The store calls this again if another process has written the incident first, so only the last result
            # counts.
            given[:] = [after]
            if after is stored.incident:
                return None
            assert after.interventions.acknowledgement is not None  # noqa: S101 - it was acknowledged above
            events = [timeline.acknowledged_event(after.interventions.acknowledgement)]
            return Change(after, stored.version, wake=True, events=events)

        is_new = await self._store.incidents.update(key, make)
        (incident,) = given
        assert incident.interventions.acknowledgement is not None  # noqa: S101 - acknowledged() raises if the incident isn't open
        return Given(incident, incident.interventions.acknowledgement, is_new)

    async def withdraw(self, key: str, request: OperatorRequest) -> acknowledgements.Acknowledgement | None:
        """End the active acknowledgement and return it. Return None if none is active."""
        now = self._clock()
        given: list[acknowledgements.Acknowledgement] = []

        def make(stored: StoredIncident) -> Change | None:
            ended = end_acknowledgement(stored.incident, request, now)
            # The store may call this again after a conflict, in which another operator may have withdrawn it.
            given[:] = [] if ended is None else [ended]
            if ended is None:
                return None
            after = incidents.with_interventions(stored.incident, acknowledgement=ended)
            return Change(after, stored.version, wake=True, events=[timeline.unacknowledged_event(ended)])

        await self._store.incidents.update(key, make)
        return given[0] if given else None


async def read_back(
    store: Store, incident: incidents.Incident, all_publications: Sequence[publications.Publication]
) -> None:
    """Record the acknowledgement of a responder at a vendor, if the publications show a new one.

    A crash loses nothing, because the publication stores when it was seen and the next pass compares again.
    """
    # Most passes find no new acknowledgement, so compare the copy under the lease before reading the incident again.
    if add_vendor_acknowledgement(incident, all_publications) is incident:
        return

    def make(stored: StoredIncident) -> Change | None:
        after = add_vendor_acknowledgement(stored.incident, all_publications)
        if after is stored.incident or after.interventions.acknowledgement is None:
            return None
        events = [timeline.acknowledged_event(after.interventions.acknowledgement)]
        return Change(after, stored.version, wake=True, events=events)

    await store.incidents.update(incident.key, make)


def add_vendor_acknowledgement(
    incident: incidents.Incident, documents: Iterable[publications.Publication]
) -> incidents.Incident:
    """Add the newest acknowledgement at a vendor. Return the same object if there is no new one."""
    acknowledged = [
        (publication.acknowledged_at, publication.destination)
        for publication in documents
        if publication.episode == incident.episode and publication.acknowledged_at is not None
    ]
    # An active acknowledgement stays, whether an operator or a responder gave it. A closed incident takes none.
    if incident.status != "open" or incident.acknowledged is not None or not acknowledged:
        return incident
    acknowledged_at, destination = max(acknowledged, key=operator.itemgetter(0))
    before = incident.interventions.acknowledgement
    # An acknowledgement from before the last one ended is already recorded, or the end overrules it.
    if before is not None and acknowledged_at <= max(before.at, before.ended_at):
        return incident
    acknowledgement = acknowledgements.Acknowledgement("", acknowledged_at, incident.severity, destination=destination)
    return incidents.with_interventions(incident, acknowledgement=acknowledgement)


def add_acknowledgement(incident: incidents.Incident, request: OperatorRequest, now: Timestamp) -> incidents.Incident:
    """Add an acknowledgement. Return the same object if an active one isn't stale.

    Raises ``NotOpenError``.
    """
    if incident.status != "open":
        raise NotOpenError(incident.status)
    # The first operator works on the incident. A second operator sees the first one's name, and may withdraw.
    if incident.acknowledged is not None and not incident_reminders.is_stale(incident, now):
        return incident
    before = incident.interventions.acknowledgement
    # Each acknowledgement needs a unique time, because notifiers distinguish acknowledgements by time.
    at = Timestamp(max(now, max(before.at, before.ended_at) + 1)) if before is not None else now
    acknowledgement = acknowledgements.Acknowledgement(request.who, at, incident.severity, request.reason)
    return incidents.with_interventions(incident, acknowledgement=acknowledgement)


def end_acknowledgement(
    incident: incidents.Incident, request: OperatorRequest, now: Timestamp
) -> acknowledgements.Acknowledgement | None:
    """Return the incident's acknowledgement, withdrawn by the operator. Return None if none is active."""
    acknowledgement = incident.acknowledged
    if acknowledgement is None:
        return None
    # ``at`` may be ahead of this clock, and an acknowledgement doesn't end before it begins.
    return msgspec.structs.replace(
        acknowledgement,
        ended_at=max(now, acknowledgement.at),
        ended_cause="withdrawn",
        ended_by=request.who,
        ended_reason=request.reason,
    )
