"""Takes of reviews: a person says that they work on a review, for a limited time. Others may still decide."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec

from router.domain import incidents, reviews, timeline
from router.store import incidents as incident_store

DEFAULT_SECONDS, MOST_SECONDS = 15 * 60, 4 * 3600
"""How long a review is taken if the person doesn't say, and at most."""
_MOST_KEPT = 50  # Takes of one incident key. The oldest ones were over long ago.


class Taken(NamedTuple):
    """The take that holds now; ``is_new`` is false if another person has taken the review before."""

    take: reviews.Take
    is_new: bool


class Takes:
    """Records takes, and ends them."""

    def __init__(self, store: incident_store.Incidents, clock: Callable[[], int]) -> None:
        self._store = store
        self._clock = clock

    async def take(self, key: str, publication: str, who: str, seconds: int) -> Taken:
        """Take the review of a publication, unless another person has taken it. A person may take it for longer."""
        now = self._clock()
        wanted = reviews.Take(who, now, now + seconds * 1_000_000)
        found: list[reviews.Take] = []

        def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
            other = current(held.incident, publication, now)
            if other is not None and other.who != who:
                found[:] = [other]
                return None
            found[:] = [wanted]
            text = f"{who} took the review at {_destination(publication)}."
            event = timeline.Event(now, "review_taken", text, _destination(publication), who)
            after = _with(held.incident, publication, wanted)
            return incident_store.Change(after, held.version, wake=True, events=[event])

        is_new = await self._store.update(key, make)
        return Taken(found[0], is_new)

    async def release(self, key: str, publication: str, who: str) -> reviews.Take | None:
        """End the take of a review, also that of another person. Return it; None if the review isn't taken."""
        now = self._clock()
        found: list[reviews.Take] = []

        def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
            take = current(held.incident, publication, now)
            found[:] = [] if take is None else [take]
            if take is None:
                return None
            text = f"{who} released the review at {_destination(publication)}, which {take.who} had taken."
            event = timeline.Event(now, "review_released", text, _destination(publication), who)
            after = _with(held.incident, publication, msgspec.structs.replace(take, until=now, released_by=who))
            return incident_store.Change(after, held.version, wake=True, events=[event])

        await self._store.update(key, make)
        return found[0] if found else None


def current(incident: incidents.Incident, publication: str, now: int) -> reviews.Take | None:
    """Return the take of a publication's review that holds now; None if the review isn't taken."""
    take = incident.takes.get(publication)
    return take if take is not None and now < take.until else None


def without(incident: incidents.Incident, publication: str) -> dict[str, reviews.Take]:
    """Return the takes of an incident after a decision on a publication."""
    return {name: take for name, take in incident.takes.items() if name != publication}


def _with(incident: incidents.Incident, publication: str, take: reviews.Take) -> incidents.Incident:
    takes = [*without(incident, publication).items(), (publication, take)]
    return msgspec.structs.replace(incident, takes=dict(takes[-_MOST_KEPT:]))


def _destination(publication: str) -> str:
    return publication.partition("/")[2]
