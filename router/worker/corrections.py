"""Operators' corrections of updates that the router has posted on public pages, for vendors that permit changes."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from router.domain import corrections, incidents, publications, texts, timeline, visible
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.worker import desired_state

_MOST_KEPT = 20
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


def posted(publication: publications.Publication) -> list[Posted]:
    """Return the newest updates that the router has posted, the oldest first."""
    if publication.state not in _SHOWN:
        return []
    listed = publication.view.fields.get("posted") or ()
    return [Posted(identity, status, text, texts.mark(text)) for identity, status, text in listed]


class Corrections:
    """Accepts requests for corrections. A worker makes them."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], Timestamp],
    ) -> None:
        self._store = store
        self._clock = clock

    async def correct(self, key: str, destination: str, word: CorrectionRequest) -> Posted:
        """Request the correction of an update. Return the update before it. Raises one of this module's errors."""
        known = await self._store.publications.look(key)
        one = next((one for one in known if one.destination == destination and _has(one, word.update)), None)
        if one is None:
            raise UnknownUpdateError(word.update)
        update = next(update for update in posted(one) if update.id == word.update)
        if update.seen != word.seen:
            raise OutdatedError(update.text)
        if not corrections.is_status_allowed(update.status, word.status):
            raise StatusError(corrections.STATUS_REFUSED)
        now = self._clock()

        def make(held: StoredIncident) -> Change | None:
            incident = held.incident
            if corrections.pending(incident.interventions.corrections, one) is not None:
                raise UnderWayError
            wanted = corrections.Correction(
                word.update, visible.visible(word.body), word.seen, word.who, now, word.status, word.reason
            )
            return Change(
                _with(incident, one.name, wanted), held.version, wake=True, events=[_told(one, update, wanted)]
            )

        await self._store.incidents.update(key, make)
        return update


def _has(publication: publications.Publication, update: str) -> bool:
    return any(one.id == update for one in posted(publication))


def _with(incident: incidents.Incident, name: str, wanted: corrections.Correction) -> incidents.Incident:
    kept = {known: one for known, one in incident.interventions.corrections.items() if known != name} | {name: wanted}
    return incidents.with_interventions(incident, corrections=dict(list(kept.items())[-_MOST_KEPT:]))


def _told(one: publications.Publication, update: Posted, wanted: corrections.Correction) -> timeline.Event:
    text = f"{wanted.who} corrects an update at {one.destination}"
    text += f": {wanted.reason}" if wanted.reason else "."
    detail = {"update": update.id, "before": update.text, "body": wanted.body, "status": wanted.status}
    return timeline.Event(wanted.at, "correction", text, one.destination, wanted.who, detail)


def takes(places: Mapping[str, desired_state.Place], destination: str) -> bool:
    """Return whether a destination permits changes of posted updates."""
    return destination in places and places[destination].kind.corrects
