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


class Shown(NamedTuple):
    """A post as customers see it: its fields, and the statuses of its components in the vendor's words."""

    fields: Mapping[str, Any]
    components: Mapping[str, str]


Preview = Callable[[str, publications.Content, str], Shown]
"""Returns how a destination shows content as an opening, an update, a monitored post, or a resolution."""


def plain(_: str, content: publications.Content, __: str) -> Shown:
    """Show content as it is, for a page about which nothing is known."""
    return Shown(content.fields, {})


class ChangedError(Exception):
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
        places: Mapping[str, desired_state.Place],
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
        held = await self._store.incidents.read(names, {})
        known = await self._store.publications.look_at_all(names)
        both = zip(names, known, strict=True)
        return await self.among((held[name].incident, documents) for name, documents in both if name in held)

    async def among(self, known: Iterable[tuple[incidents.Incident, list[publications.Publication]]]) -> list[Review]:
        """Return the waiting reviews of these incidents with their publications, the oldest first."""
        desires = await self._pages.desires(public=True)
        now = self._clock()
        found: list[Review] = []
        for incident, documents in known:
            # The worker records what begins to wait. Rendering every open incident would take long.
            if any(one.review is not None for one in documents):
                found += waiting(incident, documents, self._places, (desires, self._preview), now)
        return sorted(found, key=lambda one: (one.since, one.incident, one.destination))

    async def of(self, incident: str) -> list[Review]:
        """Return the reviews of one incident, and the retracted posts that a reviewer may publish again."""
        return await self._of((await self._store.incidents.read([incident]))[incident].incident)

    async def _of(self, incident: incidents.Incident) -> list[Review]:
        known = await self._store.publications.look(incident.key)
        saying = (await self._pages.desires(public=True), self._preview)
        found = waiting(incident, known, self._places, saying, self._clock())
        return found + republishable(incident, known, self._places, saying)

    async def decide(self, seen: Review, word: ReviewDecision) -> reviews.Verdict:
        """Record a verdict. Raises ``ChangedError`` if the content has changed, or was decided on already.

        Of several reviewers who decide at the same time, the first to write wins: the verdict that each of them found
        when the review was checked is compared again in the write.
        """
        held = (await self._store.incidents.read([seen.incident]))[seen.incident]
        waits = await self._current(seen, held.incident)
        if waits is None or waits.digest != seen.digest:
            raise ChangedError(waits)
        now = self._clock()
        earlier = held.incident.interventions.verdicts.get(seen.destination)
        given = verdict(seen, word, now, earlier)

        def make(held: StoredIncident) -> Change | None:
            after = decided(held.incident, seen, given, earlier)
            if after is None:
                return None
            return Change(after, held.version, wake=True, events=[verdict_event(seen, given)])

        if not await self._store.incidents.update(seen.incident, make):
            held = (await self._store.incidents.read([seen.incident]))[seen.incident]
            raise ChangedError(await self._current(seen, held.incident))
        if seen.what in {"opening", "retrospective"}:
            outcome: Literal["edited", "approved", "dismissed"] = given.kind
            held = (await self._store.incidents.read([seen.incident]))[seen.incident]
            await self._pages.record_outcome(held.incident, "edited" if given.fields else outcome)
        return given

    async def _current(self, seen: Review, incident: incidents.Incident) -> Review | None:
        """Return the review of the same publication as it is now, or else another one at the same destination."""
        there = [one for one in await self._of(incident) if one.destination == seen.destination]
        return next((one for one in there if one.publication == seen.publication), there[0] if there else None)


