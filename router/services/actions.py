"""Actions of operators and reviewers. Each action records its caller and writes a line to the audit log."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from router.bootstrap import factories, public_pages
from router.domain import access, heartbeat, identity, times, weekly
from router.domain.silences import InvalidMatcher, Silence, matcher
from router.domain.times import Timestamp
from router.services import (
    dead_letters,
    models,
    orphans,
    pauses,
    presenters,
    queries,
    reprocessing,
    request_bodies,
    resources,
)
from router.services.review_fields import InvalidField, find_invalid, find_objections
from router.sources import base
from router.store import incidents, quarantine
from router.store.store import Store
from router.worker import acknowledgements, corrections, review_takes
from router.worker.retractions import RetractionRequest
from router.worker.reviews import Review, ReviewChangedError, ReviewDecision
from router.yaml_source import suggestions


class Caller(NamedTuple):
    """The person or program that acts, and the address of its request."""

    person: access.Person
    address: str = ""


class ActionContext(NamedTuple):
    """The caller of an action, the subject that it acts on, and the reason."""

    actor: Caller
    subject: str
    reason: str = ""


class SubjectNotFound(Exception):
    """The subject of the action does not exist."""


class InvalidRequest(Exception):
    """The request is invalid. The text states the error; ``errors`` has the invalid fields of the body or query."""

    def __init__(self, detail: str, errors: Sequence[InvalidField] = (), *, is_query: bool = False) -> None:
        super().__init__(detail)
        self.errors = tuple(errors)
        self.is_query = is_query


class SubjectChanged(Exception):
    """The subject has changed since the caller read it.

    ``now`` is the review that is pending instead. ``by`` is the person who decided first; empty if there is none.
    """

    def __init__(self, now: models.Review | None, by: str) -> None:
        self.now = now
        self.by = by
        changed = "it has changed since you looked at it"
        super().__init__(f"{by} decided first; your decision was not recorded" if by else changed)


class Actions:
    """The actions on one router. Callers check the role of the person first."""

    def __init__(self, reader: queries.Queries, store: Store, new_text: access.RandomText) -> None:
        self._queries = reader
        self._settings = reader.settings
        self._store = store
        self._clock = reader.clock
        self._new_text = new_text
        self._audit = store.audit

    async def record(
        self, act: ActionContext, action: str, outcome: str = "done", detail: Mapping[str, str] | None = None
    ) -> None:
        """Write a line to the audit log."""
        person, address = act.actor
        line = access.AuditEntry(
            at=self._clock(),
            who=person.name,
            by=person.by,
            address=address,
            what=action,
            subject=act.subject,
            outcome=outcome,
            reason=act.reason,
            detail=dict(detail or {}),
        )
        await self._audit.append(line)

    async def record_refusal(self, act: ActionContext, action: str, why: str) -> None:
        """Record a person's rejected action in the audit log, with a rate limit for each person."""
        person, address = act.actor
        line = access.AuditEntry(self._clock(), person.name, person.by, address, action, act.subject, f"refused: {why}")
        await self._audit.append_refusal(line)

    @contextlib.asynccontextmanager
    async def _audit_action(self, act: ActionContext, action: str) -> AsyncIterator[dict[str, str]]:
        """Write the action to the audit log, even if it fails. The block may add to the ``detail`` of the line."""
        outcome, detail = "done", dict[str, str]()
        try:
            yield detail
        except (SubjectNotFound, InvalidRequest, SubjectChanged) as refused:
            outcome = f"refused: {refused}"
            raise
        except BaseException:
            outcome = "failed"
            raise
        finally:
            # The console must show the effect of an action immediately, even if it failed halfway.
            self._queries.invalidate()
            await asyncio.shield(self.record(act, action, outcome, detail))

    async def decide(self, act: ActionContext, body: request_bodies.Decide) -> models.Decided:
        """Decide on a review. Raises ``SubjectChanged`` if it has changed, or ``incident_names.Ambiguous``."""
        # A prefix or a reference may name the incident. The audit log shows its whole key instead.
        if (key := await self._queries.find_key(body.incident)) is not None and key != body.incident:
            body = body.model_copy(update={"incident": key})
            act = act._replace(subject=f"{key} at {body.destination}")
        async with self._audit_action(act, "review"):
            reviews = self._queries.pending_reviews()
            waits = [item for item in await reviews.of_incident(body.incident) if item.destination == body.destination]
            waits.sort(key=lambda item: item.digest != body.seen)  # Posts of two episodes may be pending.
            # The decision was about another version: a reviewer must not publish what they haven't seen.
            if not waits or waits[0].digest != body.seen:
                raise SubjectChanged(
                    presenters.review(waits[0]) if waits else None, await self._first_reviewer(body, is_gone=not waits)
                )
            # Nothing of a dismissed post is published, so its fields would be lost without a warning.
            if body.fields and body.decision == "dismiss":
                raise InvalidRequest("a dismissal takes no fields")
            # Wrong fields are refused now, because the vendor would refuse them after the reviewer has left.
            if body.fields:
                fields = {**waits[0].fields, **body.fields}
                if wrong := find_invalid(self._settings, body.destination, fields):
                    errors = [InvalidField(("fields", *item.path), item.detail) for item in wrong]
                    raise InvalidRequest("; ".join(map(str, wrong)), errors)
            kind = "approved" if body.decision == "approve" else "dismissed"
            word = ReviewDecision(kind, act.actor.person.name, act.reason, body.fields)  # type: ignore[arg-type]
            try:
                verdict = await reviews.decide(waits[0], word)
            # Another reviewer decided, or the post changed, between the check above and the write.
            except ReviewChangedError as error:
                now = presenters.review(error.now) if error.now is not None else None
                raise SubjectChanged(now, await self._first_reviewer(body, is_gone=now is None)) from error
            return presenters.verdict(verdict, find_objections(self._settings, verdict.fields))

    async def _first_reviewer(self, body: request_bodies.Decide, *, is_gone: bool) -> str:
        """Return the reviewer who decided first on the version that the caller has seen; empty if there is none."""
        incidents_by_key = await self._store.incidents.read([body.incident])
        verdict = incidents_by_key[body.incident].incident.interventions.verdicts.get(body.destination)
        return verdict.who if verdict is not None and (is_gone or verdict.digest in {"", body.seen}) else ""

    async def retract(self, act: ActionContext, body: request_bodies.Retract) -> models.Retracted:
        """Retract an incident's posts on one public page, or on all. Raises ``incident_names.Ambiguous``."""
        if (key := await self._queries.find_key(body.incident)) is not None and key != body.incident:
            body = body.model_copy(update={"incident": key})
            act = act._replace(subject=f"{key} at {body.destination}" if body.destination else key)
        async with self._audit_action(act, "retract"):
            self._check_retraction(body)
            word = RetractionRequest(act.actor.person.name, body.reason, body.message)
            retractions = public_pages.retractions(self._settings, self._store, self._clock)
            results = await retractions.retract(body.incident, body.destination, word)
            # Nothing to retract: the incident doesn't exist, or it has no post on the selected pages.
            if not results:
                known = await self._store.incidents.read([body.incident])
                if not known[body.incident].version:
                    raise SubjectNotFound(f'there is no incident "{body.incident}"')
                where = f'at "{body.destination}"' if body.destination else "at a public page"
                raise InvalidRequest(f'incident "{body.incident}" doesn\'t appear {where}')
            items = [presenters.retraction(result) for result in results]
            shown_text = {"message": body.message} if body.message else {}
            return models.Retracted(items=items, warnings=find_objections(self._settings, shown_text))

    def _check_retraction(self, body: request_bodies.Retract) -> None:
        """Refuse an unknown page, and a message that no page would show."""
        places = public_pages.configured_pages(self._settings)
        public = {name: place for name, place in places.items() if place.kind.public}
        if body.destination and body.destination not in public:
            if body.destination in places:
                raise InvalidRequest(
                    f'customers don\'t see what is at "{body.destination}": only posts on pages are retracted'
                )
            raise SubjectNotFound(f'there is no page "{body.destination}"{suggestions.hint(body.destination, public)}')
        selected = [public[body.destination]] if body.destination else list(public.values())
        # A vendor that removes the post shows no text, so the operator would expect a message that never appears.
        if body.message and all(place.kind.retracts for place in selected):
            raise InvalidRequest("the post is removed from the page, so it needs no message")

    async def correct(self, act: ActionContext, body: request_bodies.Correct) -> models.Corrected:
        """Request a correction of a posted update.

        Raises ``SubjectChanged`` if its text isn't the one that the operator has seen.
        """
        if (key := await self._queries.find_key(body.incident)) is not None and key != body.incident:
            body = body.model_copy(update={"incident": key})
            act = act._replace(subject=f"{key} at {body.destination}")
        async with self._audit_action(act, "correct") as detail:
            detail |= {"update": body.update, "body": body.body, "status": body.status}
            config = self._settings.destinations.get(body.destination)
            if config is None:
                raise SubjectNotFound(f'there is no destination "{body.destination}"')
            # Refuse here: the worker would only fail later, when the operator no longer watches.
            if not corrections.is_supported(public_pages.configured_pages(self._settings), body.destination):
                raise InvalidRequest(f"the vendor's API can't change a posted update at a destination {config.kind}")
            word = corrections.CorrectionRequest(
                body.update, body.body, body.seen, act.actor.person.name, body.status, act.reason
            )
            correcting = public_pages.corrections(self._store, self._clock)
            try:
                detail["before"] = (await correcting.correct(body.incident, body.destination, word)).text
            except corrections.UnknownUpdateError as error:
                raise SubjectNotFound(
                    f'the router has posted no update "{body.update}" of this incident there'
                ) from error
            except corrections.StatusError as error:
                raise InvalidRequest(f"status: {error}", [InvalidField(("status",), str(error))]) from error
            except corrections.OutdatedError as error:
                raise SubjectChanged(None, "") from error
            except corrections.UnderWayError as error:
                raise InvalidRequest("another correction of this post is pending") from error
            return models.Corrected(warnings=find_objections(self._settings, {"body": body.body}))

    async def acknowledge(self, act: ActionContext, body: request_bodies.Acknowledge) -> models.Acknowledged:
        """Acknowledge an open incident, unless it is already acknowledged. Raises ``incident_names.Ambiguous``."""
        known_key, key, act = await self._of_incident(act, body.incident)
        async with self._audit_action(act, "acknowledge") as detail:
            _check_exists(known_key, body.incident)
            try:
                given = await self._acknowledgements().acknowledge(key, _operator_request(act))
            except acknowledgements.NotOpenError as error:
                raise InvalidRequest(str(error)) from error
            shown = presenters.acknowledgement(given.incident)
            assert shown is not None  # noqa: S101 - the incident is acknowledged now
            # The first acknowledgement stays. The log names its author, because this request changed nothing.
            if not given.is_new:
                detail["acknowledged_before"] = shown.by
            reference = identity.reference(given.incident.episode)
            return models.Acknowledged(incident=key, reference=reference, acknowledgement=shown, is_new=given.is_new)

    async def unacknowledge(self, act: ActionContext, body: request_bodies.Acknowledge) -> models.Acknowledgement:
        """Withdraw the acknowledgement of an incident and return it. Raises ``incident_names.Ambiguous``."""
        known_key, key, act = await self._of_incident(act, body.incident)
        async with self._audit_action(act, "unacknowledge") as detail:
            _check_exists(known_key, body.incident)
            ended = await self._acknowledgements().withdraw(key, _operator_request(act))
            if ended is None:
                raise InvalidRequest("the incident is not acknowledged")
            detail["acknowledged_by"] = ended.name
            return presenters.withdrawn_acknowledgement(ended)

    async def take_review(self, act: ActionContext, body: request_bodies.TakeReview) -> models.Taken:
        """Take a pending review for a limited time, unless another person has taken it."""
        known_key, key, act = await self._of_incident(act, body.incident, body.destination)
        async with self._audit_action(act, "take review") as detail:
            _check_exists(known_key, body.incident)
            review = await self._find_pending(key, body.destination)
            take = await self._takes().take(key, review.publication, act.actor.person.name, body.seconds)
            if not take.is_new:
                detail["taken_by"] = take.take.who
            return presenters.take(key, body.destination, take)

    async def release_review(self, act: ActionContext, body: request_bodies.ReleaseReview) -> models.Released:
        """End the take of a pending review, whether own or not. Raises ``InvalidRequest`` if the review isn't taken."""
        known_key, key, act = await self._of_incident(act, body.incident, body.destination)
        async with self._audit_action(act, "release review") as detail:
            _check_exists(known_key, body.incident)
            review = await self._find_pending(key, body.destination)
            released = await self._takes().release(key, review.publication, act.actor.person.name)
            if released is None:
                raise InvalidRequest("the review is not taken")
            detail["taken_by"] = released.who
            return models.Released(incident=key, destination=body.destination, taken_by=released.who)

    def _acknowledgements(self) -> acknowledgements.Acknowledgements:
        return acknowledgements.Acknowledgements(self._store, self._clock)

    def _takes(self) -> review_takes.Takes:
        return review_takes.Takes(self._store, self._clock)

    async def _of_incident(
        self, act: ActionContext, name: str, destination: str = ""
    ) -> tuple[str | None, str, ActionContext]:
        """Return the key of the incident if there is one, its key or the name, and the context with that subject."""
        known_key = await self._queries.find_key(name)
        key = known_key or name
        return known_key, key, act._replace(subject=f"{key} at {destination}" if destination else key)

    async def _find_pending(self, key: str, destination: str) -> Review:
        """Return the pending review of an incident at a destination."""
        waits = [
            item for item in await self._queries.pending_reviews().of_incident(key) if item.destination == destination
        ]
        # A retracted post isn't pending, although an approval could publish it again.
        waits = [item for item in waits if item.retraction is None]
        if not waits:
            raise SubjectNotFound(f'nothing of incident "{key}" waits for review at "{destination}"')
        return waits[0]

    async def add_silence(self, act: ActionContext, body: request_bodies.AddSilence) -> resources.Silence:
        """Create a silence. Raises ``InvalidRequest`` if a matcher is invalid or the silence matches every alert."""
        async with self._audit_action(act, "silence"):
            try:
                matchers = tuple(matcher(text) for text in body.matchers)
            except InvalidMatcher as error:
                raise InvalidRequest(str(error)) from error
            # Such matchers also match alerts without the label. A silence of them alone would mute almost every alert.
            if all(entry.operator in {"=", "=~"} and entry.value in {"", ".*"} for entry in matchers):
                raise InvalidRequest("the matchers match every alert: add at least one non-empty matcher")
            starts_at = Timestamp(self._clock() + times.from_seconds(body.begins_in_seconds))
            ends_at = Timestamp(starts_at + times.from_seconds(body.seconds))
            author = act.actor.person.name
            silence = Silence(factories.new_id()[:12], matchers, starts_at, ends_at, author, body.comment)
            silence = msgspec.structs.replace(silence, during=tuple(weekly.parse(text) for text in body.during))
            await self._store.silences.save(silence)
            # The cached matches don't contain the silence yet, and the response counts them.
            self._queries.invalidate()
            return next(entry for entry in await self._queries.records.silences() if entry.id == silence.id)

    async def expire_silence(self, act: ActionContext) -> None:
        """Expire a silence."""
        async with self._audit_action(act, "expire silence"):
            if await self._store.silences.expire(act.subject, self._clock()) is None:
                raise SubjectNotFound("no silence has this ID")

    async def forget_heartbeat(self, act: ActionContext) -> None:
        """Stop expecting a heartbeat until it is received again. Raises ``incident_names.Ambiguous``."""
        act = act._replace(subject=await self._queries.find_key(act.subject) or act.subject)
        async with self._audit_action(act, "forget heartbeat"):

            def make(stored: incidents.StoredIncident) -> incidents.Change | None:
                if not stored.incident.last_heartbeat_at:
                    return None
                return incidents.Change(heartbeat.forget(stored.incident, self._clock()), stored.version, wake=True)

            # No change was made: the incident doesn't exist, or no heartbeat is expected from it.
            if not await self._store.incidents.update(act.subject, make):
                raise SubjectNotFound("no heartbeat has this name")

    async def freeze(self, act: ActionContext) -> None:
        """Freeze publishing. The router posts nothing on any public page."""
        async with self._audit_action(act, "freeze"):
            if not await self._store.publishing_controls.freeze(*self._by(act)):
                raise InvalidRequest("publishing is already frozen")

    async def unfreeze(self, act: ActionContext) -> resources.Requeued:
        """Unfreeze publishing. Pending updates are posted."""
        async with self._audit_action(act, "unfreeze"):
            if not await self._store.publishing_controls.unfreeze(*self._by(act)):
                raise InvalidRequest("publishing is not frozen")
            return await self._wake_all()

    async def reset_guard(self, act: ActionContext) -> resources.Requeued:
        """Reset the publishing guard. Rules publish automatically again."""
        async with self._audit_action(act, "reset publishing guard"):
            if not await self._store.publishing_controls.reset(*self._by(act)):
                raise InvalidRequest("the publishing guard has not tripped")
            return await self._wake_all()

    def _by(self, act: ActionContext) -> tuple[str, Timestamp, str]:
        """Return the caller, the time, and the reason."""
        return act.actor.person.name, self._clock(), act.reason

    async def _wake_all(self) -> resources.Requeued:
        return resources.Requeued(looked_at=await self._store.publications.wake_all())

    async def redrive(self, act: ActionContext) -> None:
        """Retry a dead letter."""
        async with self._audit_action(act, "redrive"):
            letters = dead_letters.DeadLetters(self._store)
            letter = await _letter(letters, act.subject)
            with _translate_conflicts():
                await letters.redrive(letter, act.actor.person.name, self._clock())

    async def redrive_all(self, act: ActionContext, body: request_bodies.Redrive) -> resources.Redriven:
        """Retry all dead letters that match."""
        async with self._audit_action(act, "redrive all"):
            letters = dead_letters.DeadLetters(self._store)
            chosen = dead_letters.Filter(body.destination, body.operation, body.problem)
            return resources.Redriven(redriven=await letters.redrive_all(chosen, act.actor.person.name, self._clock()))

    async def lift_pauses(self, act: ActionContext) -> resources.Lifted:
        """End the pauses of a destination's account, close its circuit breakers, and retry the operations that wait."""
        async with self._audit_action(act, "lift pauses"):
            if act.subject not in self._settings.destinations:
                raise SubjectNotFound(f'there is no destination "{act.subject}"')
            lifted = await pauses.Pauses(self._settings, self._store).lift(act.subject, self._clock())
            return resources.Lifted(lifted=lifted.lifted, looked_at=len(lifted.incidents))

    async def resolve_orphan(self, act: ActionContext) -> resources.Orphan:
        """Resolve an open item that belongs to no known incident at its vendor."""
        async with self._audit_action(act, "resolve orphan"):
            listed = await orphans.read_all(self._store)
            orphan = next((entry for entry in listed if entry.id == act.subject), None)
            if orphan is None:
                raise SubjectNotFound(f'there is no orphan "{act.subject}"')
            person, now, randomness = act.actor.person.name, self._clock(), factories.randomness()
            if not await orphans.resolve(self._settings, self._store, orphan, person, now, randomness=randomness):
                raise SubjectNotFound(f'"{act.subject}" is not an orphan: an incident of the router has it')
            return presenters.orphan(orphan)

    async def discard_dead_letter(self, act: ActionContext) -> None:
        """Discard a dead letter."""
        async with self._audit_action(act, "discard dead letter"):
            letters = dead_letters.DeadLetters(self._store)
            letter = await _letter(letters, act.subject)
            with _translate_conflicts():
                await letters.discard(letter, act.actor.person.name, act.reason, self._clock())

    async def retry_quarantined(self, act: ActionContext) -> resources.Reprocessed:
        """Process a quarantined body again."""
        async with self._audit_action(act, "retry quarantined"):
            entry = await self._find_quarantined_body(act.subject)
            try:
                delivery = await reprocessing.reprocess_quarantined(
                    self._settings, self._store, entry, self._clock(), randomness=factories.randomness()
                )
                return resources.Reprocessed(delivery=delivery.id, alerts=len(delivery.rows))
            except KeyError:
                raise InvalidRequest(f"source {entry.source} is no longer configured") from None
            except base.Unparsable as error:
                raise InvalidRequest(f"it still can't be read: {error}") from error

    async def reprocess_delivery(self, act: ActionContext) -> resources.Reprocessed:
        """Process the alerts of a stored delivery again, by the current rules."""
        async with self._audit_action(act, "reprocess delivery"):
            archived = await self._store.archive.find(act.subject)
            if archived is None:
                raise SubjectNotFound("the delivery is not kept")
            delivery = await reprocessing.reprocess_archived(
                self._store, archived, self._queries.rule_set(), self._clock(), randomness=factories.randomness()
            )
            return resources.Reprocessed(delivery=delivery.id, alerts=len(delivery.rows))

    async def discard_quarantined(self, act: ActionContext) -> None:
        """Discard a quarantined body."""
        async with self._audit_action(act, "discard quarantined"):
            await self._store.quarantine.discard((await self._find_quarantined_body(act.subject)).id)

    async def _find_quarantined_body(self, identity: str) -> quarantine.Quarantined:
        entry = await self._store.quarantine.find(identity)
        if entry is None:
            raise SubjectNotFound("no quarantined body has this ID")
        return entry

    async def make_token(self, act: ActionContext, body: request_bodies.NewToken) -> resources.MadeToken:
        """Create a token. Its secret is returned only here."""
        async with self._audit_action(act, "make token"):
            now = self._clock()
            expires_at = Timestamp(now + times.from_seconds(body.seconds) if body.seconds else 0)
            token, text = access.new_token(body.name, access.ROLES[body.role], now, expires_at, self._new_text)
            await self._store.tokens.save(token)
            return resources.MadeToken(**presenters.token(token).model_dump(), token=text)

    async def revoke_token(self, act: ActionContext) -> None:
        """Revoke a token."""
        async with self._audit_action(act, "revoke token"):
            if not await self._store.tokens.revoke(act.subject):
                raise SubjectNotFound("no token has this ID")


def _operator_request(act: ActionContext) -> acknowledgements.OperatorRequest:
    return acknowledgements.OperatorRequest(act.actor.person.name, act.reason)


def _check_exists(key: str | None, name: str) -> None:
    if key is None:
        raise SubjectNotFound(f'there is no incident "{name}"')


@contextlib.contextmanager
def _translate_conflicts() -> Iterator[None]:
    try:
        yield
    except dead_letters.AlreadyDecidedError as error:
        raise SubjectChanged(None, error.who) from error


async def _letter(letters: dead_letters.DeadLetters, identity: str) -> dead_letters.DeadLetter:
    letter = next((candidate for candidate in await letters.read() if candidate.id == identity), None)
    if letter is None:
        raise SubjectNotFound("no dead letter has this ID")
    return letter
