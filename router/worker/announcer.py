"""Announces changes of incidents and of the router: compares states, and appends events to the store."""

from collections.abc import Callable, Collection, Mapping

from router.domain import announcements, events, identity, router_state, times
from router.domain.times import Timestamp
from router.store import notifications, publishing_state
from router.store.store import Store
from router.worker import desired_state, lease_session, reviews

_NONE: Mapping[str, Collection[str]] = {}


class Announcer:
    """Announces incidents. ``wake`` is called when there are new events to deliver."""

    def __init__(
        self,
        store: Store,
        places: Mapping[str, desired_state.DestinationTraits],
        preview: reviews.Preview,
        wake: Callable[[], None],
        failover: Mapping[str, Collection[str]] = _NONE,
    ) -> None:
        """Set the dependencies. ``preview`` renders a post as customers see it.

        ``failover`` has the notifiers of each destination's failover, by destination.
        """
        self._failover = failover
        self._store = store
        self._places = places
        self._preview = preview
        self._wake = wake

    async def announce(self, session: lease_session.LeaseSession) -> int:
        """Append the events since the last announcement; return when to announce again (microseconds; 0 for never)."""
        due = await self._announce(session)
        if due is None:
            # A worker that lost the lease has announced an older state, so compare again with that.
            session.announced_state = await self._store.notifications.read_announced(session.incident.key)
            due = await self._announce(session)
        return due or 0

    async def _announce(self, session: lease_session.LeaseSession) -> int | None:
        """Announce once; None if another worker has announced since."""
        incident, now = session.incident, session.now()
        public = [name for name, place in self._places.items() if place.kind.public]
        observed = announcements.ObservedIncident(incident, session.publications, self._reviews(session, now), public)
        before = notifications.unpack_announced(session.announced_state)
        announcement = announcements.announce(before, observed, now)
        if announcement.after is None:
            return announcement.due
        scope = identity.reference(incident.episode)
        recorded_events = [
            events.Recorded(
                0,
                now,
                incident.key,
                scope,
                event,
                self._with_failover(announcements.recipients(before, incident, event), event),
            )
            for event in announcement.found
        ]
        packed = await self._store.notifications.announce(
            incident.key, session.announced_state, announcement.after, recorded_events
        )
        if packed is None:
            return None
        session.announced_state = packed
        if recorded_events:
            self._wake()
        return announcement.due

    def _with_failover(self, notify: tuple[str, ...], event: events.Event) -> tuple[str, ...]:
        """Add the failover notifiers if the event is about a destination that can't open its incident."""
        if not isinstance(event, events.PublicationDelayed | events.PublicationRecovered):
            return notify
        # The incident and the failover may name the same notifier, which receives the event once.
        return tuple(dict.fromkeys((*notify, *self._failover.get(event.destination, ()))))

    def _reviews(self, session: lease_session.LeaseSession, now: Timestamp) -> dict[str, events.Review]:
        # The reconciler records what begins to wait, so other incidents need not be rendered.
        if not any(publication.review is not None for publication in session.publications):
            return {}
        saying = (session.desires, self._preview)
        pending_reviews = reviews.waiting(session.incident, session.publications, self._places, saying, now)
        return {review.destination: event_review(review) for review in pending_reviews}


class RouterAnnouncer:
    """Announces the publishing guard, freezes, and dead deliveries."""

    def __init__(
        self,
        store: Store,
        clock: Callable[[], Timestamp],
        wake: Callable[[], None],
    ) -> None:
        """Set up. ``wake`` is called when there are new events to deliver."""
        self._store = store
        self._clock = clock
        self._wake = wake

    async def turn(self) -> None:
        """Append the events since the last turn of any worker."""
        packed = await self._store.notifications.read_announced(events.ROUTER)
        before = notifications.unpack_router_state(packed)
        observed, now = await self._observe(), self._clock()
        if before == observed.state:
            return
        new_events = router_state.announce(before, observed, now)
        recorded_events = [events.Recorded(0, now, events.ROUTER, "router", event) for event in new_events]
        # If another worker was first, it has announced the same state.
        if (
            await self._store.notifications.announce(events.ROUTER, packed, observed.state, recorded_events)
            and recorded_events
        ):
            self._wake()

    async def _observe(self) -> router_state.ObservedRouter:
        state, (dead, newest) = await self._store.publishing_controls.read(), await self._store.dead_deliveries.newest()
        guards = {name: _lock(stop) for name, stop in state.tripped_pages.items()}
        if state.tripped is not None:
            # The empty name stands for the guard of all pages.
            guards[""] = _lock(state.tripped)
        next_state = router_state.RouterState(
            _lock(state.frozen) if state.frozen is not None else None,
            guards,
            _lock(state.unfrozen) if state.unfrozen is not None else None,
            _lock(state.guard_reset) if state.guard_reset is not None else None,
            newest,
        )
        return router_state.ObservedRouter(next_state, dead)


def _lock(stop: publishing_state.Stop) -> router_state.Lock:
    return router_state.Lock(stop.who, stop.at, stop.why)


def event_review(review: reviews.Review) -> events.Review:
    """Convert a review to its representation in events."""
    return events.Review(
        review.destination,
        review.what,
        review.digest,
        review.reason,
        review.title,
        review.message,
        dict(review.components),
        times.to_datetime(review.since) if review.since else None,
        times.to_datetime(review.deadline_at) if review.deadline_at else None,
        review.at_deadline if review.deadline_at else "",
        dict(review.later),
        times.to_datetime(review.began_at) if review.began_at else None,
        times.to_datetime(review.ended_at) if review.ended_at else None,
        taken_by=review.take.who if review.take is not None else "",
        taken_until=times.to_datetime(review.take.until) if review.take is not None else None,
    )
