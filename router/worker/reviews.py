"""Reviews: content that customers would see and no reviewer has approved yet, and the reviewers' decisions."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import msgspec

from router.domain import (
    decisions,
    incidents,
    messages,
    plan,
    publications,
    reviews,
    severities,
    steps,
    timeline,
    visible,
)
from router.domain.reasons import Cause, Reason
from router.domain.times import Timestamp
from router.store.incidents import Change, StoredIncident
from router.store.store import Store
from router.worker import desired_state, publishing_guard, review_takes, rule_matches

What = Literal["opening", "update", "monitoring", "resolution", "retraction", "retrospective"]


class Review(NamedTuple):
    """A publication that waits for a reviewer. An approval carries out ``what``, and shows ``fields``.

    ``reason`` is the code of the reason for the wait, and ``explanation`` its text.

    ``digest`` identifies this version, and a decision names it. ``since`` and ``deadline_at`` (0: none) are
    microseconds. ``because`` has the conditions of each matching rule, with the alert's values. ``before`` is the text
    that the page shows now, empty if none. ``at_vendor`` is the vendor's state of a draft, or of a post that a person
    has changed, and ``view_digest`` identifies it. ``shown`` is the content that customers would see: the fields merged
    over the page's defaults. ``components`` are the statuses in the vendor's terms. ``at_deadline`` is the outcome at
    the deadline. ``later`` has the texts of a monitored post for later stages. A retrospective incident began at
    ``began_at`` and ended at ``ended_at``, and its resolution is in ``later``. ``publication`` names the publication,
    which may be of an earlier episode. ``retraction`` is the retraction that an approval ends by publishing the post
    again. ``digest`` then includes it, and ``asked`` is the digest of the content to send. ``take`` is the active take.
    """

    incident: str
    episode: str
    destination: str
    what: What
    digest: str
    reason: Reason
    rule: str
    severity: str
    fields: Mapping[str, Any]
    since: Timestamp
    deadline_at: Timestamp = Timestamp(0)
    owner: str = ""
    runbook: str = ""
    because: tuple[str, ...] = ()
    before: Mapping[str, Any] = MappingProxyType({})
    shown: Mapping[str, Any] = MappingProxyType({})
    components: Mapping[str, str] = MappingProxyType({})
    at_deadline: decisions.AtDeadline = "dismiss"
    at_vendor: Mapping[str, Any] = MappingProxyType({})
    view_digest: str = ""
    later: Mapping[str, str] = MappingProxyType({})
    began_at: Timestamp = Timestamp(0)
    ended_at: Timestamp = Timestamp(0)
    retraction: reviews.Retraction | None = None
    asked: str = ""
    publication: str = ""
    explanation: str = ""
    take: reviews.Take | None = None

    @property
    def title(self) -> str:
        """Return the title as customers would see it."""
        return str(self.shown.get("title", ""))

    @property
    def message(self) -> str:
        """Return the text as customers would see it."""
        return str(self.shown.get("message", ""))


class PreviewedPost(NamedTuple):
    """A post as customers see it: its fields, and the statuses of its components in the vendor's words."""

    fields: Mapping[str, Any]
    components: Mapping[str, str]


Preview = Callable[[str, publications.Content, str], PreviewedPost]
"""Returns how a destination shows content as an opening, an update, a monitored post, or a resolution."""


def plain(_: str, content: publications.Content, __: str) -> PreviewedPost:
    """Show content as it is, for a page about which nothing is known."""
    return PreviewedPost(content.fields, {})


class ReviewChangedError(Exception):
    """The waiting content has changed since the reviewer saw it. ``now`` is what waits instead, if anything does."""

    def __init__(self, now: Review | None) -> None:
        self.now = now
        super().__init__("the incident has changed" if now else "no review is pending there")


@dataclass(frozen=True)
class ReviewDecision:
    """A reviewer's decision. ``fields`` are the reviewer's own texts, which override the rule's."""

    kind: Literal["approved", "dismissed"]
    who: str
    reason: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)


