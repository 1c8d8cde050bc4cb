"""The next step for a publication, from what it should be and what it is: pure, and every answer has its reason."""

from typing import Literal

import msgspec

from router.domain import publication as publications


class Act(msgspec.Struct, frozen=True):
    """Make this call next."""

    kind: publications.Kind
    reason: str


class Recover(msgspec.Struct, frozen=True):
    """An operation was begun and its answer never recorded: find out whether it happened before anything else."""

    intent: publications.Intent
    reason: str = "an operation was begun and its outcome is not known"


class Rest(msgspec.Struct, frozen=True):
    """Do nothing, or nothing before ``until`` (microseconds; 0 is: until something changes)."""

    reason: str
    until: int = 0
    waits_for: Literal["nothing", "time", "person", "sibling"] = "nothing"


Step = Act | Recover | Rest


def plan(desired: publications.Desired, observed: publications.Publication, *, now: int) -> Step:
    """Decide the next step. The order of the questions is the order of importance."""
    # A failed attempt is not repeated before its time, whatever else is wanted.
    if observed.retry_at > now:
        return Rest("waits before the next attempt", observed.retry_at, "time")
    # What was begun is brought to its end before anything new is begun.
    if observed.intent is not None:
        return Recover(observed.intent)
    if observed.settled:
        return Rest(f"finished: {observed.state}")
    step = _towards_open(desired, observed) if desired.present else _towards_closed(observed)
    # What the vendor refused for good is not tried again; a person has to look. Anything else still is: a page whose
    # update was refused must be resolved all the same.
    if isinstance(step, Act) and observed.dead_of == death(step.kind, desired.content):
        return Rest(f"dead letter: {observed.dead}", waits_for="person")
    return step


def death(kind: publications.Kind, content: publications.Content) -> str:
    """What marks an operation that was refused for good: its kind and what it would have said."""
    return f"{kind}:{content.digest}"


def _towards_open(desired: publications.Desired, observed: publications.Publication) -> Step:
    digest = desired.content.digest
    if observed.state == "open":
        if observed.digest == digest:
            return Rest("in step")
        if not _may_publish(desired):
            return Rest("review: the page published this by itself; changes wait for a person", waits_for="person")
        return Act("update", "what should be shown has changed")
    if desired.public and desired.publish == "shadow":
        return Rest("shadow: what would be posted is only written down")
    if observed.state == "draft":
        return _towards_published(desired, observed, digest)
    # The page may have drafted the post itself, so its own incident has to be there first.
    if desired.adopts and not desired.linked_id and not desired.follows_settled:
        return Rest("waits for the incident that the page follows", waits_for="sibling")
    if desired.adopts and desired.linked_id and not observed.adoption_tried:
        return Act("adopt", "the page may have drafted this post itself")
    if _may_publish(desired):
        return Act("open", "the incident is open and nothing is there yet")
    return Rest("review: waits for a person to approve", waits_for="person")


def _towards_published(desired: publications.Desired, observed: publications.Publication, digest: str) -> Step:
    if _may_publish(desired):
        return Act("publish", "the draft may be published")
    if observed.digest != digest:
        return Act("update", "the draft should say what the rule says")
    return Rest("review: the draft waits for a person to approve", waits_for="person")


def _towards_closed(observed: publications.Publication) -> Step:
    if observed.state == "open":
        return Act("resolve", "the incident is over")
    if observed.state == "draft":
        return Act("dismiss", "the incident was over before its draft was published")
    return Rest("the incident was over before anything was opened")


def _may_publish(desired: publications.Desired) -> bool:
    return not desired.public or desired.publish == "auto" or desired.approved
