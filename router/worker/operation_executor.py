"""Executes one operation: records the intent, calls the vendor, records the result, and logs one wide line."""

import asyncio
import functools
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import msgspec

from router.domain import identity, operations, plan, publications, steps, times
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp
from router.outbound import backoff, call_policy, errors
from router.store import quotas
from router.telemetry import log, metrics, tracing
from router.worker import (
    circuit_breaker,
    configured_destinations,
    lease_session,
    not_found,
    operation_outcome,
    spans,
    timeline_messages,
    vendor_calls,
)

Checkpoint = Callable[[str], None]
_Answer = TypeVar("_Answer")

# The share of the account's quota that each kind of operation leaves to others: resolving comes before opening, and
# opening before updates.
_FLOORS: Mapping[str, float] = {
    "retract": 0.0,
    "resolve": 0.0,
    "dismiss": 0.0,
    "open": quotas.OPENS,
    "publish": quotas.OPENS,
    "adopt": quotas.OPENS,
    "correct": quotas.OPENS,
}
_UPDATES = 0.4
KEY_KEPT = Duration(15 * times.MINUTE)
"""Microseconds for which a vendor certainly knows an idempotency key. Most documented times are 30 minutes or more."""
OPEN_SETTLED = Duration(5 * times.MINUTE)
"""Microseconds after which an open that was sent once is no longer under way."""
_SEARCHED_EVERY = 20.0  # Seconds between searches for what an open of unknown outcome may still create.
_TAKING_DOWN = frozenset({"retract", "resolve", "dismiss"})  # Operations that continue during a retraction.


