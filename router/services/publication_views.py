"""Presents an incident at its destinations for the API: desired and observed state, the next step, and its time."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.bootstrap import public_pages
from router.domain import incidents, messages, plan, publications, reasons, steps, timing
from router.domain.corrections import pending
from router.domain.reasons import Cause, Reason
from router.domain.times import Timestamp
from router.services import incident_records, models
from router.worker import corrections, desired_state, retractions, rule_matches


def publication(
    story: incident_records.IncidentRecord,
    record: publications.Publication,
    place: public_pages.ConfiguredPage | None,
    desires: desired_state.DesiredStateBuilder,
    now: Timestamp,
) -> models.Publication:
    """Return the model of an incident at one destination, with its next step."""
    target = desired_state.find_target(story.incident, record.destination)
    public = place is not None and place.kind.public
    shown_fields: Mapping[str, Any] = record.content.fields if record.content is not None else {}
    fields = shown_fields
    # A destination that was removed from the configuration has no plan: the router calls it no more.
    removed = Cause(Reason.DESTINATION_REMOVED)
    next_text, next_reason, next_at = messages.describe(removed), removed.code, Timestamp(0)
    if place is not None:
        desired = desires.build(story.incident, record, story.publications, place)
        fields = desired.content.fields
        step = plan.plan(desired, record, now=now)
        next_text, next_reason, next_at = messages.describe_step(step, desired), step.cause.code, _next_at(step)
    return models.Publication(
        destination=record.destination,
        public=public,
        publish=target.publish if target is not None and public else "",
        state=record.state,
        url=record.url,
        vendor_id=record.vendor_id,
        fields=dict(fields),
        # After the end of the item, `content` still has the last fields, but customers no longer see them.
        shown=dict(shown_fields) if record.state in {"open", "draft"} else {},
        problem=record.problem,
        refused=record.refusal,
        taken_over=record.taken_over,
        **_retraction(story, record, place),
        operations=record.number,
        # A retry time in the past is due, so it is no time to wait for.
        retry_at=models.at(Timestamp(record.retry_at if record.retry_at > now else 0)),
        acted_at=models.at(record.acted_at),
        next=next_text,
        next_reason=next_reason,
        next_at=models.at(next_at),
        posted=_posted_updates(record) if place is not None and place.kind.corrects else [],
        correcting=pending(story.incident.interventions.corrections, record) is not None,
        delayed_at=models.at(record.delay.announced_at if record.delay is not None else None),
        stands_in_for=record.stands_in_for,
    )


def _retraction(
    story: incident_records.IncidentRecord, record: publications.Publication, place: public_pages.ConfiguredPage | None
) -> dict[str, Any]:
    """Return what an operator may do, or has done, about a false post."""
    incident, retraction = story.incident, story.incident.interventions.retractions.get(record.name)
    # Only public pages have posts that can be retracted.
    if place is None or not place.kind.public:
        return {}
    # The retraction's own function decides, so the button appears only if a retraction would have an effect.
    outcomes = retractions.outcomes(incident, [record], {record.destination: place}, record.destination)
    is_down = record.retracted or record.state == "absent"
    return {
        "retracted_by": retraction.who if retraction is not None else "",
        "can_retract": any(
            outcome.episode == record.episode and outcome.outcome in retractions.DONE for outcome in outcomes
        ),
        "can_publish_again": retraction is not None
        and is_down
        # An intent is a call whose result isn't known yet. Its post may appear, so publishing again could show two
        # posts.
        and record.intent is None
        and incident.status == "open"
        and incident.episode == record.episode,
        "takes_message": not place.kind.retracts,
    }


def _next_at(step: steps.Step) -> Timestamp:
    """Return when the step is due (microseconds); 0 if now, or only after a change."""
    # A step that waits for an event is also checked at a fixed time, which doesn't interest readers.
    if not isinstance(step, steps.Wait) or step.waiting_on in {steps.WaitingOn.UNFREEZE, steps.WaitingOn.STORM_QUEUE}:
        return Timestamp(0)
    return step.until or Timestamp(0)


def _posted_updates(record: publications.Publication) -> list[models.PostedUpdate]:
    return [
        models.PostedUpdate(id=update.id, status=update.status, text=update.text, seen=update.seen)
        for update in corrections.list_posted(record)
    ]


def upcoming(
    incident: incidents.Incident, publications_of_incident: Iterable[models.Publication]
) -> list[models.Coming]:
    """Return what happens to an incident next unless something changes, in order of time."""
    coming = [
        models.Coming(at=models.at(at), reason=cause.code, what=messages.describe(cause), destination="")
        for at, cause in timing.upcoming(incident)
    ]
    coming += [
        models.Coming(at=record.next_at, reason=record.next_reason, what=record.next, destination=record.destination)
        for record in publications_of_incident
        # An idle publication changes only if the incident changes.
        if record.next_reason not in reasons.IDLE
    ]
    return sorted(
        # Steps without a time are due already, so they come first.
        coming,
        key=lambda coming: (coming.at is not None, coming.at.timestamp() if coming.at is not None else 0.0),
    )


def decided_rules(incident: incidents.Incident) -> list[models.RuleMatch]:
    """Return the rules that opened an incident, with their conditions."""
    return [
        models.RuleMatch(
            rule=match.rule,
            place=match.place,
            conditions=[models.Condition(asks=words, value=value) for words, value in match.asked],
        )
        for match in rule_matches.matches(incident)
    ]
