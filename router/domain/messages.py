"""Renders reason codes for people. Texts may change at any time; programs compare the codes in ``reasons``."""

from collections.abc import Iterable, Mapping

from router.domain import publications, steps
from router.domain.reasons import Cause, Edit, Reason

_TEXTS: Mapping[Reason, str] = {
    Reason.NOT_OPENED: "the incident is open and nothing has been posted yet",
    Reason.REOPENING: "the incident fires again soon after it was resolved",
    Reason.RETROSPECTIVE: "the incident closed before anything was published",
    Reason.DRAFT_POSSIBLE: "the page may have drafted this post",
    Reason.DRAFT_OUTDATED: "the draft differs from the rule's text",
    Reason.PUBLISHING_ALLOWED: "the draft may be published",
    Reason.CONTENT_CHANGED: "the content has changed",
    Reason.FIRING_AGAIN: "alerts fire again",
    Reason.ALERTS_RESOLVED: "all alerts are resolved",
    Reason.INCIDENT_CLOSED: "the incident is closed",
    Reason.CLOSED_BEFORE_PUBLISHING: "the incident closed before its draft was published",
    Reason.CORRECTION_REQUESTED: "correction requested by {who}",
    Reason.RETRACTED: "retracted by {who}",
    Reason.VENDOR_DIFFERS: "the vendor shows other content",
    Reason.OUTCOME_UNKNOWN: "the outcome of an earlier operation is unknown",
    Reason.OBSERVATION_DUE: "a scheduled check of the vendor is due",
    Reason.LATE_OPEN_POSSIBLE: "the vendor may have carried out an unanswered open late",
    Reason.LATE_CHANGE_POSSIBLE: "the vendor may have carried out an unanswered change late",
    Reason.APPROVED: "approved by {who}",
    Reason.DEADLINE_REACHED: "not decided before the review deadline; the rule says to {detail}",
    Reason.REVIEWER_TEXT_USED: "with text by {who}",
    Reason.FALLBACK_TEXT_USED: "the rule's fallback replaces a text with {detail}",
    Reason.IN_SYNC: "in sync",
    Reason.FINISHED: "finished",
    Reason.SHADOW: "shadow mode: the post is recorded and not published",
    Reason.TEST_ALERT: "test alert: not published",
    Reason.NOT_REQUESTED: "no firing alert requests this destination",
    Reason.CLOSED_BEFORE_OPENING: "the incident closed before anything was opened",
    Reason.RETRACTED_BEFORE_PUBLISHING: "retracted by {who} before anything was published",
    Reason.REVIEW_DISMISSED: "dismissed by {who}",
    Reason.REVIEW_EXPIRED: "dismissed: not approved before the review deadline",
    Reason.LEFT_TO_REVIEWER: "{who} will resolve it at the vendor",
    Reason.DISCARDED: "discarded dead letter",
    Reason.VENDOR_DIFFERS_STILL: "the vendor still shows other content after repeated updates",
    Reason.BACKOFF: "waiting before the next attempt",
    Reason.UPDATE_INTERVAL: "waiting for the minimum interval between updates",
    Reason.UPDATE_BUDGET_USED: "the page has used its updates for this hour",
    Reason.CIRCUIT_OPEN: "the circuit breaker is open",
    Reason.STORM_QUEUED: "queued in an alert storm",
    Reason.FROZEN: "public posts are frozen",
    Reason.FOLLOWED_INCIDENT: "waiting for the incident that the page follows",
    Reason.PREVIOUS_EPISODE: "waiting until the previous episode is resolved at the vendor",
    Reason.READING_AFTER_DATA_LOSS: "data in Redis was lost: open items are read from the destination first",
    Reason.OPEN_ITEM_UNREADABLE: "an open item can't be read from the destination",
    Reason.PLAN_NOT_CONVERGING: "too many operations in a row",
    Reason.DEAD_LETTER: "dead letter",
    Reason.DESTINATION_REMOVED: "the destination is no longer configured",
    Reason.POST_NOT_PUBLIC: "the post is no longer public",
    Reason.REVIEW_REQUIRED: "the rule requires a review",
    Reason.TEXT_LEAKS: "the text has {detail}",
    Reason.DRAFT_LEAKS: "the draft has {detail}",
    Reason.GUARD_TRIPPED: "the publishing guard has tripped",
    Reason.MUTE_ENDS: "a muted alert is processed if it still fires",
    Reason.HEARTBEAT_MISSING: "opens if no heartbeat arrives",
    Reason.HOLD_ENDS: "opens if an alert still fires",
    Reason.QUIET_PERIOD_ENDS: "closes if no alert fires",
    Reason.MONITORING_BEGINS: "monitoring begins if no alert fires",
    Reason.ESCALATION_DUE: "the targets of rule {detail} are added if its alerts still fire",
    Reason.ALERTS_STALE: "alerts that were not repeated are ended",
    Reason.ALERT_EXPIRES: "an alert reaches its end time",
}