class OperationExecutor:
    """Executes steps of the plan.

    ``checkpoint`` receives the name of each point that was passed, for tests that crash there.
    """

    def __init__(
        self,
        randomness: identity.Randomness,
        *,
        most_seconds: float,
        checkpoint: Checkpoint = lambda _: None,
        traces: tracing.Traces = tracing.OFF,
    ) -> None:
        self._randomness = randomness
        self._most_seconds = most_seconds
        self._checkpoint = checkpoint
        self._traces = traces
        self.breakers = circuit_breaker.CircuitBreakers(randomness)
        self._log = log.get("worker")

    async def execute(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
        act: steps.Execute,
    ) -> publications.Publication:
        """Begin a new operation: intent, call, record."""
        self._checkpoint("before-intent")
        number = publication.number + operation_outcome.number_step(publication, act.kind, desired.content)
        taken_up = desired.reopen_vendor_id if act.kind == "open" else ""
        content = desired.content
        if act.kind == "correct" and desired.correction is not None:
            content = desired.correction
        intent = publications.Intent(act.kind, number, session.now(), content, taken_up)
        if act.kind == "open" and plan.is_retrospective(desired, publication):
            intent = msgspec.structs.replace(intent, began_at=desired.began_at, ended_at=desired.ended_at)
        publication = msgspec.structs.replace(publication, number=number, intent=intent)
        await session.record(publication)
        self._checkpoint("after-intent")
        operation = await session.with_component_context(
            place, vendor_calls.operation_of(publication, intent, desired, session.now())
        )
        place = self._limit(place, operation.kind)
        repeated = act.kind == "open" and bool(publication.attempts or publication.unanswered_at)
        is_repeat = repeated and not place.destination.repeatable_open
        call = vendor_calls.open_again(place, operation) if is_repeat else vendor_calls.call_vendor(place, operation)
        call = not_found.confirm_missing(call, place, operation, publication.attempts)
        after = await self._carry_out(session, place, publication, operation, call, causes=(act.cause, *act.also))
        if after.settled and after.unanswered_at:
            return await self._end_duplicates(session, place, after, operation)
        return after

    async def resume(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
        intent: publications.Intent,
    ) -> publications.Publication:
        """Complete an operation of unknown outcome without executing it twice."""
        publication = operation_outcome.mark_resumed(publication, intent, repeatable=place.destination.repeatable_open)
        operation = await session.with_component_context(
            place, vendor_calls.operation_of(publication, intent, desired, session.now())
        )
        place = self._limit(place, operation.kind)
        call: Awaitable[operations.VendorState | None]
        if desired.retracted is not None and intent.kind not in _TAKING_DOWN:
            call = vendor_calls.look_up(place, operation, self._find_unneeded(session, place, operation, intent))
        elif intent.kind == "open" and not place.destination.repeatable_open:
            settled_at = Timestamp(intent.begun_at + times.from_seconds(2 * place.timeout_seconds))
            call = vendor_calls.keep_unknown(self._find_opened(session, place, operation, settled_at))
        elif intent.kind == "open":
            age = session.now() - intent.begun_at
            repeat = vendor_calls.Repeat(
                age > KEY_KEPT, age > OPEN_SETTLED, functools.partial(session.other_vendor_ids, place)
            )
            call = vendor_calls.repeat_open(place, msgspec.structs.replace(operation, is_repeated=True), repeat)
        elif intent.kind == "publish":
            call = vendor_calls.keep_unanswered(vendor_calls.publish_draft(place, operation))
        else:
            call = vendor_calls.keep_unanswered(vendor_calls.call_vendor(place, operation))
        call = not_found.confirm_missing(call, place, operation, publication.attempts)
        return await self._carry_out(session, place, publication, operation, call, is_begun=True)

    async def _find_unneeded(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        operation: operations.Operation,
        intent: publications.Intent,
    ) -> operations.VendorState | None:
        """Search for the incident of an open that is no longer needed. Repeating the open would create it."""
        leased = msgspec.structs.replace(operation, taken=await session.other_vendor_ids(place))
        lasts = OPEN_SETTLED if place.destination.repeatable_open else times.from_seconds(2 * place.timeout_seconds)
        return await self._find_opened(session, place, leased, Timestamp(intent.begun_at + lasts))

    async def observe(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> publications.Publication:
        """Read the publication from the vendor: a person may have changed or ended it. Nothing is sent."""
        place = self._limit(place, "look")
        intent = publications.Intent(
            "update", publication.number, session.now(), publication.content or desired.content
        )
        operation = vendor_calls.operation_of(publication, intent, desired, session.now())
        # A change that the vendor reports during the read may not be in its response.
        began = session.now()
        try:
            async with asyncio.timeout(self._most_seconds):
                call = not_found.confirm_missing(place.destination.observe(operation), place, operation, 0)
                seen = await call
        except not_found.ConfirmedMissing as problem:
            if publication.settled:  # It is no longer shown.
                after = msgspec.structs.replace(publication, looked_at=began)
                await session.record(after)
                return after
            return await self._record_missing(session, place, publication, problem)
        except (TimeoutError, errors.Failure) as failure:
            self._log.warning("look_failed", destination=place.name, episode=publication.episode, reason=str(failure))
            after = operation_outcome.after_failed_read(publication, failure, session.now())
            await session.record(after)
            return after
        assert seen is not None  # noqa: S101 - ``observe`` answers what is there, or fails
        if publication.settled:
            return await self._record_check(session, publication, seen, began)
        after = operation_outcome.after_observation(publication, seen, began)
        if operation_outcome.is_carried_out_late(publication, seen):
            # The vendor may show older content than was last sent, so that content is sent again.
            after = msgspec.structs.replace(after, differs=after.differs or operation_outcome.LATE)
        await session.record(
            after, *timeline_messages.person_events(publication, after, session.now(), present=desired.present)
        )
        if after.unanswered_at and after.vendor_id:
            return await self._end_duplicates(session, place, after, operation)
        return after

    async def _record_check(
        self,
        session: lease_session.LeaseSession,
        publication: publications.Publication,
        seen: operations.VendorState,
        began: Timestamp,
    ) -> publications.Publication:
        """Record a read of a resolved publication. If a late change has reopened it, it is resolved again."""
        if seen.is_stale:
            after = operation_outcome.after_failed_read(
                publication, errors.Stale("the vendor shows an old state"), session.now()
            )
        else:
            after = operation_outcome.verify(publication, seen, began, is_reopened=session.is_reopened(publication))
        if after.state != publication.state:
            self._log.warning("change_carried_out_late", destination=after.destination, episode=after.episode)
        await session.record(after, *timeline_messages.late_change_events(publication, after, session.now()))
        return after

    async def _record_missing(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        problem: not_found.ConfirmedMissing,
    ) -> publications.Publication:
        """Record that a read has found nothing."""
        after = not_found.record_missing(publication, problem, session.now())
        self._log.warning(
            "not_found",
            destination=place.name,
            episode=publication.episode,
            vendor_id=publication.vendor_id,
            answers=after.missing.answers if after.missing is not None else 0,
            believed=after.gone,
        )
        if after.gone:
            metrics.not_found.labels(place.name).inc()
        await session.record(after, *timeline_messages.missing_events(publication, after, session.now()))
        return after

    async def search(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> publications.Publication:
        """Search the vendor for what an unanswered open created late.

        If the publication needs an incident and has no known one, it adopts the found one. Every other one is ended.
        """
        intent = publications.Intent("open", publication.number + 1, session.now(), desired.content)
        operation = vendor_calls.operation_of(publication, intent, desired, session.now())
        if publication.state == "absent" and (desired.present or desired.retracted is not None):
            return await self._find_late(session, place, publication, operation)
        return await self._end_duplicates(session, place, publication, operation)

    async def take_over(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
        item: operations.OpenItem,
    ) -> publications.Publication | errors.Failure | None:
        """Adopt an incident that is open at the vendor, without a change. Return None if it has ended or doesn't exist.
        Its content counts as sent, so that a person's edits stay.
        """
        intent = publications.Intent("adopt", publication.number, session.now(), desired.content)
        place = self._limit(place, "search")
        renamed = msgspec.structs.replace(publication, vendor_id=item.vendor_id)
        operation = vendor_calls.operation_of(renamed, intent, desired, session.now())
        call = not_found.confirm_missing(place.destination.observe(operation), place, operation, 0)
        seen = await self._ask(session, place, call)
        if isinstance(seen, not_found.ConfirmedMissing):
            return None
        if isinstance(seen, errors.Failure):
            return seen
        if seen is None or seen.state not in {"open", "draft"}:
            return None
        now = session.now()
        after = operation_outcome.after_adoption(publication, operation, seen, item, now)
        await session.with_component_context(place, msgspec.structs.replace(operation, kind="update"))
        await session.record(after, timeline_messages.adoption_event(after, item, now))
        self._log.info(
            "open_item_adopted", destination=place.name, incident=session.incident.key, vendor_id=item.vendor_id
        )
        return after

    async def read_state(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> operations.VendorState | errors.Failure | None:
        """Return the vendor's view of a publication. Nothing is sent or recorded."""
        place = self._limit(place, "search")
        content = publication.content or desired.content
        intent = publications.Intent("update", publication.number, session.now(), content)
        operation = vendor_calls.operation_of(publication, intent, desired, session.now())
        return await self._ask(
            session, place, not_found.confirm_missing(place.destination.observe(operation), place, operation, 0)
        )

    async def _find_late(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        operation: operations.Operation,
    ) -> publications.Publication:
        seen = await self._ask(session, place, self._limit(place, "search").destination.find(operation))
        now = session.now()
        if isinstance(seen, errors.Failure):
            after = operation_outcome.after_failed_search(publication, seen, now)
        elif seen is None:
            after = msgspec.structs.replace(publication, searched_at=now)
        else:
            # It has the content of an earlier attempt. The next step updates it.
            after = msgspec.structs.replace(
                operation_outcome.after_call(publication, operation, seen, now), digest="", searched_at=now
            )
        await session.record(after, *timeline_messages.late_open_events(publication, after, now))
        return after

    async def _end_duplicates(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        operation: operations.Operation,
    ) -> publications.Publication:
        """End everything at the vendor with the publication's reference, except the publication itself."""
        open_one = msgspec.structs.replace(operation, vendor_id=publication.vendor_id)
        ended = await self._ask(session, place, self._limit(place, "search").destination.end_duplicates(open_one))
        now = session.now()
        if isinstance(ended, errors.Failure):
            after = operation_outcome.after_failed_search(publication, ended, now)
            await session.record(after)
            return after
        if ended:
            metrics.duplicates_ended.labels(place.name).inc(len(ended))
            self._log.warning("duplicates_ended", destination=place.name, episode=publication.episode, vendor_ids=ended)
        after = msgspec.structs.replace(publication, searched_at=now)
        await session.record(after, *timeline_messages.duplicate_events(publication.destination, ended, now))
        return after

    async def _ask(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        call: Awaitable[_Answer],
    ) -> _Answer | errors.Failure:
        """Make a call that belongs to no operation, within the time limit of one. ``place`` is for the log."""
        try:
            async with asyncio.timeout(self._most_seconds):
                return await call
        except TimeoutError:
            failure: errors.Failure = errors.Temporary("the search took too long")
        except errors.Failure as problem:
            failure = problem
        self._log.warning("search_failed", destination=place.name, incident=session.incident.key, reason=str(failure))
        return failure

    async def _find_opened(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        operation: operations.Operation,
        settled_at: Timestamp,
    ) -> operations.VendorState | None:
        """Find out whether the open happened. "No" counts only once the call can no longer be under way."""
        seen = await place.destination.find(operation)
        if seen is None and session.now() < settled_at:
            wait = min((settled_at - session.now()) / 1_000_000, _SEARCHED_EVERY)
            raise errors.Pending("not found yet, but the call may still be under way", wait)
        return seen

    async def _carry_out(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        operation: operations.Operation,
        call: Awaitable[operations.VendorState | None],
        *,
        causes: tuple[Cause, ...] = (Cause(Reason.OUTCOME_UNKNOWN),),
        is_begun: bool = False,
    ) -> publications.Publication:
        began = session.now()
        result = "done"
        notes: tuple[str, ...] = ()
        problem: errors.Failure | None = None
        cut_off = errors.Unanswered("the operation took too long")
        try:
            with spans.operation_span(self._traces, session.incident, operation):
                async with asyncio.timeout(self._most_seconds):
                    seen = await call
            self._checkpoint("after-call")
            after = operation_outcome.after_call(publication, operation, seen, session.now())
            notes = self._notes(place, seen)
        except TimeoutError:
            problem = cut_off
        except errors.Failure as failure:
            problem = failure
        # Each of its calls got a response, or waited for its turn, so the vendor isn't at fault.
        if problem is not cut_off:
            self.breakers.record(place.name, problem, session.now(), operation.kind)
        if isinstance(problem, not_found.ConfirmedMissing):
            stored = operation_outcome.record_partial(publication, problem)
            after = not_found.record_missing(stored, problem, session.now(), keeps_intent=is_begun)
            result = "not_found" if after.gone else "temporary"
            if after.gone:
                metrics.not_found.labels(place.name).inc()
        elif problem is not None:
            after, result = self._after_failure(publication, problem, place, session.now())
        self._checkpoint("before-record")
        ended = timeline_messages.Ended(result, causes, notes)
        await session.record(after, *timeline_messages.end_events(publication, after, operation, ended, session.now()))
        self._checkpoint("after-record")
        self._report(session, operation, after, ended, session.now() - began)
        return after

    def _notes(
        self, place: configured_destinations.ConfiguredDestination, seen: operations.VendorState | None
    ) -> tuple[str, ...]:
        """Return the vendor's notes on an operation for the timeline, and count the fields that it left out."""
        if seen is None:
            return ()
        for entry in seen.omitted:
            metrics.omitted_fields.labels(place.name, entry.field, entry.code).inc()
            self._log.warning(
                "field_omitted", destination=place.name, field=entry.field, code=entry.code, reason=entry.detail
            )
        return (*filter(None, (seen.note,)), *(f"{entry.field}: {entry.detail}" for entry in seen.omitted))

    def _limit(
        self, place: configured_destinations.ConfiguredDestination, operation: str
    ) -> configured_destinations.ConfiguredDestination:
        """Return the destination with the budget of an operation that begins now."""
        ends_at = asyncio.get_running_loop().time() + self._most_seconds
        return place.within(call_policy.CallBudget(_FLOORS.get(operation, _UPDATES), ends_at, operation))

    def _after_failure(
        self,
        publication: publications.Publication,
        problem: errors.Failure,
        place: configured_destinations.ConfiguredDestination,
        now: Timestamp,
    ) -> tuple[publications.Publication, str]:
        """Return the publication after a failure. Each kind of failure says what happens next."""
        if isinstance(problem, errors.NotFound) and not_found.may_be_stray(publication):
            problem = errors.Temporary(str(problem))
        problem = operation_outcome.resolve_conflict(publication, problem)
        if isinstance(problem, errors.Permanent) and publication.intent is not None:
            if publication.intent.kind == "correct":
                return operation_outcome.after_refused_correction(publication, problem), "refused"
            return operation_outcome.after_refusal(publication, problem, now), "refused"
        attempts = publication.attempts + 1
        requested = getattr(problem, "retry_after", None)
        min_delay = requested or 0.0
        unanswered, repeatable = isinstance(problem, errors.Unanswered), place.destination.repeatable_open
        has_key = repeatable and publication.intent is not None and publication.intent.kind == "open"
        # Without an idempotency key, a call is repeated only once the first one is over, and reads show what it did.
        if unanswered and not has_key:
            min_delay = max(min_delay, place.timeout_seconds)
        cap = backoff.max_delay(requested, of_account=circuit_breaker.is_of_account(problem))
        if operation_outcome.condition_of(problem) == "denied":
            cap = backoff.DENIED_CAP_SECONDS
        delay = backoff.full_jitter(attempts, self._randomness, cap_seconds=cap, at_least=min_delay)
        retry_at = Timestamp(now + times.from_seconds(delay))
        after = operation_outcome.after_failure(publication, problem, now=now, retry_at=retry_at, repeatable=repeatable)
        return after, "unanswered" if unanswered else "temporary"

    def _report(
        self,
        session: lease_session.LeaseSession,
        operation: operations.Operation,
        after: publications.Publication,
        ended: timeline_messages.Ended,
        took: int,
    ) -> None:
        result = ended.result
        metrics.operations.labels(operation.destination, operation.kind, result).inc()
        if operation.kind == "retract" and after.retracted:
            metrics.retractions.labels(operation.destination).inc()
        trace = tracing.trace_id(session.incident.trace)
        (self._log.info if result == "done" else self._log.warning)(
            "operation",
            destination=operation.destination,
            operation=operation.kind,
            result=result,
            reason=ended.causes[0].code,
            incident=session.incident.key,
            episode=operation.episode,
            reference=operation.reference,
            number=operation.number,
            key=operation.key,
            vendor_id=after.vendor_id,
            state=after.state,
            attempts=after.attempts,
            problem=after.problem,
            milliseconds=round(took / 1000, 1),
            **({"trace": trace} if trace else {}),
        )