def decided(
    incident: incidents.Incident, seen: Review, given: reviews.Verdict, earlier: reviews.Verdict | None
) -> incidents.Incident | None:
    """Return the incident with a verdict; None if another verdict or a retraction came first, or the review has ended.
    ``earlier`` is the verdict that was there when the review was checked. Each verdict holds its time and its reviewer,
    so two verdicts are equal only if they are the same one.
    """
    # A retraction is of one publication, which may outlive its episode.
    if seen.what == "retraction":
        return _retraction_decided(incident, seen, given)
    if incident.episode != seen.episode:
        return None
    if (incident.status != "open") != (seen.what in {"resolution", "retrospective"}):
        return None
    if incident.interventions.verdicts.get(seen.destination) != earlier:
        return None
    if incident.interventions.retractions.get(seen.publication) != seen.retraction:
        return None
    verdicts = {**incident.interventions.verdicts, seen.destination: given}
    retractions = incident.interventions.retractions
    if given.kind == "approved":  # A retracted post is to be published again.
        retractions = _without(retractions, seen)
    takes = review_takes.without(incident, seen.publication)
    return incidents.with_interventions(incident, verdicts=verdicts, retractions=retractions, takes=takes)


def _retraction_decided(
    incident: incidents.Incident, seen: Review, given: reviews.Verdict
) -> incidents.Incident | None:
    """Return the incident after a verdict on the retraction of a post that another person has changed since.

    Approving takes the changed post down. Dismissing ends the retraction, and leaves the post to that person.
    """
    retraction = incident.interventions.retractions.get(seen.publication)
    if retraction is None or retraction.digest == seen.digest:
        return None
    retractions = _without(incident.interventions.retractions, seen)
    if given.kind == "approved":
        retractions[seen.publication] = msgspec.structs.replace(
            retraction, who=given.who, at=given.at, digest=seen.digest
        )
    takes = review_takes.without(incident, seen.publication)
    return incidents.with_interventions(incident, retractions=retractions, takes=takes)


def _without(retractions: Mapping[str, reviews.Retraction], seen: Review) -> dict[str, reviews.Retraction]:
    return {name: one for name, one in retractions.items() if name != seen.publication}


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
    own = verdict.ending if seen.what in {"monitoring", "resolution"} else verdict.fields
    detail = {"what": seen.what, "digest": verdict.digest, "fields": own}
    return timeline.Event(verdict.at, "verdict", text, seen.destination, verdict.who, detail)


def waiting(
    incident: incidents.Incident,
    known: list[publications.Publication],
    places: Mapping[str, desired_state.Place],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
    now: Timestamp,
) -> list[Review]:
    """Return the reviews of one incident. ``saying`` builds each post's desired state, and previews it."""
    found = []
    desires, _preview = saying
    for one in known:
        place = places.get(one.destination)
        if place is None or not place.kind.public or incident.response is None:
            continue
        # Of an earlier episode, only a retraction waits. Nothing else of it is published.
        if not desired_state.is_current(incident, one, known) and one.name not in incident.interventions.retractions:
            continue
        # A read that is due doesn't end a review.
        desired = msgspec.structs.replace(desires.build(incident, one, known, place), observe_interval=0)
        step = plan.plan(desired, one, now=now)
        digest = plan.pending_review_digest(desired, one, step)
        if digest and isinstance(step, steps.Wait):
            made = _review(incident, one, desired, digest, (step.subject, step.cause))
            made = made._replace(take=review_takes.current(incident, one.name, now))
            found.append(_previewed(made, incident, (one, desired), saying, (known, place)))
    return found


def _previewed(
    made: Review,
    incident: incidents.Incident,
    of: tuple[publications.Publication, publications.Desired],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
    among: tuple[list[publications.Publication], desired_state.Place],
) -> Review:
    """Return a review of a publication with what customers would see of its desired state."""
    one, desired = of
    desires, preview = saying
    shown = preview(one.destination, desired.content, made.what)
    before = preview(one.destination, one.content, "opening").fields if one.content and made.before else {}
    later: Mapping[str, str] = {}
    if made.what == "retrospective":
        resolution = preview(one.destination, desired.content, "resolution").fields
        later = {"resolution": str(resolution.get("message", ""))}
    elif made.what in {"opening", "update"} and among[1].kind.monitoring:
        later = _later(desires, preview, incident, one, among)
    if made.what == "resolution":
        text = str(shown.fields.get("message", ""))
        made = made._replace(digest=reviews.ending_of(made.digest, made.episode, text), asked=made.digest)
    return made._replace(shown=shown.fields, components=shown.components, before=before, later=later)


