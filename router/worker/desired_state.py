"""Builds the desired state of each publication from the incident, and never from events."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from router.destinations import base
from router.domain import (
    affected_components,
    asks,
    corrections,
    decisions,
    incidents,
    publications,
    reviews,
    times,
    timing,
    visible,
)
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp
from router.worker import kept_drafts, stand_ins

Render = Callable[[Mapping[str, Any], incidents.Incident], dict[str, Any]]
"""Renders the fields of a destination that isn't public."""

RenderPublic = Callable[
    [Mapping[str, Any], incidents.Incident, Mapping[str, decisions.Allowed]], tuple[dict[str, Any], str]
]
"""Renders the fields of a public destination. The last argument holds the permitted values of variables.

Returns the fields as customers would see them, and a description of what must not be shown to customers; empty if the
fields have nothing of that kind.
"""

Examine = Callable[[Iterable[str]], str]
"""Describes what customers must not see in texts that no rule has written; empty if there is nothing."""


@dataclass(frozen=True)
class Policy:
    """The publishing policy of all pages now. Times in microseconds.

    ``frozen`` is why nothing may be posted. ``tripped`` is why the publishing guard requires an approval for every
    post, ``tripped_at`` the same for single pages, by destination. ``min_update_interval`` is the least time between
    two updates of a post, ``observe_interval`` how often a vendor is read.
    """

    frozen: Cause | None = None
    tripped: Cause | None = None
    tripped_at: Mapping[str, Cause] = field(default_factory=dict)
    min_update_interval: Duration = Duration(0)
    observe_interval: Duration = Duration(0)


FREE = Policy()
RETROSPECTIVE_REVIEW = Duration(6 * times.DAY)
"""The time after which a retrospective incident without an approval is dismissed, if its rule sets no deadline.

The store keeps such an incident for longer.
"""
_NOT_OVER = (Timestamp(0), Timestamp(0))
_COMPONENTS = "components"
_TITLES = frozenset({"name", "title"})
_TEST = "[TEST] "


class DestinationTraits(Protocol):
    """The properties of a destination in use here: its kind, and the destination that it may draft posts from."""

    @property
    def kind(self) -> base.Kind:
        """Return the kind's entry in the registry."""
        ...

    @property
    def follows(self) -> str:
        """Return the name of the other destination; empty if there is none."""
        ...


def ensure_publications(
    incident: incidents.Incident, documents: list[publications.Publication]
) -> list[publications.Publication]:
    """Add a publication for each target of the open episode that has none yet. Those of earlier episodes stay.

    An episode that opened and ended before a worker read it gets publications if it may be published afterwards.
    """
    # A pending incident may resolve before it opens, and an ignored alert has no destinations.
    if incident.status == "pending" or not incident.episode or incident.response is None:
        return documents
    present = {(publication.episode, publication.destination) for publication in documents}
    # A post that outlived its episode shows this one, too. A second post would tell customers of two outages.
    present |= {(incident.episode, publication.destination) for publication in documents if is_continued(publication)}
    return documents + [
        publications.Publication(incident.episode, target.destination, opened_at=incident.opened_at)
        for target in incident.response.targets
        if (incident.episode, target.destination) not in present and (incident.status == "open" or target.retrospective)
    ]


def is_continued(publication: publications.Publication) -> bool:
    """Return whether a post outlives its episode: it is public, and only a reviewer resolves it."""
    resolves = publication.intent is not None and publication.intent.kind == "resolve"
    return publication.resolves_by_review and publication.state == "open" and not resolves


def is_current(
    incident: incidents.Incident, publication: publications.Publication, siblings: list[publications.Publication]
) -> bool:
    """Return whether a publication shows the incident's newest episode.

    A post that waited for a reviewer to resolve it was never resolved. If alerts fire again, the post continues. A new
    post is opened only after it has ended.
    """
    if publication.episode == incident.episode:
        return True
    newest = (incident.episode, publication.destination)
    return is_continued(publication) and all((sibling.episode, sibling.destination) != newest for sibling in siblings)