class Reviews:
    """The queue of all waiting reviews."""

    def __init__(
        self,
        store: Store,
        pages: publishing_guard.PublishingGuard,
        places: Mapping[str, desired_state.DestinationTraits],
        clock: Callable[[], Timestamp],
        *,
        preview: Preview = plain,
    ) -> None:
        """Set up with the stores, the publishing controls, and the destinations.

        ``preview`` returns how each destination shows content.
        """
        self._preview = preview
        self._store = store
        self._pages = pages
        self._places = places
        self._clock = clock

    async def waiting(self) -> list[Review]:
        """Return all waiting reviews, the oldest first."""
        names = await self._store.publications.names()
        stored = await self._store.incidents.read(names, {})
        publications_of_incidents = await self._store.publications.look_at_all(names)
        both = zip(names, publications_of_incidents, strict=True)
        return await self.among((stored[name].incident, documents) for name, documents in both if name in stored)

    async def among(
        self, incidents_with_publications: Iterable[tuple[incidents.Incident, list[publications.Publication]]]
    ) -> list[Review]:
        """Return the waiting reviews of these incidents with their publications, the oldest first."""
        desires = await self._pages.desires(public=True)
        now = self._clock()
        pending: list[Review] = []
        for incident, documents in incidents_with_publications:
            # The worker records what begins to wait. Rendering every open incident would take long.
            if any(document.review is not None for document in documents):
                pending += waiting(incident, documents, self._places, (desires, self._preview), now)
        return sorted(pending, key=lambda review: (review.since, review.incident, review.destination))

    async def of_incident(self, incident: str) -> list[Review]:
        """Return the reviews of one incident, and the retracted posts that a reviewer may publish again."""
        return await self._build((await self._store.incidents.read([incident]))[incident].incident)

    async def _build(self, incident: incidents.Incident) -> list[Review]:
        all_publications = await self._store.publications.look(incident.key)
        saying = (await self._pages.desires(public=True), self._preview)
        pending = waiting(incident, all_publications, self._places, saying, self._clock())
        return pending + republishable(incident, all_publications, self._places, saying)

    async def decide(self, seen: Review, word: ReviewDecision) -> reviews.Verdict:
        """Record a verdict. Raises ``ReviewChangedError`` if the content has changed, or was decided on already.

        Of several reviewers who decide at the same time, the first to write wins: the verdict that each of them found
        when the review was checked is compared again in the write.
        """
        stored = (await self._store.incidents.read([seen.incident]))[seen.incident]
        waits = await self._current(seen, stored.incident)
        if waits is None or waits.digest != seen.digest:
            raise ReviewChangedError(waits)
        now = self._clock()
        earlier = stored.incident.interventions.verdicts.get(seen.destination)
        decision = verdict(seen, word, now, earlier)

        def make(stored: StoredIncident) -> Change | None:
            after = apply_verdict(stored.incident, seen, decision, earlier)
            if after is None:
                return None
            return Change(after, stored.version, wake=True, events=[verdict_event(seen, decision)])

        if not await self._store.incidents.update(seen.incident, make):
            stored = (await self._store.incidents.read([seen.incident]))[seen.incident]
            raise ReviewChangedError(await self._current(seen, stored.incident))
        if seen.what in {"opening", "retrospective"}:
            outcome: Literal["edited", "approved", "dismissed"] = decision.kind
            stored = (await self._store.incidents.read([seen.incident]))[seen.incident]
            await self._pages.record_outcome(stored.incident, "edited" if decision.fields else outcome)
        return decision

    async def _current(self, seen: Review, incident: incidents.Incident) -> Review | None:
        """Return the review of the same publication as it is now, or else another one at the same destination."""
        pending_reviews = [review for review in await self._build(incident) if review.destination == seen.destination]
        return next(
            (review for review in pending_reviews if review.publication == seen.publication),
            pending_reviews[0] if pending_reviews else None,
        )


