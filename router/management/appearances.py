"""What people are told of an incident at its destinations: as it should be, as it is, what comes next, and when."""

from collections.abc import Iterable, Mapping
from typing import Any

from router.assembly import pages
from router.domain import correction, plan, timing
from router.domain import incident as incidents
from router.domain import publication as publications
from router.management import models
from router.worker import corrections, desire, retractions
from router.worker import reviews as reviewing


def publication(
    story: pages.Story, one: publications.Publication, place: pages.Place | None, desires: desire.Desires, now: int
) -> models.Publication:
    """An incident at one destination, and what happens to it there next."""
    target = desire.target_of(story.incident, one.destination)
    public = place is not None and place.kind.public
    shown: Mapping[str, Any] = one.content.fields if one.content is not None else {}
    fields, next_, next_at = shown, "its destination is not configured any more", 0
    if place is not None:
        desired = desires.of(story.incident, one, story.publications, place)
        fields = desired.content.fields
        next_, next_at = _next(plan.plan(desired, one, now=now), desired)
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
        retry_at=models.at(one.retry_at if one.retry_at > now else 0),
        acted_at=models.at(one.acted_at),
        next=next_,
        next_at=models.at(next_at),
        posted=_posted(one) if place is not None and place.kind.corrects else [],
        correcting=correction.pending(story.incident.corrections, one) is not None,
    )


def _retraction(story: pages.Story, one: publications.Publication, place: pages.Place | None) -> dict[str, Any]:
    """What an operator may do, or has done, about a post that is false."""
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
        "takes_message": not place.kind.takes_down,
    }


def _posted(one: publications.Publication) -> list[models.PostedUpdate]:
    return [
        models.PostedUpdate(id=update.id, status=update.status, text=update.text, seen=update.seen)
        for update in corrections.posted(one)
    ]


_DEEDS: Mapping[publications.Kind, str] = {
    "adopt": "looks for a draft of the page",
    "open": "is opened",
    "update": "is updated",
    "publish": "is published",
    "monitor": "is set to monitoring",
    "resolve": "is resolved",
    "dismiss": "is dismissed",
    "retract": "is retracted",
    "correct": "is corrected",
}


def _next(step: plan.Step, desired: publications.Desired) -> tuple[str, int]:
    """What happens next, and when (microseconds); 0 is: now, or not before something changes."""
    match step:
        case plan.Act():
            return f"{_DEEDS[step.kind]} next: {step.reason}", 0
        case plan.Recover():
            return f"is looked for: {step.reason}", 0
        case plan.Look():
            return f"is looked at next: {step.reason}", 0
        case plan.Search():
            return f"is searched for next: {step.reason}", 0
        case plan.Rest(waits_for="person") if step.until:
            shown = "published" if desired.present or desired.ended_at else "resolved"
            end = shown if desired.at_deadline == "publish" else "dismissed"
            return f"{step.reason}; {end} if nobody has decided by then", step.until
        case plan.Rest(waits_for="thaw" | "turn"):
            return step.reason, 0  # Nobody knows when; that it is looked at by then in any case is no news.
        case _:
            return step.reason, step.until


def coming(incident: incidents.Incident, known: Iterable[models.Publication]) -> list[models.Coming]:
    """All that will happen to an incident that is known already, the next of it first."""
    found = [models.Coming(at=models.at(at), what=what, destination="") for at, what in timing.coming(incident)]
    found += [
        models.Coming(at=one.next_at, what=one.next, destination=one.destination) for one in known if _is_news(one)
    ]
    return sorted(found, key=lambda one: (one.at is not None, one.at.timestamp() if one.at is not None else 0.0))


def _is_news(one: models.Publication) -> bool:
    """Whether anything is still to be done there, by the router or a person: to be looked at again is nothing."""
    return not one.next.startswith(("in step", "finished", "shadow", "a test"))


def reasons(incident: incidents.Incident) -> list[models.Reason]:
    """Why an incident was opened: rule by rule, and condition by condition."""
    return [
        models.Reason(
            rule=one.rule,
            place=one.place,
            conditions=[models.Condition(asks=words, value=value) for words, value in one.asked],
        )
        for one in reviewing.reasons(incident)
    ]