_EDITS: Mapping[str, str] = {
    Edit.TITLE_CHANGED: "a person has changed the title",
    Edit.IMPACT_CHANGED: "a person has changed the impact",
    Edit.COMPONENT_CHANGED: "a person has changed a component",
    Edit.UPDATE_CHANGED: "a person has changed an update",
    Edit.UPDATE_POSTED: "a person has posted an update",
    Edit.POST_LINKED: "a person has linked this post to the incident",
}

_CONDITIONS: Mapping[str, str] = {
    "denied": "the account is refused",
    "conflict": "the vendor reported a conflict",
    "throttled": "the vendor limits calls",
    "queued": "the account's quota is used up",
    "stale": "the vendor does not show the last change yet",
    "unreachable": "the vendor can't be reached",
    "unanswered": "the outcome of the last attempt is unknown",
}

_SUBJECTS: Mapping[steps.Subject, str] = {
    steps.Subject.POST: "awaiting approval",
    steps.Subject.RESOLUTION: "resolution awaiting approval",
    steps.Subject.RETRACTION: "retraction awaiting approval",
    steps.Subject.RETROSPECTIVE: "retrospective incident awaiting approval",
}

_OPERATIONS: Mapping[publications.Kind, str] = {
    "adopt": "adopt the page's draft",
    "open": "open",
    "update": "update",
    "publish": "publish",
    "monitor": "set to monitoring",
    "resolve": "resolve",
    "dismiss": "dismiss",
    "retract": "retract",
    "correct": "correct an update",
}


def describe(cause: Cause) -> str:
    """Render a reason with its data."""
    if cause.code is Reason.EDITED_AT_VENDOR:
        return describe_edit(cause.detail)
    template = _TEXTS[cause.code]
    detail = _CONDITIONS.get(cause.detail, cause.detail) if cause.code is Reason.BACKOFF else cause.detail
    text = template.format(who=cause.who, detail=detail)
    return f"{text}: {detail}" if detail and "{detail}" not in template else text


def describe_all(causes: Iterable[Cause]) -> str:
    """Render several reasons in one line."""
    return "; ".join(map(describe, causes))


def describe_edit(edit: str) -> str:
    """Render a person's change at the vendor. Earlier versions of the router stored the text itself."""
    return _EDITS.get(edit, edit)


def describe_review(subject: steps.Subject, cause: Cause) -> str:
    """Render why a reviewer has to approve a post."""
    return f"{_SUBJECTS[subject]}: {describe(cause)}"


def describe_step(step: steps.Step, desired: publications.Desired) -> str:
    """Render what happens next to a publication."""
    text = describe(step.cause)
    match step:
        case steps.Execute():
            return f"next: {_OPERATIONS[step.kind]} ({text})"
        case steps.ResumeIntent():
            return f"next: find out whether the vendor carried out the operation ({text})"
        case steps.Observe():
            return f"next: read from the vendor ({text})"
        case steps.Search():
            return f"next: search for duplicates ({text})"
        case steps.Wait(waiting_on=steps.WaitingOn.REVIEWER):
            text = describe_review(step.subject, step.cause)
            if step.until is None:
                return text
            approved = "published" if desired.present or desired.ended_at else "resolved"
            outcome = approved if desired.at_deadline == "publish" else "dismissed"
            return f"{text}; {outcome} if not decided before the deadline"
        case _:
            return text