def republishable(
    incident: incidents.Incident,
    known: list[publications.Publication],
    places: Mapping[str, desired_state.Place],
    saying: tuple[desired_state.DesiredStateBuilder, Preview],
) -> list[Review]:
    """Return the retracted posts that could be published again, as they would be now.

    No reviewer has to decide on them.
    """
    found = []
    for one in known:
        place, retraction = places.get(one.destination), incident.interventions.retractions.get(one.name)
        is_down = (one.retracted and one.settled) or (one.state == "absent" and one.intent is None)
        if place is None or retraction is None or one.episode != incident.episode or not is_down:
            continue
        kept = {name: other for name, other in incident.interventions.retractions.items() if name != one.name}
        without = incidents.with_interventions(incident, retractions=kept)
        again = publications.republished(one) if one.settled else one
        desired = saying[0].build(without, again, known, place)
        if desired.present and desired.suppressed is None and desired.publish != "shadow":
            digest = plan.review_digest(desired, again)
            retracted = Cause(Reason.RETRACTED, who=retraction.who)
            made = _review(incident, again, desired, digest, (steps.Subject.POST, retracted))
            anew = reviews.again_of(digest, retraction, incident.interventions.verdicts.get(one.destination))
            made = made._replace(
                deadline_at=Timestamp(0), since=retraction.at, digest=anew, asked=digest, retraction=retraction
            )
            found.append(_previewed(made, without, (again, desired), saying, (known, place)))
    return found


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
    what = _what(publication, desired)
    review = publication.review
    since = review.since if review is not None and review.digest == digest else incident.opened_at
    return Review(
        incident.key,
        incident.episode,
        publication.destination,
        what,
        digest,
        cause.code,
        response.rule,
        desired.content.severity.word,
        desired.content.fields,
        since,
        Timestamp(since + desired.deadline if _ends(publication, desired, what) else 0),
        response.owner,
        response.runbook,
        rule_matches.because(incident),
        _shown(publication),
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
    among: tuple[list[publications.Publication], desired_state.Place],
) -> Mapping[str, str]:
    """Return the texts of a post once no alert fires; nothing if it is resolved without being monitored."""
    known, place = among
    period = incidents.QuietPeriod(incident.changed_at, monitored_since=incident.changed_at)
    monitored = msgspec.structs.replace(incident, quiet=period)
    desired = desires.build(monitored, msgspec.structs.replace(publication, state="open"), known, place)
    if not desired.monitored:
        return {}
    shown = {
        what: preview(publication.destination, desired.content, what).fields for what in ("monitoring", "resolution")
    }
    return {what: str(fields.get("message", "")) for what, fields in shown.items()}


def _what(publication: publications.Publication, desired: publications.Desired) -> What:
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


def _ends(publication: publications.Publication, desired: publications.Desired, what: What) -> bool:
    """Return whether the review has a deadline. A public post is resolved only at a deadline that publishes."""
    if what == "retraction" or (what == "resolution" and (publication.taken_over or desired.at_deadline != "publish")):
        return False
    return bool(desired.deadline)


def _shown(publication: publications.Publication) -> Mapping[str, Any]:
    content = publication.content if publication.state == "open" else None
    return content.fields if content is not None else {}


def _at_vendor(publication: publications.Publication) -> Mapping[str, Any]:
    """Return the vendor's state of a draft, or of a post that a person has changed, as last read."""
    if publication.state != "draft" and not publication.taken_over:
        return {}
    kept = ("title", "message", "impact", "status")
    return {name: publication.view.fields[name] for name in kept if publication.view.fields.get(name)}