@dataclass(frozen=True)
class DesiredStateBuilder:
    """Builds desired states: renders and checks texts, and applies the policy of all pages."""

    render: Render
    render_public: RenderPublic | None = None
    policy: Policy = FREE
    examine: Examine | None = None

    def build(
        self,
        incident: incidents.Incident,
        publication: publications.Publication,
        siblings: list[publications.Publication],
        place: DestinationTraits,
    ) -> publications.Desired:
        """Return the desired state of the publication: that of the incident, or closed if its episode has ended."""
        current = is_current(incident, publication, siblings)
        target, asked_at = _find_target(incident, publication) if current else (None, publication.destination)
        verdict = incident.interventions.verdicts.get(publication.destination) if current else None
        retracted = incident.interventions.retractions.get(publication.name) if place.kind.public else None
        ask, is_asked = _find_ask(incident, target, asked_at)
        ending = target.ending if target is not None else decisions.Ending()
        # Only an open post is monitored: a draft is published with the rule's first text.
        is_quiet = incident.status == "open" and incident.monitored_since is not None
        monitored = is_quiet and bool(ending.monitor_for) and publication.state == "open"
        content, leaks, note = self._content(
            _with_ask(incident, ask), publication, target if is_asked else None, verdict, (place.kind.public, monitored)
        )
        if publication.stands_in_for == asked_at and is_asked and incident.status == "open":
            content = stand_ins.content_for(content, incident, place.kind.opening)
        elif retracted is not None and publication.content is not None:
            content = publication.content  # The post is taken down with its last content.
        followed = _find_followed(publication, siblings, place.follows)
        earlier = _find_earlier(incident, publication, siblings) if current and place.kind.reopens else None
        # A reopened incident may have a post already, which is not that of this episode.
        linked = followed if followed is not None and not followed.reopened else None
        began_at, ended_at = _find_period(incident, publication, target) if place.kind.retrospective else _NOT_OVER
        is_open = current and incident.status == "open" and target is not None
        return publications.Desired(
            present=is_open and ((is_asked and not is_quiet) or publication.is_begun),
            content=content,
            public=place.kind.public,
            publish=target.publish if target is not None else "review",
            verdict=verdict,
            may_adopt_draft=place.kind.adopts and linked is not None,
            linked_id=linked.vendor_id if linked is not None else "",
            follows_settled=followed is None or followed.rejection is not None or followed.settled,
            review_cause=leaks or self.policy.tripped or self.policy.tripped_at.get(publication.destination),
            frozen=self.policy.frozen,
            suppressed=_suppression_cause(incident, is_asked=is_asked) if place.kind.public else None,
            deadline=Duration((target.deadline if target else 0) or (RETROSPECTIVE_REVIEW if ended_at else 0)),
            at_deadline=target.at_deadline if target is not None else "dismiss",
            min_update_interval=Duration(self.policy.min_update_interval if place.kind.public else 0),
            observe_interval=self.policy.observe_interval,
            redriven_at=_redriven_at(incident, publication, retracted),
            discarded_at=incident.interventions.discarded_at.get(publication.name, Timestamp(0)),
            note=note,
            reopen_vendor_id=_reopenable_id(earlier),
            is_previous_closed=earlier is None or earlier.state != "open" or earlier.rejection is not None,
            monitored=monitored,
            ends_by_review=place.kind.public and (ending.review or (current and publication.resolves_by_review)),
            retracted=retracted,
            began_at=began_at,
            ended_at=ended_at,
            correction=_correction(incident, publication) if place.kind.corrects else None,
        )

    def _content(
        self,
        incident: incidents.Incident,
        publication: publications.Publication,
        target: decisions.Target | None,
        verdict: reviews.Verdict | None,
        visibility: tuple[bool, bool],
    ) -> tuple[publications.Content, Cause | None, Cause | None]:
        """Return the content, why a reviewer has to approve it, and a note about it for the timeline.

        ``visibility`` says whether customers see it, and whether the post says that the incident is monitored.
        """
        public, monitored = visibility
        last_content = publication.content
        # The incident has ended, or no rule names the destination any longer. Only a reviewer's own texts change the
        # post.
        if last_content is not None and (target is None or incident.status != "open"):
            return _build_resolution(last_content, publication, verdict), None, None
        # Nothing was sent, and no rule says what to send.
        if target is None:
            return publications.Content(incident.severity, {}), None, None
        # After a monitored period, customers need another text than at the first opening.
        ending = target.ending.monitoring if monitored else target.ending.firing if publication.monitored else {}
        if public:
            fields, note, leaks = self._public(incident, target, ending)
        else:
            fields, note, leaks = _mark_test(self.render(target.fields, incident), incident), None, None
        if target.parts:
            last = _collect_components(publication)
            fields[_COMPONENTS] = affected_components.build_statuses(incident, target, fields.get(_COMPONENTS), last)
        if drafted := kept_drafts.kept_fields(fields, publication):
            fields |= drafted
            # No rule has declared a draft's texts, so they are checked like free text.
            leak = self.examine(kept_drafts.texts(drafted)) if self.examine is not None else ""
            leaks = leaks or (Cause(Reason.DRAFT_LEAKS, detail=leak) if leak else None)
        own_fields = {name: fields[name] for name in ending} if monitored else {}
        if verdict is not None and verdict.fields:
            # A person's text from an earlier version may have invisible characters. They are never posted.
            fields |= visible.everywhere(verdict.fields)
            note = Cause(Reason.REVIEWER_TEXT_USED, who=verdict.who) if verdict.kind == "approved" else note
        if monitored:
            # A person's text for an update doesn't replace the text for monitoring.
            fields |= own_fields | (visible.everywhere(verdict.ending) if verdict is not None else {})
        return publications.Content(incident.severity, fields), leaks, note

    def _public(
        self, incident: incidents.Incident, target: decisions.Target, ending: Mapping[str, Any]
    ) -> tuple[dict[str, Any], Cause | None, Cause | None]:
        """Return the fields that customers would see, notes about them for the timeline, and why they need an approval.

        ``ending`` are fields that replace the rule's while the incident is monitored, or if it fires again after that.
        """
        if self.render_public is None:
            return self.render({**target.fields, **ending}, incident), None, None
        fields, leak = self.render_public({**target.fields, **ending}, incident, target.public)
        note = None
        if leak and target.fallback:
            note = Cause(Reason.FALLBACK_TEXT_USED, detail=leak)
            # The fallback is checked as well: it may contain the same variable.
            fallback = {**target.fields, **target.fallback, **ending}
            fields, leak = self.render_public(fallback, incident, target.public)
        return fields, note, Cause(Reason.TEXT_LEAKS, detail=leak) if leak else None


