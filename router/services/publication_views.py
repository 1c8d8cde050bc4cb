"""Presents an incident at its destinations for the API: desired and observed state, the next step, and its time."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.bootstrap import public_pages
from router.domain import incidents, messages, plan, publications, reasons, steps, timing
from router.domain.corrections import pending
from router.domain.reasons import Cause, Reason
from router.domain.times import Timestamp
from router.services import models
from router.worker import corrections, desired_state, retractions, rule_matches


def publication(
    story: public_pages.Story,
    one: publications.Publication,
    place: public_pages.Place | None,
    desires: desired_state.DesiredStateBuilder,
    now: Timestamp,
) -> models.Publication:
    """Return the model of an incident at one destination, with the next step there."""
    target = desired_state.target_of(story.incident, one.destination)
    public = place is not None and place.kind.public
    shown: Mapping[str, Any] = one.content.fields if one.content is not None else {}
    fields = shown
    removed = Cause(Reason.DESTINATION_REMOVED)
    next_text, next_reason, next_at = messages.describe(removed), removed.code, Timestamp(0)
    if place is not None:
        desired = desires.build(story.incident, one, story.publications, place)
        fields = desired.content.fields
        step = plan.plan(desired, one, now=now)
        next_text, next_reason, next_at = messages.describe_step(step, desired), step.cause.code, _next_at(step)
    return models.Publication(
        destination=one.destination,
        public=public,
        publish=target.publish if target is not None and public else "",
        state=one.state,
        url=one.url,
        vendor_id=one.vendor_id,
        fields=dict(fields),
        shown=dict(shown) if one.state in {"open", "draft"} else {},
        problem=one.problem,
        refused=one.dead,
        taken_over=one.taken_over,
        **_retraction(story, one, place),
        operations=one.number,
        retry_at=models.at(Timestamp(one.retry_at if one.retry_at > now else 0)),
        acted_at=models.at(one.acted_at),
        next=next_text,
        next_reason=next_reason,
        next_at=models.at(next_at),
        posted=_posted(one) if place is not None and place.kind.corrects else [],
        correcting=pending(story.incident.corrections, one) is not None,
        delayed_at=models.at(one.delayed_at),
        stands_in_for=one.stands_in_for,
    )


def _retraction(
    story: public_pages.Story, one: publications.Publication, place: public_pages.Place | None
) -> dict[str, Any]:
    """Return what an operator may do, or has done, about a false post."""
    incident, retraction = story.incident, story.incident.retractions.get(one.name)
    if place is None or not place.kind.public:
        return {}
    outcomes = retractions.outcomes(incident, [one], {one.destination: place}, one.destination)
    is_down = one.retracted or one.state == "absent"
    return {
        "retracted_by": retraction.who if retraction is not None else "",
        "can_retract": any(found.episode == one.episode and found.outcome in retractions.DONE for found in outcomes),
        "can_publish_again": retraction is not None
        and is_down
        and one.intent is None
        and incident.status == "open"
        and incident.episode == one.episode,
        "takes_message": not place.kind.retracts,
    }


def _next_at(step: steps.Step) -> Timestamp:
    """Return when the step is due (microseconds); 0 if now, or only after a change."""
    # A step that waits for an event is also checked at a fixed time, which doesn't interest readers.
    if not isinstance(step, steps.Wait) or step.waiting_on in {steps.WaitingOn.UNFREEZE, steps.WaitingOn.STORM_QUEUE}:
        return Timestamp(0)
    return step.until or Timestamp(0)


def _posted(one: publications.Publication) -> list[models.PostedUpdate]:
    return [
        models.PostedUpdate(id=update.id, status=update.status, text=update.text, seen=update.seen)
        for update in corrections.posted(one)
    ]


def upcoming(incident: incidents.Incident, known: Iterable[models.Publication]) -> list[models.Coming]:
    """Return what happens to an incident next unless something changes, in order of time."""
    found = [
        models.Coming(at=models.at(at), reason=cause.code, what=messages.describe(cause), destination="")
        for at, cause in timing.upcoming(incident)
    ]
    found += [
        models.Coming(at=one.next_at, reason=one.next_reason, what=one.next, destination=one.destination)
        for one in known
        if one.next_reason not in reasons.IDLE
    ]
    return sorted(found, key=lambda one: (one.at is not None, one.at.timestamp() if one.at is not None else 0.0))


def decided_rules(incident: incidents.Incident) -> list[models.RuleMatch]:
    """Return the rules that opened an incident, with their conditions."""
    return [
        models.RuleMatch(
            rule=one.rule,
            place=one.place,
            conditions=[models.Condition(asks=words, value=value) for words, value in one.asked],
        )
        for one in rule_matches.matches(incident)
    ]