def apply_verdict(
    incident: incidents.Incident, seen: Review, decision: reviews.Verdict, earlier: reviews.Verdict | None
) -> incidents.Incident | None:
    """Return the incident with a verdict; None if another verdict or a retraction came first, or the review has ended.
    ``earlier`` is the verdict that was there when the review was checked. Each verdict holds its time and its reviewer,
    so two verdicts are equal only if they are the same one.
    """
    # A retraction is of one publication, which may outlive its episode.
    if seen.what == "retraction":
        return _apply_retraction_verdict(incident, seen, decision)
    # The next episode is another outage, which no reviewer has seen.
    if incident.episode != seen.episode:
        return None
    # The incident has ended or fires again, so another subject waits.
    if (incident.status != "open") != (seen.what in {"resolution", "retrospective"}):
        return None
    # Another reviewer decided first.
    if incident.interventions.verdicts.get(seen.destination) != earlier:
        return None
    # An operator retracted the post, or withdrew the retraction, after the reviewer looked.
    if incident.interventions.retractions.get(seen.publication) != seen.retraction:
        return None
    verdicts = {**incident.interventions.verdicts, seen.destination: decision}
    retractions = incident.interventions.retractions
    if decision.kind == "approved":  # A retracted post is to be published again.
        retractions = _without(retractions, seen)
    takes = review_takes.without(incident, seen.publication)
    return incidents.with_interventions(incident, verdicts=verdicts, retractions=retractions, takes=takes)


def _apply_retraction_verdict(
    incident: incidents.Incident, seen: Review, decision: reviews.Verdict
) -> incidents.Incident | None:
    """Return the incident after a verdict on the retraction of a post that another person has changed since.

    Approving takes the changed post down. Dismissing ends the retraction, and leaves the post to that person.
    """
    retraction = incident.interventions.retractions.get(seen.publication)
    # The retraction has ended, or it includes this change of the post already.
    if retraction is None or retraction.digest == seen.digest:
        return None
    retractions = _without(incident.interventions.retractions, seen)
    if decision.kind == "approved":
        retractions[seen.publication] = msgspec.structs.replace(
            retraction, who=decision.who, at=decision.at, digest=seen.digest
        )
    takes = review_takes.without(incident, seen.publication)
    return incidents.with_interventions(incident, retractions=retractions, takes=takes)


def _without(retractions: Mapping[str, reviews.Retraction], seen: Review) -> dict[str, reviews.Retraction]:
    return {name: retraction for name, retraction in retractions.items() if name != seen.publication}


def verdict(
    seen: Review, word: ReviewDecision, now: Timestamp, earlier: reviews.Verdict | None = None
) -> reviews.Verdict:
    """Return the verdict for a reviewer's decision, after an ``earlier`` one of the same episode and destination.

    Dismissing an opening dismisses the whole episode, so that it isn't reviewed again. A decision after all alerts have
    resolved doesn't affect what the post says if alerts fire again.
    """
    digest = seen.asked or seen.digest
    fields = visible.everywhere(dict(word.fields))
    if word.kind == "dismissed" and seen.what == "opening":
        digest = ""
    elif fields and seen.what != "resolution":
        severity = next(level for level in severities.Severity if level.word == seen.severity)
        content = publications.Content(severity, {**seen.fields, **fields})
        digest = reviews.digest_of(content.digest, seen.view_digest)
        if seen.what == "retrospective":
            digest = reviews.retrospective_of(content.digest, seen.began_at, seen.ended_at)
    before = earlier.fields if earlier is not None else {}
    if seen.what in {"monitoring", "resolution"}:
        return reviews.Verdict(word.kind, word.who, now, digest, word.reason, before, fields)
    if seen.what == "update":
        # The content has the texts of the previous review, so they still apply.
        fields = {**before, **fields}
    return reviews.Verdict(word.kind, word.who, now, digest, word.reason, fields)


