"""Takes of reviews: a person works on a review for a limited time. Other reviewers may still decide."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from router.domain import incidents, reviews, timeline, times
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store

DEFAULT_SECONDS, MAX_SECONDS = 15 * 60, 4 * 3600
"""The default and the maximum duration of a take."""
_MAX_KEPT = 50  # The most takes to keep for an incident. The oldest takes have expired.


class Taken(NamedTuple):
    """The active take. ``is_new`` is false if another person took the review earlier."""

    take: reviews.Take
    is_new: bool


class Takes:
    """Records and releases takes in the store."""

    def __init__(self, store: Store, clock: Callable[[], Timestamp]) -> None:
        self._store = store
        self._clock = clock

    async def take(self, key: str, publication: str, person: str, seconds: int) -> Taken:
        """Take a publication's review for ``seconds``, unless another person has taken it. The taker may extend it."""
        now = self._clock()
        take = reviews.Take(person, now, Timestamp(now + times.from_seconds(seconds)))
        takes: list[reviews.Take] = []

        def make(stored: StoredIncident) -> Change | None:
            other = current(stored.incident, publication, now)
            if other is not None and other.who != person:
                takes[:] = [other]
                return None
            takes[:] = [take]
            text = f"{person} took the review at {_destination(publication)}."
            event = timeline.Event(now, "review_taken", text, _destination(publication), person)
            after = _with(stored.incident, publication, take)
            return Change(after, stored.version, wake=True, events=[event])

        is_new = await self._store.incidents.update(key, make)
        return Taken(takes[0], is_new)

    async def release(self, key: str, publication: str, person: str) -> reviews.Take | None:
        """End the take of a review, even of another person. Return it, or None if the review isn't taken."""
        now = self._clock()
        takes: list[reviews.Take] = []

        def make(stored: StoredIncident) -> Change | None:
            take = current(stored.incident, publication, now)
            takes[:] = [] if take is None else [take]
            if take is None:
                return None
            text = f"{person} released the review at {_destination(publication)}, which {take.who} had taken."
            event = timeline.Event(now, "review_released", text, _destination(publication), person)
            after = _with(stored.incident, publication, msgspec.structs.replace(take, until=now, released_by=person))
            return Change(after, stored.version, wake=True, events=[event])

        await self._store.incidents.update(key, make)
        return takes[0] if takes else None


def current(incident: incidents.Incident, publication: str, now: Timestamp) -> reviews.Take | None:
    """Return the active take of a publication's review. Return None if the review isn't taken."""
    take = incident.interventions.takes.get(publication)
    return take if take is not None and now < take.until else None


def without(incident: incidents.Incident, publication: str) -> dict[str, reviews.Take]:
    """Return the incident's takes without the decided review of ``publication``."""
    return {name: take for name, take in incident.interventions.takes.items() if name != publication}


def _with(incident: incidents.Incident, publication: str, take: reviews.Take) -> incidents.Incident:
    # A repeated take moves to the end, so that the limit drops the oldest ones.
    takes = [*without(incident, publication).items(), (publication, take)]
    return incidents.with_interventions(incident, takes=dict(takes[-_MAX_KEPT:]))


def _destination(publication: str) -> str:
    return publication.partition("/")[2]
