"""Operators' retractions of posts that turned out to be false. A worker executes them.

A retraction holds for one episode at one page, whatever state the post is in when a worker reads it: a draft is
discarded, an unanswered open is searched for, and a public post is taken down.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from router.domain import incidents, publications, reviews, timeline, visible
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.worker import desired_state, publishing_guard

Outcome = Literal["retracting", "repeated", "searching", "dismissed", "withheld", "withdrawn", "resolved", "retracted"]
"""The outcome of a retraction for one publication.

``retracting``: it is shown, and is taken down. ``repeated``: it was retracted before and is still shown; the refused
operation is retried with the newest message. ``searching``: it is being published, with an unknown outcome; the
resulting post is taken down. ``dismissed``: it waited for a reviewer. ``withheld``: the post was never public, and
won't be published. ``withdrawn``: it was retracted before, and a reviewer has approved since that it is published
again; the approval is withdrawn, and a new post is taken down. ``resolved``: it is over already. ``retracted``: it was
retracted before, and nothing of it is shown.
"""
DONE: frozenset[Outcome] = frozenset({"retracting", "repeated", "searching", "dismissed", "withheld", "withdrawn"})
"""The outcomes of retractions that change a post."""
_MAX_KEPT = 50  # Retractions of one incident key. The oldest ones were completed long ago.


class Retracted(NamedTuple):
    """The effect of a retraction on the publication of an episode at a destination."""

    destination: str
    episode: str
    outcome: Outcome

    @property
    def name(self) -> str:
        """Return the name of the publication among those of its incident."""
        return f"{self.episode}/{self.destination}"


@dataclass(frozen=True)
class RetractionRequest:
    """An operator's request. ``message`` is the text of the resolution at a page that can't take a post down."""

    who: str
    reason: str
    message: str = ""


class Retractions:
    """Records retractions."""

    def __init__(
        self,
        store: Store,
        pages: publishing_guard.PublishingGuard,
        places: Mapping[str, desired_state.DestinationTraits],
        clock: Callable[[], Timestamp],
    ) -> None:
        self._store = store
        self._pages = pages
        self._places = places
        self._clock = clock

    async def retract(self, key: str, destination: str, request: RetractionRequest) -> list[Retracted]:
        """Retract an incident's posts at one public page, or at all of them if ``destination`` is empty.

        Return the outcome for each post; nothing if the incident has no post there.
        """
        all_publications = await self._store.publications.look(key)
        now = self._clock()
        retract: list[Retracted] = []
        retracted_before: set[str] = set()

        def make(stored: StoredIncident) -> Change | None:
            # The store calls this again if another process has written the incident first.
            retract[:] = outcomes(stored.incident, all_publications, self._places, destination)
            retracted_before.clear()
            retracted_before.update(stored.incident.interventions.retractions)
            after = add_retractions(stored.incident, all_publications, retract, request, now)
            if after is stored.incident:
                return None
            return Change(after, stored.version, wake=True, events=build_events(retract, request, now))

        await self._store.incidents.update(key, make)
        incident = (await self._store.incidents.read([key]))[key].incident
        # A repeated retraction of the same post isn't counted a second time.
        for retracted_post in retract:
            if retracted_post.outcome in DONE and retracted_post.name not in retracted_before:
                await self._pages.record_outcome(incident, "retracted")
        return retract


def outcomes(
    incident: incidents.Incident,
    all_publications: list[publications.Publication],
    places: Mapping[str, desired_state.DestinationTraits],
    destination: str = "",
) -> list[Retracted]:
    """Return the effect of a retraction on the newest episode, and on posts of earlier ones that still exist."""
    results = []
    for ensure_publication in desired_state.ensure_publications(incident, all_publications):
        place = places.get(ensure_publication.destination)
        if place is None or not place.kind.public or destination not in {"", ensure_publication.destination}:
            continue
        if ensure_publication.episode == incident.episode or _may_exist(ensure_publication):
            results.append(
                Retracted(
                    ensure_publication.destination, ensure_publication.episode, _outcome(incident, ensure_publication)
                )
            )
    return results


def _may_exist(publication: publications.Publication) -> bool:
    """Return whether a post of an earlier episode is at the vendor, or may be."""
    return publication.state in {"open", "draft"} or publication.intent is not None


def _outcome(incident: incidents.Incident, publication: publications.Publication) -> Outcome:
    retraction = incident.interventions.retractions.get(publication.name)
    if publication.settled:
        if not publication.retracted:
            return "resolved"
        # If the retraction has ended, the worker publishes the post again, because a reviewer has approved that.
        return "retracted" if retraction is not None else "withdrawn"
    if publication.state == "open":
        # If another person has changed the post since, a second retraction takes the changed post down.
        is_repeated = retraction is not None and retraction.digest == _digest(publication)
        return "repeated" if is_repeated else "retracting"
    # A call may still publish the post, so its outcome is found out first.
    if publication.intent is not None or publication.search_at or (publication.unanswered_at and retraction is None):
        return "searching"
    # The earlier retraction already keeps the post from being published.
    if retraction is not None and publication.state == "absent":
        return "retracted"
    # Customers never saw it. Reviewers did, if it was a draft or waited for them.
    return "dismissed" if publication.state == "draft" or publication.review is not None else "withheld"


def _digest(publication: publications.Publication) -> str:
    """Return the digest of the operator's view: a known change by a person at the vendor, or none."""
    return reviews.digest_of(
        reviews.RETRACTION, publication.view.digest if publication.taken_over and not publication.settled else ""
    )