def _collect_components(publication: publications.Publication) -> dict[str, Any]:
    """Return the components that the router's updates may have changed, each with the status of the newest one.

    An update whose outcome is unknown, or that was carried out in part, may have changed components that the last
    complete one doesn't name. They have to become operational again, too.
    """
    contents = [*publication.uncertain, *filter(None, (publication.content,))]
    parts = (content.fields.get(_COMPONENTS) for content in contents)
    return {name: status for part in parts if isinstance(part, Mapping) for name, status in part.items()}


def _build_resolution(
    last_content: publications.Content, publication: publications.Publication, verdict: reviews.Verdict | None
) -> publications.Content:
    """Return the last content, with a reviewer's own texts for the resolution."""
    vendor_digest = publication.view.digest if publication.taken_over else ""
    # A reviewer's texts count for the resolution that the reviewer saw, and not after a person's later change at the
    # vendor.
    if verdict is None or not verdict.ending or verdict.digest != reviews.digest_of(reviews.RESOLUTION, vendor_digest):
        return last_content
    return publications.Content(last_content.severity, {**last_content.fields, **visible.everywhere(verdict.ending)})


def _with_ask(incident: incidents.Incident, ask: asks.Ask | None) -> incidents.Incident:
    """Return the incident as the texts of an ask need it: with that ask's own alert and labels."""
    response = incident.response
    # The incident has this ask's alert and labels already.
    if ask is None or response is None or ask.alert == incident.opening_alert:
        return incident
    labels = {**response.labels, **ask.response.labels}
    own_response = msgspec.structs.replace(ask.response, targets=response.targets, labels=labels)
    return msgspec.structs.replace(incident, opening_alert=ask.alert, response=own_response)


def _find_target(
    incident: incidents.Incident, publication: publications.Publication
) -> tuple[decisions.Target | None, str]:
    """Return a publication's target, and the destination in the rule.

    A stand-in uses those of the destination that it stands in for, unless the rule now names the stand-in itself.
    """
    target = find_target(incident, publication.destination)
    if target is not None or not publication.stands_in_for:
        return target, publication.destination
    return find_target(incident, publication.stands_in_for), publication.stands_in_for


