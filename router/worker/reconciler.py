"""Reconciles each incident's desired state with the observed state at every vendor: lease, plan, execute, release."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping

import msgspec

from router.domain import corrections, fold, identity, incidents, plan, publications, silences, timeline, times, timing
from router.domain.reasons import Cause, Reason
from router.domain.steps import Execute, Observe, ResumeIntent, Search, Step, Wait, WaitingOn
from router.domain.times import Timestamp
from router.store import errors
from router.store.incidents import Change
from router.store.publications import Lease, LeaseLostError
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import (
    acknowledgements,
    adoption,
    aggregator,
    backlog,
    configured_destinations,
    failover,
    index_repair,
    lease_session,
    operation_executor,
    operation_outcome,
    publishing_guard,
    restored_incidents,
    silencing,
    storm_control,
    timeline_messages,
    unknown_destinations,
)
from router.worker.announcer import Announcer
from router.worker.lease_session import LeaseSession

MAX_STEPS = 12  # Operations in a row for one publication. More would mean that the plan loops.
_AT_ONCE = 1  # Microseconds since the epoch: long ago.


class Reconciler:
    """Reconciles incidents' publications with their desired states, many incidents at a time."""

    def __init__(
        self,
        store: Store,
        places: Mapping[str, configured_destinations.ConfiguredDestination],
        performer: operation_executor.OperationExecutor,
        pages: publishing_guard.PublishingGuard,
        *,
        ticks: Callable[[], Timestamp],
        randomness: identity.Randomness,
        muting: silencing.SilenceService | None = None,
        storms: storm_control.StormControl | None = None,
        oldest_unfolded: Callable[[], Awaitable[int]] | None = None,
        watched_destinations: Collection[str] = (),
        reclaimer: adoption.Reclaimer | None = None,
        announcer: Announcer | None = None,
    ) -> None:
        """Set up. ``oldest_unfolded`` returns when the oldest delivery was accepted that waits to be folded.

        ``watched_destinations`` are the destinations that vendors' webhooks may report on.
        ``announcer`` is None if no notifier is configured.
        """
        self._announcer = announcer
        self._watched_destinations = watched_destinations
        self._installation = reclaimer.installation if reclaimer is not None else ""
        self._reclaimer = reclaimer
        self._restorer = (
            restored_incidents.Restored(
                reclaimer.data, performer, store, randomness=randomness, installation=self._installation
            )
            if reclaimer is not None
            else None
        )
        self._store = store
        self._backlog = backlog.Backlog(oldest_unfolded) if oldest_unfolded is not None else None
        self._muting = muting
        self._storms = storms
        self._randomness = randomness
        self._places = places
        self._performer = performer
        self._pages = pages
        self._ticks = ticks
        self._log = log.get("worker")
        self._unreleased_leases: list[Lease] = []
        self._index_repair = index_repair.IndexRepair(store)

    async def gauge(self, now: Timestamp) -> None:
        """Update the metrics of public pages, and of circuit breakers that are open for no current reason."""
        await self._pages.export_state()
        if self._performer.breakers.has_open:
            self._performer.breakers.close_outdated(now, await self._store.accounts.recoveries())

    async def sweep(self) -> int:
        """Rebuild missing timers and list members, one page at a time, and store the accounts of the destinations.

        Return the number of rebuilt timers.
        """
        rebuilt = await self._index_repair.turn()
        await self._store.accounts.write({name: place.account for name, place in self._places.items() if place.account})
        return rebuilt

    async def claim(self, shard: int, count: int) -> list[Lease]:
        """Lease incidents of the shard that are due now."""
        return await self._store.publications.claim(shard, count)

    async def give_back(self) -> None:
        """Release leases that could not be released while the store was unavailable. Their incidents are due now."""
        while self._unreleased_leases:
            lease = self._unreleased_leases.pop()
            try:
                await self._store.publications.release(lease, due=_AT_ONCE, finished=False)
            except errors.DamagedKey as error:
                self._log.error("release_failed", incident=lease.key, reason=str(error))
            except errors.StoreError:
                self._unreleased_leases.append(lease)
                raise

    async def reconcile(self, lease: Lease) -> bool:
        """Take the due steps of one incident. Return True if it has changed in the meantime and is due again."""
        try:
            desires = await self._pages.desires(public=self._is_public(lease))
            session = LeaseSession(lease, self._store, self._ticks, desires, self._pages)
            session = await self._apply_time(session)
            retry_at = await self._after_loss(session)
            lease = session.lease
            # Announce before the vendors are called, so that an unresponsive vendor delays no notification.
            await self._announce(session)
            if self._storms is not None:
                await self._storms.apply(session, self._places)
            waits = await self._converge(session)
            added, failover_at = await failover.apply(session, self._places)
            waits = await self._converge(session) if added else waits
            await acknowledgements.read_back(self._store, session.incident, session.publications)
            announce_at = await self._announce(session)
            due = min((wait.due for wait in waits if wait.due is not None), default=0)
            await self._store.vendor_ids.save(lease.key, session.publications, self._watched_destinations)
            fold_at = self._due(lease.incident, session.now())
            moments = [moment for moment in (due, retry_at, announce_at, fold_at, failover_at) if moment]
            return await self._store.publications.release(
                lease, due=min(moments, default=0), finished=_is_finished(session, waits)
            )
        except LeaseLostError:
            self._log.warning("lease_lost", incident=lease.key)
        except errors.StoreError as error:
            # An immediate retry can't help with unreadable or damaged data.
            if isinstance(error, errors.Unavailable) and not isinstance(error, errors.DamagedKey):
                self._unreleased_leases.append(lease)
            self._log.warning("reconcile_interrupted", incident=lease.key, reason=str(error))
        return False

    async def _announce(self, session: LeaseSession) -> int:
        return await self._announcer.announce(session) if self._announcer is not None else 0

    async def _after_loss(self, session: LeaseSession) -> int:
        """Reconcile the incident with its open items at the vendors if the data set was lost.

        Return when to do this again (microseconds), 0 for never.
        """
        if self._reclaimer is None or self._restorer is None:
            return 0
        moments = [
            await self._restorer.compare(session, self._places),
            await self._restorer.end_rest(session, self._places),
            await self._reclaimer.adopt_after_end(session, self._places),
        ]
        return min(filter(None, moments), default=0)

    async def _apply_time(self, session: LeaseSession) -> LeaseSession:
        """Write the changes of the incident by time alone. If another process changed it first, that change is used."""
        lease = session.lease
        now = session.now()
        episode = identity.new_episode(self._installation, lease.key, self._randomness)
        muting = await self._build_muting(lease.incident, now)
        incident = fold.apply_muting(lease.incident, muting, now=now, episode=episode)
        after = timing.apply_timers(incident, now=now, episode=episode)
        if self._backlog is not None and after is not incident and await self._backlog.is_delayed(incident, after, now):
            after = incident
        if after is lease.incident:
            return session
        arrived = [muted.routed for name, muted in lease.incident.muted.items() if name not in after.muted]
        events = timeline.events_for_change(lease.incident, after, arrived, now)
        change = Change(after, lease.version, wake=False, events=events)
        version = await self._store.incidents.write(change)
        if not version:
            return session
        self._log.info("incident_settled", incident=lease.key, status=after.status, episode=after.episode)
        return session.with_lease(lease._replace(incident=after, version=version))

    def _due(self, incident: incidents.Incident, now: Timestamp) -> Timestamp:
        return self._backlog.due(incident, now) if self._backlog is not None else timing.due(incident)

    async def _build_muting(self, incident: incidents.Incident, now: Timestamp) -> silences.Muting | None:
        """Return a function that finds the incident's muted alerts: those muted until now, and those still held."""
        asked = [muted_alert.routed for muted_alert in incident.muted.values() if muted_alert.until <= now]
        if incident.held_alerts and timing.joining(incident, now):
            asked += incident.held_alerts.values()
        named_keys = {key for routed in asked for key in routed.decision.while_open}
        if self._muting is None or not named_keys:
            return self._muting
        return self._muting.while_open(await aggregator.find_firing(self._store, named_keys))

    def _is_public(self, lease: Lease) -> bool:
        """Return whether customers could see anything of the incident."""
        response = lease.incident.response
        names = {publication.destination for publication in lease.publications if not publication.settled}
        names |= {target.destination for target in response.targets} if response is not None else set()
        return any(name in self._places and self._places[name].kind.public for name in names)

    async def _converge(self, session: LeaseSession) -> list[Wait]:
        """Advance all publications. Repeat while one that another waits for makes progress."""
        waits: list[Wait] = []
        for _ in range(len(session.publications) + 1):
            before = list(session.publications)
            checked = [publication for publication in before if publication.name not in session.unchecked_names]
            results = await asyncio.gather(*(self._advance(session, item) for item in checked), return_exceptions=True)
            # All publications have ended their turn by now, so a failure of one interrupts no call of another.
            for failure in [result for result in results if isinstance(result, BaseException)]:
                raise failure
            waits = [result for result in results if isinstance(result, Wait)]
            pairs = zip(checked, results, strict=True)
            session.waits = {publication.name: wait for publication, wait in pairs if isinstance(wait, Wait)}
            is_blocked = any(wait.waiting_on is WaitingOn.OTHER_PUBLICATION for wait in waits)
            if not is_blocked or session.publications == before:
                break
        return waits if session.publications else []

    async def _advance(self, session: LeaseSession, publication: publications.Publication) -> Wait:
        """Take steps until the publication has to wait: plan, check the guards, then dispatch."""
        place = self._places.get(publication.destination)
        if place is None:
            return unknown_destinations.wait(session.incident, publication, session.now())
        refreshed = None
        for _ in range(MAX_STEPS):
            desired = await self._build_desired(session, place, publication)
            if (again := await self._prepare(session, publication, desired)) is not publication:
                publication = again
                continue
            publication, step = await self._plan_next(session, place, publication, desired)
            if isinstance(step, Wait):
                rested = await self._record_wait(session, publication, desired, step)
                if rested is publication:
                    return step
                publication = rested
                continue
            # The page has had as many updates in this hour as its limit allows.
            if until := await self._pages.update_allowed_at(publication, desired, step):
                return Wait(Cause(Reason.UPDATE_BUDGET_USED), until, WaitingOn.TIME)
            # Other operations may have taken long, so the plan may be outdated. If the refreshed plan is the same
            # step, it is executed, because the change doesn't affect it.
            if _is_visible(desired, step) and refreshed != (desired, step) and await self._refresh_if_stale(session):
                refreshed = desired, step
                continue
            if until := self._performer.breakers.open_until(place.name, session.now()):
                if await self._must_wait(session, place, until):
                    return Wait(Cause(Reason.CIRCUIT_OPEN), until, WaitingOn.TIME)
                continue
            before = publication
            async with self._admission(session, place):
                publication = await self._step(session, place, publication, desired, step)
            self._observe_latency(session, before, publication)
        self._log.error("plan_not_converging", incident=session.lease.key, destination=publication.destination)
        return Wait(Cause(Reason.PLAN_NOT_CONVERGING), Timestamp(session.now() + times.MINUTE), WaitingOn.TIME)

    @staticmethod
    async def _prepare(
        session: LeaseSession, publication: publications.Publication, desired: publications.Desired
    ) -> publications.Publication:
        """Record what the next step of the plan needs. Return the same object if it needs nothing.

        A correction that can no longer be made is given up, and the timeline says so.
        """
        if (after := plan.note_ending(desired, plan.republish(desired, publication))) is not publication:
            await session.record(after)
            return after
        cause = plan.find_lost_correction(desired, publication)
        if cause is None or desired.correction is None:
            return publication
        correction = corrections.from_content(desired.correction)
        after = operation_outcome.drop_correction(publication, correction.at)
        await session.record(after, timeline_messages.lost_correction(publication, correction, cause, session.now()))
        return after

    async def _plan_next(
        self,
        session: LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> tuple[publications.Publication, Step]:
        """Plan the next step. If the data in Redis was lost, first adopt the incident's open items."""
        if self._reclaimer is not None and desired.present and plan.is_unopened(publication):
            reclaimed = await self._reclaimer.adopt_before_opening(session, place, publication, desired)
            if isinstance(reclaimed, Wait):
                return publication, reclaimed
            publication = reclaimed
        return publication, plan.plan(desired, publication, now=session.now())

    async def _build_desired(
        self,
        session: LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
    ) -> publications.Desired:
        """Return the desired state, with the moments that make a wait or a rest end early."""
        desired = session.desires.build(session.lease.incident, publication, session.publications, place)
        if recheck_at := session.lease.rechecks.get(place.name, 0):
            desired = msgspec.structs.replace(desired, recheck_at=recheck_at)
        if publication.condition:
            desired = msgspec.structs.replace(desired, resumed_at=await self._resumed_at(session, publication))
        return desired

    async def _resumed_at(self, session: LeaseSession, publication: publications.Publication) -> Timestamp:
        """Return when the destination last worked again. The incident is woken when it does so the next time.

        A vendor's limit ends with its time, or when an operator lifts it, because other calls succeed during the limit.
        """
        resumed = await self._store.accounts.add_waiting(publication.destination, session.incident.key)
        limited = publication.condition in {"throttled", "queued"}
        return resumed.lifted_at if limited else max(resumed.recovered_at, resumed.lifted_at)

    @contextlib.asynccontextmanager
    async def _admission(
        self, session: LeaseSession, place: configured_destinations.ConfiguredDestination
    ) -> AsyncIterator[None]:
        """Enclose a step that the circuit breaker admits. If it is half-open, the step is the probe."""
        is_probe = self._performer.breakers.is_half_open(place.name)
        try:
            yield
            await self._resume_others(session, place)
        finally:
            if is_probe:
                await self._give_back_probe(session, place)

    async def _must_wait(
        self,
        session: LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        until: Timestamp,
    ) -> bool:
        """Register the incident to be woken when the destination works again. Return False if it works already.

        Another worker may have seen it work while this one's circuit breaker is open.
        """
        resumed = await self._store.accounts.add_waiting(place.name, session.incident.key, until)
        works_since = max(resumed.recovered_at, resumed.lifted_at)
        return self._performer.breakers.is_open(place.name, session.now(), works_since)

    async def _give_back_probe(
        self, session: LeaseSession, place: configured_destinations.ConfiguredDestination
    ) -> None:
        """If the probe showed nothing about the vendor, let others probe. It may have been a read, or have waited."""
        if not self._performer.breakers.is_half_open(place.name):
            return
        self._performer.breakers.release_probe(place.name, session.now())
        waiting = await self._store.accounts.sample_waiting(place.name)
        await self._store.publications.wake([key for key in waiting if key != session.incident.key])

    async def _resume_others(self, session: LeaseSession, place: configured_destinations.ConfiguredDestination) -> None:
        """Wake the incidents that wait for the destination if it has just worked again."""
        if not self._performer.breakers.take_recovery(place.name):
            return
        names = await self._store.accounts.resume(place.name, session.now())
        waiting = [key for key in names if key != session.incident.key]
        await self._store.publications.wake(waiting)
        if waiting:
            self._log.info("destination_recovered", destination=place.name, woken=len(waiting))

    async def _step(
        self,
        session: LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
        step: Execute | ResumeIntent | Observe | Search,
    ) -> publications.Publication:
        """Take one step. An automatic public post is counted first, and may then have to wait."""
        if isinstance(step, Observe):
            return await self._performer.observe(session, place, publication, desired)
        if isinstance(step, Search):
            return await self._performer.search(session, place, publication, desired)
        if isinstance(step, ResumeIntent):
            return await self._performer.resume(session, place, publication, desired, step.intent)
        lapsed = plan.is_decided_by_deadline(desired, publication, now=session.now())
        automatic = desired.public and step.kind in {"open", "publish"} and desired.verdict is None
        if automatic and not lapsed and not await self._pages.reserve_auto_post(publication, desired):
            session.desires = await self._pages.desires(public=True)
            return publication
        after = await self._performer.execute(
            session, place, publication, desired, timeline_messages.with_explanation(step, desired, lapsed=lapsed)
        )
        if after.state != publication.state and after.intent is None and desired.public:
            await self._count_review_outcome(session, publication, desired, step, lapsed=lapsed)
        return after

    async def _refresh_if_stale(self, session: LeaseSession) -> bool:
        """Read the incident and the publishing controls again if they are stale. Return True if they have changed.

        The list of publications stays the same. The lease is released at the version at which it was taken, so an
        incident that has changed is reconciled once more.
        """
        if session.now() - session.seen_at < lease_session.FRESH:
            return False
        key = session.incident.key
        stand, stored = await self._pages.desires(public=True), (await self._store.incidents.read([key]))[key]
        as_before = (stand, stored.version) == (session.desires, session.version)
        session.refresh(stand, stored.incident, stored.version)
        return not as_before

    async def _count_review_outcome(
        self,
        session: LeaseSession,
        before: publications.Publication,
        desired: publications.Desired,
        step: Execute,
        *,
        lapsed: bool,
    ) -> None:
        """Count why a post was published or dismissed. Reviewers' decisions are counted when they are made."""
        if lapsed:
            await self._pages.record_outcome(session.lease.incident, "lapsed")
        elif step.kind in {"open", "publish"} and desired.verdict is None:
            await self._pages.record_outcome(session.lease.incident, "automatic")
        elif step.kind == "dismiss" and before.review is not None and not desired.present and desired.verdict is None:
            await self._pages.record_outcome(session.lease.incident, "over")

    async def _record_wait(
        self,
        session: LeaseSession,
        publication: publications.Publication,
        desired: publications.Desired,
        step: Wait,
    ) -> publications.Publication:
        """Record once that something begins to wait for a reviewer, or that it was over before a reviewer acted."""
        now = session.now()
        if plan.is_superseded(publication, step):
            after = operation_outcome.clear_failure(publication)
            await session.record(after)
            return after
        is_held = step.waiting_on is WaitingOn.UNFREEZE
        if (frozen := operation_outcome.record_freeze(publication, now, is_held=is_held)) is not publication:
            await session.record(
                frozen, *([timeline_messages.freeze_event(publication.destination, step.cause, now)] if is_held else ())
            )
            return frozen
        shadow = desired.present and desired.public and desired.publish == "shadow" and publication.state == "absent"
        digest = desired.content.digest if shadow else plan.pending_review_digest(desired, publication, step)
        if digest and not publications.is_awaiting(publication, digest):
            after = msgspec.structs.replace(publication, review=publications.PendingReview(digest, now))
            event = timeline_messages.wait_event(publication.destination, step, desired.content, now)
            await session.record(after, event)
            if shadow:
                await self._pages.record_outcome(session.lease.incident, "shadow")
            return after
        # A publication that may be published afterwards keeps the time at which its review began.
        may_follow = plan.is_retrospective(desired, publication) and not plan.is_review_expired(
            desired, publication, now=now
        )
        if publication.review is not None and not may_follow and not desired.present and publication.state == "absent":
            after = msgspec.structs.replace(publication, review=None, review_ended=True)
            unheeded = desired.verdict is None and desired.publish == "review" and desired.retracted is None
            await session.record(after, *([timeline_messages.review_end_event(publication, now)] if unheeded else ()))
            if unheeded:
                await self._pages.record_outcome(session.lease.incident, "over")
            return after
        return publication

    @staticmethod
    def _observe_latency(
        session: LeaseSession, before: publications.Publication, publication: publications.Publication
    ) -> None:
        incident = session.lease.incident
        if before.state == "absent" and publication.state == "open" and publication.episode == incident.episode:
            seconds = (session.now() - (incident.accepted_at or incident.opened_at)) / 1_000_000
            reference = identity.reference(incident.episode)
            metrics.observe_opening(publication.destination, seconds, reference, incident.trace)


def _is_visible(desired: publications.Desired, step: Step) -> bool:
    """Return whether customers may see the result of the step."""
    return desired.public and not isinstance(step, Observe | Search)


def _is_finished(session: LeaseSession, waits: list[Wait]) -> bool:
    """Return whether a closed incident needs no further step, so that its documents may expire."""
    incident = session.lease.incident
    if incident.status != "closed":
        return False
    # A correction of a resolved post waits until publishing is unfrozen.
    if any(wait.waiting_on is WaitingOn.UNFREEZE for wait in waits):
        return False
    # A retrospective incident waits for a reviewer, or for the vendor.
    follows = incident.response is not None and any(target.retrospective for target in incident.response.targets)
    if follows and any(wait.waiting_on is not WaitingOn.NOTHING for wait in waits):
        return False
    over = (p.settled or (p.state == "absent" and p.intent is None) for p in session.publications)
    return all(over) and not any(p.search_at or p.verify_at for p in session.publications)
