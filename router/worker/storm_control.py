"""Holds incidents back in an alert storm. It checks each episode once, before its first publication is opened.

The rest are queued, the most severe one first. A queued episode that ends before its turn never opens.
"""

from collections.abc import Mapping, Sequence

import msgspec

from router.domain import incidents, plan, steps, timeline
from router.domain.publications import Publication
from router.domain.times import Timestamp
from router.store import publishing_state, storm_queue
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import configured_destinations, lease_session, self_alerts, timeline_messages


class StormControl:
    """Checks every incident that is reconciled. Without a ``limit``, every incident may open immediately."""

    def __init__(self, store: Store, limit: publishing_state.Limit | None) -> None:
        self._store = store
        self._limit = limit
        self._log = log.get("worker")

    async def apply(
        self, session: lease_session.LeaseSession, places: Mapping[str, configured_destinations.ConfiguredDestination]
    ) -> None:
        """Admit the session's episode, or queue it.

        Raises ``LeaseLostError``. An admitted episode isn't checked again.
        """
        # Episodes that ended in the queue leave it first, so that they hold up no other.
        await self._end(
            session,
            [
                publication
                for publication in session.publications
                if publication.held_since and _is_over(session, publication)
            ],
        )
        current = [
            publication for publication in session.publications if publication.episode == session.incident.episode
        ]
        held_since = max(
            (publication.held_since for publication in current if publication.held_since is not None), default=None
        )
        episode = storm_queue.QueuedEpisode(session.incident.episode, session.incident.key)
        if held_since and session.incident.quiet is not None:
            await self._dequeue([episode])  # If it fires again, it keeps its age in the queue.
        # The limit was removed, or nothing would open any longer without an approval.
        elif self._limit is None or not _should_queue(session, current, places):
            if held_since:
                await self._dequeue([episode])
                await _mark(
                    session, current, {"held_since": None}, timeline_messages.dequeued_event(held_since, session.now())
                )
        elif await self._store.storm_queue.admit(
            episode, session.incident.severity, held_since or session.now(), self._limit
        ):
            # The admission is stored with the publications, so a slow vendor sends no episode back into the queue.
            events = [timeline_messages.dequeued_event(held_since, session.now())] if held_since else []
            await _mark(session, current, {"held_since": None, "admitted": True}, *events)
        # Only the first refusal starts the wait: the age in the queue decides between equal severities.
        elif not held_since:
            now = session.now()
            await _mark(session, current, {"held_since": now}, timeline_messages.queued_event(*self._limit, now))

    async def turn(self) -> storm_queue.StormState:
        """Return the state of the storm, wake the next incidents, and remove finished episodes from the queue."""
        if self._limit is None:
            return storm_queue.StormState()
        storm = await self._store.storm_queue.state(self._limit)
        metrics.storm_queued_incidents.set(storm.waiting)
        if storm.began:
            metrics.storms.inc()
            self._log.error("alert_storm", waiting=storm.waiting, most=self._limit.max)
        if storm.ended:
            self._log.warning("alert_storm_over")
        # An episode that no longer fires would hold up the ones behind it.
        if storm.next:
            stored = await self._store.incidents.read({episode.incident for episode in storm.next}, {})
            episodes = [
                episode
                for episode in storm.next
                if episode.incident in stored and _is_waiting(stored[episode.incident].incident, episode.id)
            ]
            await self._store.storm_queue.remove([episode for episode in storm.next if episode not in episodes])
            await self._store.publications.wake([episode.incident for episode in episodes])
        return storm

    async def _end(self, session: lease_session.LeaseSession, publications: list[Publication]) -> None:
        """Remove ended episodes from the queue. They have opened no publication and never will."""
        if publications:
            await self._dequeue(
                [storm_queue.QueuedEpisode(publication.episode, session.incident.key) for publication in publications]
            )
            await _mark(session, publications, {"held_since": None}, timeline_messages.storm_end_event(session.now()))

    async def _dequeue(self, episodes: Sequence[storm_queue.QueuedEpisode]) -> None:
        if self._limit is not None:
            await self._store.storm_queue.remove(list(episodes))


async def _mark(
    session: lease_session.LeaseSession,
    publications: list[Publication],
    waiting_since: dict[str, Timestamp | bool | None],
    *events: timeline.Event,
) -> None:
    """Change several publications in the same way."""
    names = {publication.name for publication in publications}
    session.publications = [
        msgspec.structs.replace(publication, **waiting_since) if publication.name in names else publication
        for publication in session.publications
    ]
    await session.record(
        next(publication for publication in session.publications if publication.name in names), *events
    )


def _is_over(session: lease_session.LeaseSession, publication: Publication) -> bool:
    return session.incident.status != "open" or publication.episode != session.incident.episode


def _is_waiting(incident: incidents.Incident, episode: str) -> bool:
    """Return whether an episode whose turn has come still fires."""
    return incident.status == "open" and incident.episode == episode and incident.quiet is None


def _should_queue(
    session: lease_session.LeaseSession,
    current: list[Publication],
    places: Mapping[str, configured_destinations.ConfiguredDestination],
) -> bool:
    """Return whether the episode would open something now without an approval, and nothing was opened before.

    The router's own reports are never held back, and neither is approved content.
    """
    incident = session.incident
    is_own = incident.opening_alert is not None and incident.opening_alert.source == self_alerts.SOURCE
    if (
        is_own
        or incident.status != "open"
        or any(publication.admitted or publication.number or publication.vendor_id for publication in current)
    ):
        return False
    # Plan as if nothing were held, because the plan of a held publication is to wait for the queue.
    free = [msgspec.structs.replace(publication, held_since=None) for publication in session.publications]
    return any(
        _is_opening(session, publication, free, places.get(publication.destination))
        for publication in free
        if publication.episode == incident.episode
    )


def _is_opening(
    session: lease_session.LeaseSession,
    publication: Publication,
    siblings: list[Publication],
    place: configured_destinations.ConfiguredDestination | None,
) -> bool:
    if place is None:
        return False
    desired = session.desires.build(session.incident, publication, siblings, place)
    approved = desired.public and desired.verdict is not None
    return isinstance(plan.plan(desired, publication, now=session.now()), steps.Execute) and not approved
