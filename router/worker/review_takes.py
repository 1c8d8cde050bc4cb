"""Takes of reviews: a person works on a review for a limited time. Other reviewers may still decide."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from router.domain import incidents, reviews, timeline, times
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store

DEFAULT_SECONDS, MOST_SECONDS = 15 * 60, 4 * 3600
"""The default and the maximum duration of a take."""
_MOST_KEPT = 50  # The most takes to keep for an incident. The oldest takes have expired.


class Taken(NamedTuple):
    """The active take. ``is_new`` is false if another person took the review earlier."""

    take: reviews.Take
    is_new: bool


class Takes:
    """Records and releases takes in the store."""

    def __init__(self, store: Store, clock: Callable[[], Timestamp]) -> None:
        self._store = store
        self._clock = clock

    async def take(self, key: str, publication: str, who: str, seconds: int) -> Taken:
        """Take a publication's review for ``seconds``, unless another person has taken it. The taker may extend it."""
        now = self._clock()
        wanted = reviews.Take(who, now, Timestamp(now + times.from_seconds(seconds)))
        found: list[reviews.Take] = []

        def make(held: StoredIncident) -> Change | None:
            other = current(held.incident, publication, now)
            if other is not None and other.who != who:
                found[:] = [other]
                return None
            found[:] = [wanted]
            text = f"{who} took the review at {_destination(publication)}."
            event = timeline.Event(now, "review_taken", text, _destination(publication), who)
            after = _with(held.incident, publication, wanted)
            return Change(after, held.version, wake=True, events=[event])

        is_new = await self._store.incidents.update(key, make)
        return Taken(found[0], is_new)

    async def release(self, key: str, publication: str, who: str) -> reviews.Take | None:
        """End the take of a review, even of another person. Return it, or None if the review isn't taken."""
        now = self._clock()
        found: list[reviews.Take] = []

        def make(held: StoredIncident) -> Change | None:
            take = current(held.incident, publication, now)
            found[:] = [] if take is None else [take]
            if take is None:
                return None
            text = f"{who} released the review at {_destination(publication)}, which {take.who} had taken."
            event = timeline.Event(now, "review_released", text, _destination(publication), who)
            after = _with(held.incident, publication, msgspec.structs.replace(take, until=now, released_by=who))
            return Change(after, held.version, wake=True, events=[event])

        await self._store.incidents.update(key, make)
        return found[0] if found else None


def current(incident: incidents.Incident, publication: str, now: Timestamp) -> reviews.Take | None:
    """Return the active take of a publication's review. Return None if the review isn't taken."""
    take = incident.interventions.takes.get(publication)
    return take if take is not None and now < take.until else None


def without(incident: incidents.Incident, publication: str) -> dict[str, reviews.Take]:
    """Return the incident's takes without the decided review of ``publication``."""
    return {name: take for name, take in incident.interventions.takes.items() if name != publication}


def _with(incident: incidents.Incident, publication: str, take: reviews.Take) -> incidents.Incident:
    takes = [*without(incident, publication).items(), (publication, take)]
    return incidents.with_interventions(incident, takes=dict(takes[-_MOST_KEPT:]))


def _destination(publication: str) -> str:
    return publication.partition("/")[2]
