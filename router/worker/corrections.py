"""Operators' corrections of updates that the router has posted on public pages, for vendors that permit changes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from router.domain import corrections, incidents, publications, texts, timeline, visible
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.worker import desired_state

_MAX_KEPT = 20
_SHOWN = frozenset({"open", "resolved"})


class Posted(NamedTuple):
    """One update that the router has posted, as the vendor last showed it. ``seen`` is the mark of its text."""

    id: str
    status: str
    text: str
    seen: str


class CorrectionRequest(NamedTuple):
    """An operator's request: ``body`` replaces an update's text, and ``status`` its status unless it is empty.

    ``seen`` is the mark of the text that the operator has seen.
    """

    update: str
    body: str
    seen: str
    who: str
    status: str = ""
    reason: str = ""


class UnknownUpdateError(Exception):
    """The router has posted no such update there."""


class OutdatedError(Exception):
    """The update has another text than the operator has seen."""


class StatusError(Exception):
    """The correction would change an update's status to or from resolved."""


class UnderWayError(Exception):
    """Another correction of the post is still to be made."""


def list_posted(publication: publications.Publication) -> list[Posted]:
    """Return the newest updates that the router has posted, the oldest first."""
    if publication.state not in _SHOWN:
        return []
    rows = publication.view.fields.get("posted") or ()
    return [Posted(identity, status, text, texts.mark(text)) for identity, status, text in rows]


class Corrections:
    """Accepts requests for corrections. A worker makes them."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], Timestamp],
    ) -> None:
        self._store = store
        self._clock = clock

    async def correct(self, key: str, destination: str, request: CorrectionRequest) -> Posted:
        """Request the correction of an update. Return the update before it. Raises one of this module's errors."""
        all_publications = await self._store.publications.look(key)
        publication = next(
            (
                entry
                for entry in all_publications
                if entry.destination == destination and _has_update(entry, request.update)
            ),
            None,
        )
        if publication is None:
            raise UnknownUpdateError(request.update)
        update = next(update for update in list_posted(publication) if update.id == request.update)
        # The update has changed since the operator read it, so the correction could undo that change.
        if update.seen != request.seen:
            raise OutdatedError(update.text)
        if not corrections.is_status_allowed(update.status, request.status):
            raise StatusError(corrections.STATUS_REFUSED)
        now = self._clock()

        def make(stored: StoredIncident) -> Change | None:
            incident = stored.incident
            # Checked in the write, because two operators may pass the checks above at the same time.
            if corrections.pending(incident.interventions.corrections, publication) is not None:
                raise UnderWayError
            correction = corrections.Correction(
                request.update,
                visible.visible(request.body),
                request.seen,
                request.who,
                now,
                request.status,
                request.reason,
            )
            return Change(
                _with_correction(incident, publication.name, correction),
                stored.version,
                wake=True,
                events=[_correction_event(publication, update, correction)],
            )

        await self._store.incidents.update(key, make)
        return update


def _has_update(publication: publications.Publication, update: str) -> bool:
    return any(posted_update.id == update for posted_update in list_posted(publication))


def _with_correction(incident: incidents.Incident, name: str, correction: corrections.Correction) -> incidents.Incident:
    # A repeated correction moves to the end, so that the limit drops the oldest ones.
    kept_corrections = {
        correction_id: entry
        for correction_id, entry in incident.interventions.corrections.items()
        if correction_id != name
    } | {name: correction}
    return incidents.with_interventions(incident, corrections=dict(list(kept_corrections.items())[-_MAX_KEPT:]))


def _correction_event(
    publication: publications.Publication, update: Posted, correction: corrections.Correction
) -> timeline.Event:
    text = f"{correction.who} corrects an update at {publication.destination}"
    text += f": {correction.reason}" if correction.reason else "."
    detail = {"update": update.id, "before": update.text, "body": correction.body, "status": correction.status}
    return timeline.Event(correction.at, "correction", text, publication.destination, correction.who, detail)


def is_supported(places: Mapping[str, desired_state.DestinationTraits], destination: str) -> bool:
    """Return whether a destination permits changes of posted updates."""
    return destination in places and places[destination].kind.corrects