def verdict_event(seen: Review, verdict: reviews.Verdict) -> timeline.Event:
    """Return the event for a verdict."""
    text = f"{verdict.kind.capitalize()} at {seen.destination} by {verdict.who}"
    text += f": {verdict.reason}" if verdict.reason else ""
    own_fields = verdict.ending if seen.what in {"monitoring", "resolution"} else verdict.fields
    detail = {"what": seen.what, "digest": verdict.digest, "fields": own_fields}
    return timeline.Event(verdict.at, "verdict", text, seen.destination, verdict.who, detail)


def waiting(
    incident: incidents.Incident,
    publications_of_incidents: list[publications.Publication],
    places: Mapping[str, desired_state.DestinationTraits],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
    now: Timestamp,
) -> list[Review]:
    """Return the reviews of one incident. ``saying`` builds each post's desired state, and previews it."""
    waiting_publication = []
    desires, _preview = saying
    for publication in publications_of_incidents:
        place = places.get(publication.destination)
        if place is None or not place.kind.public or incident.response is None:
            continue
        # Of an earlier episode, only a retraction waits. Nothing else of it is published.
        if (
            not desired_state.is_current(incident, publication, publications_of_incidents)
            and publication.name not in incident.interventions.retractions
        ):
            continue
        # A read that is due doesn't end a review.
        desired = msgspec.structs.replace(
            desires.build(incident, publication, publications_of_incidents, place), observe_interval=0
        )
        step = plan.plan(desired, publication, now=now)
        digest = plan.pending_review_digest(desired, publication, step)
        if digest and isinstance(step, steps.Wait):
            review = _review(incident, publication, desired, digest, (step.subject, step.cause))
            review = review._replace(take=review_takes.current(incident, publication.name, now))
            waiting_publication.append(
                _add_preview(review, incident, (publication, desired), saying, (publications_of_incidents, place))
            )
    return waiting_publication


def _add_preview(
    review: Review,
    incident: incidents.Incident,
    pair: tuple[publications.Publication, publications.Desired],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
    among: tuple[list[publications.Publication], desired_state.DestinationTraits],
) -> Review:
    """Return a review of a publication with what customers would see of its desired state."""
    publication, desired = pair
    desires, preview = saying
    rendered = preview(publication.destination, desired.content, review.what)
    before = (
        preview(publication.destination, publication.content, "opening").fields
        if publication.content and review.before
        else {}
    )
    later: Mapping[str, str] = {}
    if review.what == "retrospective":
        resolution = preview(publication.destination, desired.content, "resolution").fields
        later = {"resolution": str(resolution.get("message", ""))}
    elif review.what in {"opening", "update"} and among[1].kind.monitoring:
        later = _later(desires, preview, incident, publication, among)
    if review.what == "resolution":
        text = str(rendered.fields.get("message", ""))
        review = review._replace(digest=reviews.ending_of(review.digest, review.episode, text), asked=review.digest)
    return review._replace(shown=rendered.fields, components=rendered.components, before=before, later=later)


def republishable(
    incident: incidents.Incident,
    all_publications: list[publications.Publication],
    places: Mapping[str, desired_state.DestinationTraits],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
) -> list[Review]:
    """Return the retracted posts that could be published again, as they would be now.

    No reviewer has to decide on them.
    """
    pending = []
    for publication in all_publications:
        place, retraction = (
            places.get(publication.destination),
            incident.interventions.retractions.get(publication.name),
        )
        is_down = (publication.retracted and publication.settled) or (
            publication.state == "absent" and publication.intent is None
        )
        if place is None or retraction is None or publication.episode != incident.episode or not is_down:
            continue
        retractions = {
            name: other for name, other in incident.interventions.retractions.items() if name != publication.name
        }
        without = incidents.with_interventions(incident, retractions=retractions)
        reopened = publications.republish(publication) if publication.settled else publication
        desired = saying[0].build(without, reopened, all_publications, place)
        if desired.present and desired.suppressed is None and desired.publish != "shadow":
            digest = plan.review_digest(desired, reopened)
            retracted = Cause(Reason.RETRACTED, who=retraction.who)
            review = _review(incident, reopened, desired, digest, (steps.Subject.POST, retracted))
            anew = reviews.again_of(digest, retraction, incident.interventions.verdicts.get(publication.destination))
            review = review._replace(
                deadline_at=Timestamp(0), since=retraction.at, digest=anew, asked=digest, retraction=retraction
            )
            pending.append(_add_preview(review, without, (reopened, desired), saying, (all_publications, place)))
    return pending


