"""From what an incident should look like to what it does look like at every vendor: lease, plan, perform, release."""

import asyncio
from collections.abc import Callable, Mapping

from router.domain import identity, plan, timing
from router.domain import publication as publications
from router.store import errors
from router.store import incidents as incident_store
from router.store import publications as publication_store
from router.telemetry import log, metrics
from router.worker import bound, desire, perform

MOST_STEPS = 12  # Operations in a row for one publication: more is a plan that goes round in circles.
_UNKNOWN_DESTINATION = "the destination is not configured any more"


class Session:
    """One incident under lease: its publications, and the only way to write them."""

    def __init__(
        self,
        lease: publication_store.Lease,
        store: publication_store.Publications,
        ticks: Callable[[], int],
    ) -> None:
        self.lease = lease
        self.publications = desire.with_missing(lease.incident, lease.publications)
        self._store = store
        self._ticks = ticks
        self._claimed_at_tick = ticks()

    def now(self) -> int:
        """The time by Redis' clock, carried on by this machine's ticks since the lease was taken."""
        return self.lease.claimed_at + self._ticks() - self._claimed_at_tick

    async def record(self, publication: publications.Publication) -> None:
        """Put the publication in the place of its predecessor and write all of them; ``LeaseLostError``."""
        self.publications = [
            publication if (p.episode, p.destination) == (publication.episode, publication.destination) else p
            for p in self.publications
        ]
        if not await self._store.record(self.lease, self.publications):
            raise perform.LeaseLostError


class Reconciler:
    """Brings incidents' publications to what they should be, many incidents at a time."""

    def __init__(
        self,
        store: publication_store.Publications,
        incidents: incident_store.Incidents,
        places: Mapping[str, bound.Bound],
        performer: perform.Performer,
        render: desire.Render,
        *,
        ticks: Callable[[], int],
        randomness: identity.Randomness,
    ) -> None:
        self._store = store
        self._incidents = incidents
        self._randomness = randomness
        self._places = places
        self._performer = performer
        self._render = render
        self._ticks = ticks
        self._log = log.get("worker")

    async def claim(self, shard: int, most: int) -> list[publication_store.Lease]:
        """Take incidents of the shard that want attention now."""
        return await self._store.claim(shard, most)

    async def reconcile(self, lease: publication_store.Lease) -> bool:
        """Do for one incident what is to be done now; True where it has changed meanwhile and is due again."""
        session = Session(lease, self._store, self._ticks)
        try:
            session = await self._settled(session)
            lease = session.lease
            due = await self._rounds(session)
            moments = [moment for moment in (due, timing.due(lease.incident)) if moment]
            return await self._store.release(lease, due=min(moments, default=0), finished=_finished(session))
        except perform.LeaseLostError:
            self._log.warning("lease_lost", incident=lease.key)
        except errors.StoreError as error:
            self._log.warning("reconcile_interrupted", incident=lease.key, reason=str(error))
        return False

    async def _settled(self, session: Session) -> Session:
        """Write what time alone has made of the incident. Where somebody else changed it first, theirs is next."""
        lease = session.lease
        now = session.now()
        after = timing.settle(lease.incident, now=now, episode=identity.new_id(self._randomness))
        if after is lease.incident:
            return session
        if await self._incidents.commit([incident_store.Change(after, lease.version, wake=False)]):
            return session
        self._log.info("incident_settled", incident=lease.key, status=after.status, episode=after.episode)
        return Session(lease._replace(incident=after, version=lease.version + 1), self._store, self._ticks)

    async def _rounds(self, session: Session) -> int:
        """Work on all publications at once; go round again while one that another waits for has got on."""
        for _ in range(len(session.publications) + 1):
            before = list(session.publications)
            rests = await self._round(session, before)
            waiting = any(rest.waits_for == "sibling" for rest in rests)
            if not waiting or session.publications == before:
                break
        return min((rest.until for rest in rests if rest.until), default=0) if session.publications else 0

    async def _round(self, session: Session, known: list[publications.Publication]) -> list[plan.Rest]:
        """Every publication as far as it goes now. All come to their end before a failure of one is told."""
        results = await asyncio.gather(*(self._advance(session, p) for p in known), return_exceptions=True)
        rests = []
        for result in results:
            if isinstance(result, BaseException):
                raise result
            rests.append(result)
        return rests

    async def _advance(self, session: Session, publication: publications.Publication) -> plan.Rest:
        place = self._places.get(publication.destination)
        if place is None:
            return plan.Rest(_UNKNOWN_DESTINATION, waits_for="person")
        for _ in range(MOST_STEPS):
            incident = session.lease.incident
            desired = desire.desired(incident, publication, session.publications, place, self._render)
            step = plan.plan(desired, publication, now=session.now())
            if isinstance(step, plan.Rest):
                return step
            was = publication
            if isinstance(step, plan.Recover):
                publication = await self._performer.recover(session, place, publication, desired, step.intent)
            else:
                publication = await self._performer.act(session, place, publication, desired, step)
            self._measure(session, was, publication)
        self._log.error("plan_goes_round", incident=session.lease.key, destination=publication.destination)
        return plan.Rest("too many steps in a row", session.now() + 60_000_000, "time")

    def _measure(self, session: Session, was: publications.Publication, publication: publications.Publication) -> None:
        incident = session.lease.incident
        if was.state == "absent" and publication.state == "open" and publication.episode == incident.episode:
            seconds = (session.now() - incident.accepted_at) / 1_000_000
            metrics.accepted_to_opened_seconds.labels(publication.destination).observe(max(seconds, 0.0))


def _finished(session: Session) -> bool:
    """Whether nothing is left to be done for a closed incident, so that its documents may go after a while."""
    if session.lease.incident.status != "closed":
        return False
    return all(p.settled or (p.state == "absent" and p.intent is None) for p in session.publications)