def _find_ask(
    incident: incidents.Incident, target: decisions.Target | None, destination: str
) -> tuple[asks.Ask | None, bool]:
    """Return the ask for a destination, and whether an alert asks for it now."""
    ask = timing.ask_for(incident, destination) if target is not None else None
    # If no alert fires, the incident is quiet or closed. That withdraws no ask: the post is resolved with the incident.
    return ask, ask is None or not incident.still_fires or timing.is_asked(incident, destination)


def find_target(incident: incidents.Incident, destination: str) -> decisions.Target | None:
    """Return the rule's target for a destination; None if it has none."""
    if incident.response is None:
        return None
    return next((target for target in incident.response.targets if target.destination == destination), None)


def _find_period(
    incident: incidents.Incident, publication: publications.Publication, target: decisions.Target | None
) -> tuple[Timestamp, Timestamp]:
    """Return when the closed incident began and ended if it may be published as a retrospective one; zeros if not."""
    # The incident goes on, or its rule wants no retrospective post.
    if target is None or not target.retrospective or incident.status != "closed" or incident.closed_at is None:
        return _NOT_OVER
    # The post was published or begun, or its review has ended without one.
    if publication.state != "absent" or publication.review_ended:
        return _NOT_OVER
    ended_at = incident.ended_at
    # The last alert ended before the incident opened, or its end isn't known.
    if ended_at is None or ended_at < incident.opened_at:
        ended_at = incident.closed_at
    # A deadline that dismissed it in time was the rule's decision.
    due = publication.review.since + target.deadline if publication.review is not None and target.deadline else None
    if target.at_deadline == "dismiss" and due is not None and due <= incident.closed_at:
        return _NOT_OVER
    alert = incident.opening_alert
    starts_at = alert.starts_at if alert is not None else Timestamp(0)
    # A sender whose clock is ahead may report a start after the opening.
    began_at = starts_at if 0 < starts_at <= incident.opened_at else incident.opened_at
    return min(began_at, ended_at), ended_at


def _redriven_at(
    incident: incidents.Incident, publication: publications.Publication, retracted: reviews.Retraction | None
) -> Timestamp:
    """Return when an operator last redrove a dead letter of the post. A retraction also redrives it."""
    redriven_at = incident.interventions.redriven_at.get(publication.name, Timestamp(0))
    return redriven_at if retracted is None else max(redriven_at, retracted.at)


def _correction(incident: incidents.Incident, publication: publications.Publication) -> publications.Content | None:
    correction = corrections.pending(incident.interventions.corrections, publication)
    return correction.content(incident.severity) if correction is not None else None


def _suppression_cause(incident: incidents.Incident, *, is_asked: bool) -> Cause | None:
    """Return the reason why no post is published; None if posts may be published."""
    alert = incident.opening_alert
    # A test never reaches customers, whatever its rule says.
    if alert is not None and alert.is_test:
        return Cause(Reason.TEST_ALERT)
    # Alerts of other rules may keep the incident open. They don't ask for this page.
    return None if is_asked else Cause(Reason.NOT_REQUESTED)


def _mark_test(fields: dict[str, Any], incident: incidents.Incident) -> dict[str, Any]:
    """Return the fields at a destination that isn't public, with a title that says so if the incident is a test."""
    alert = incident.opening_alert
    if alert is None or not alert.is_test:
        return fields
    return {name: _test_title(value) if name in _TITLES else value for name, value in fields.items()}


def _test_title(title: Any) -> Any:
    return title if not isinstance(title, str) or title.startswith(_TEST) else f"{_TEST}{title}"


def _find_earlier(
    incident: incidents.Incident, publication: publications.Publication, siblings: list[publications.Publication]
) -> publications.Publication | None:
    """Return the publication of the reopened episode at the same destination."""
    if not incident.follows:
        return None
    name = (incident.follows, publication.destination)
    return next((sibling for sibling in siblings if (sibling.episode, sibling.destination) == name), None)


def _reopenable_id(earlier: publications.Publication | None) -> str:
    """Return the ID at the vendor of an episode that the router itself resolved; empty if there is none."""
    # An episode that a person resolved stays resolved, so the next one opens a new incident.
    return earlier.vendor_id if earlier is not None and earlier.state == "resolved" and earlier.ended else ""


def _find_followed(
    publication: publications.Publication, siblings: list[publications.Publication], follows: str
) -> publications.Publication | None:
    """Return the publication of the same episode that this page may have drafted its post from."""
    if not follows:
        return None
    return next((s for s in siblings if (s.episode, s.destination) == (publication.episode, follows)), None)