def add_retractions(
    incident: incidents.Incident,
    all_publications: list[publications.Publication],
    retracted_posts: list[Retracted],
    request: RetractionRequest,
    now: Timestamp,
) -> incidents.Incident:
    """Return the incident with its retractions; the same object if there is nothing to retract."""
    named_publications = {publication.name: publication for publication in all_publications}
    message = visible.visible(request.message)
    added = {}
    for retracted_post in retracted_posts:
        if retracted_post.outcome not in DONE:
            continue
        seen = named_publications.get(
            retracted_post.name, publications.Publication(retracted_post.episode, retracted_post.destination)
        )
        # An operation that the vendor refused is tried again, even if its refusal is in the future by this clock.
        at = Timestamp(max(now, seen.rejection.at + 1)) if seen.rejection is not None else now
        added[retracted_post.name] = reviews.Retraction(request.who, at, request.reason, _digest(seen), message)
    if not added:
        return incident
    # A repeated retraction moves to the end, so that the limit drops the oldest ones.
    retractions = {
        name: retraction for name, retraction in incident.interventions.retractions.items() if name not in added
    } | added
    return incidents.with_interventions(incident, retractions=dict(list(retractions.items())[-_MAX_KEPT:]))


_EVENT_TEXTS: Mapping[Outcome, str] = {
    "retracting": "Retracted at {at} by {who}: the post is taken down",
    "repeated": "Retracted again at {at} by {who}: the post is still shown, and is taken down",
    "searching": "Retracted at {at} by {who}: the post is being published, and is taken down afterwards",
    "dismissed": "Dismissed at {at} by {who}, who retracted it before it was published",
    "withheld": "Retracted at {at} by {who}: the post was never public, and won't be published",
    "withdrawn": "Retracted at {at} by {who}: the approval to publish it again is withdrawn",
}


def build_events(retracted_posts: list[Retracted], request: RetractionRequest, now: Timestamp) -> list[timeline.Event]:
    """Return the event for a retraction."""
    events = []
    for retracted_post in retracted_posts:
        if retracted_post.outcome in DONE:
            text = _EVENT_TEXTS[retracted_post.outcome].format(at=retracted_post.destination, who=request.who)
            text += f". Reason: {request.reason}" if request.reason else "."
            detail = {"outcome": retracted_post.outcome, "message": request.message}
            events.append(timeline.Event(now, "retraction", text, retracted_post.destination, request.who, detail))
    return events