def _review(
    incident: incidents.Incident,
    publication: publications.Publication,
    desired: publications.Desired,
    digest: str,
    why: tuple[steps.Subject, Cause],
) -> Review:
    response = incident.response
    assert response is not None  # noqa: S101 - what waits was opened by a rule
    subject, cause = why
    kind = _subject(publication, desired)
    review = publication.review
    since = review.since if review is not None and review.digest == digest else incident.opened_at
    return Review(
        incident.key,
        incident.episode,
        publication.destination,
        kind,
        digest,
        cause.code,
        response.rule,
        desired.content.severity.word,
        desired.content.fields,
        since,
        Timestamp(since + desired.deadline if _has_deadline(publication, desired, kind) else 0),
        response.owner,
        response.runbook,
        rule_matches.because(incident),
        _shown_fields(publication),
        at_vendor=_at_vendor(publication),
        view_digest=publication.view.digest if publication.taken_over else "",
        at_deadline=desired.at_deadline,
        began_at=desired.began_at,
        ended_at=desired.ended_at,
        explanation=messages.describe_review(subject, cause),
        publication=publication.name,
    )


def _later(
    desires: desired_state.DesiredStateBuilder,
    preview: Preview,
    incident: incidents.Incident,
    publication: publications.Publication,
    among: tuple[list[publications.Publication], desired_state.DestinationTraits],
) -> Mapping[str, str]:
    """Return the texts of a post once no alert fires; nothing if it is resolved without being monitored."""
    all_publications, place = among
    period = incidents.QuietPeriod(incident.changed_at, monitored_since=incident.changed_at)
    monitored = msgspec.structs.replace(incident, quiet=period)
    desired = desires.build(monitored, msgspec.structs.replace(publication, state="open"), all_publications, place)
    if not desired.monitored:
        return {}
    fields_by_kind = {
        kind: preview(publication.destination, desired.content, kind).fields for kind in ("monitoring", "resolution")
    }
    return {kind: str(fields.get("message", "")) for kind, fields in fields_by_kind.items()}


def _subject(publication: publications.Publication, desired: publications.Desired) -> What:
    """Return the subject of the review."""
    if desired.retracted is not None:
        return "retraction"
    if plan.is_retrospective(desired, publication):
        return "retrospective"
    if not desired.present:
        return "resolution"
    if publication.state != "open":
        return "opening"
    return "monitoring" if desired.monitored else "update"


def _has_deadline(publication: publications.Publication, desired: publications.Desired, kind: What) -> bool:
    """Return whether the review has a deadline. A public post is resolved only at a deadline that publishes."""
    if kind == "retraction" or (kind == "resolution" and (publication.taken_over or desired.at_deadline != "publish")):
        return False
    return bool(desired.deadline)


def _shown_fields(publication: publications.Publication) -> Mapping[str, Any]:
    content = publication.content if publication.state == "open" else None
    return content.fields if content is not None else {}


def _at_vendor(publication: publications.Publication) -> Mapping[str, Any]:
    """Return the vendor's state of a draft, or of a post that a person has changed, as last read."""
    if publication.state != "draft" and not publication.taken_over:
        return {}
    names = ("title", "message", "impact", "status")
    return {name: publication.view.fields[name] for name in names if publication.view.fields.get(name)}
