"""Reason codes: why a publication changes, why it waits, and what time changes next.

Codes are part of the API and of the timeline; programs compare codes. ``messages`` renders them for people.
"""

import enum

import msgspec


class Reason(enum.StrEnum):
    """The reason why something happens, or why it doesn't."""

    # Why an operation is due.
    NOT_OPENED = "not_opened"
    REOPENING = "reopening"
    RETROSPECTIVE = "retrospective"
    DRAFT_POSSIBLE = "draft_possible"
    DRAFT_OUTDATED = "draft_outdated"
    PUBLISHING_ALLOWED = "publishing_allowed"
    CONTENT_CHANGED = "content_changed"
    FIRING_AGAIN = "firing_again"
    ALERTS_RESOLVED = "alerts_resolved"
    INCIDENT_CLOSED = "incident_closed"
    CLOSED_BEFORE_PUBLISHING = "closed_before_publishing"
    CORRECTION_REQUESTED = "correction_requested"
    RETRACTED = "retracted"
    VENDOR_DIFFERS = "vendor_differs"
    OUTCOME_UNKNOWN = "outcome_unknown"
    OBSERVATION_DUE = "observation_due"
    LATE_OPEN_POSSIBLE = "late_open_possible"
    LATE_CHANGE_POSSIBLE = "late_change_possible"

    # Further reasons that the timeline reports with an operation.
    APPROVED = "approved"
    DEADLINE_REACHED = "deadline_reached"
    REVIEWER_TEXT_USED = "reviewer_text_used"
    FALLBACK_TEXT_USED = "fallback_text_used"

    # Nothing is left to do, or nothing until something changes.
    IN_SYNC = "in_sync"
    FINISHED = "finished"
    SHADOW = "shadow"
    TEST_ALERT = "test_alert"
    NOT_REQUESTED = "not_requested"
    CLOSED_BEFORE_OPENING = "closed_before_opening"
    RETRACTED_BEFORE_PUBLISHING = "retracted_before_publishing"
    REVIEW_DISMISSED = "review_dismissed"
    REVIEW_EXPIRED = "review_expired"
    LEFT_TO_REVIEWER = "left_to_reviewer"
    DISCARDED = "discarded"
    VENDOR_DIFFERS_STILL = "vendor_differs_still"

    # The conditions that an operation waits for.
    BACKOFF = "backoff"
    UPDATE_INTERVAL = "update_interval"
    UPDATE_BUDGET_USED = "update_budget_used"
    CIRCUIT_OPEN = "circuit_open"
    STORM_QUEUED = "storm_queued"
    FROZEN = "frozen"
    FOLLOWED_INCIDENT = "followed_incident"
    PREVIOUS_EPISODE = "previous_episode"
    READING_AFTER_DATA_LOSS = "reading_after_data_loss"
    OPEN_ITEM_UNREADABLE = "open_item_unreadable"
    PLAN_NOT_CONVERGING = "plan_not_converging"
    DEAD_LETTER = "dead_letter"
    DESTINATION_REMOVED = "destination_removed"

    # Why a correction of a posted update can't be made.
    POST_NOT_PUBLIC = "post_not_public"

    # Why a reviewer has to approve.
    REVIEW_REQUIRED = "review_required"
    EDITED_AT_VENDOR = "edited_at_vendor"
    TEXT_LEAKS = "text_leaks"
    DRAFT_LEAKS = "draft_leaks"
    GUARD_TRIPPED = "guard_tripped"

    # Changes that time alone makes to an incident.
    MUTE_ENDS = "mute_ends"
    HEARTBEAT_MISSING = "heartbeat_missing"
    HOLD_ENDS = "hold_ends"
    QUIET_PERIOD_ENDS = "quiet_period_ends"
    MONITORING_BEGINS = "monitoring_begins"
    ESCALATION_DUE = "escalation_due"
    ALERTS_STALE = "alerts_stale"
    ALERT_EXPIRES = "alert_expires"


class Edit(enum.StrEnum):
    """A person's change of a post at its vendor."""

    TITLE_CHANGED = "title_changed"
    IMPACT_CHANGED = "impact_changed"
    COMPONENT_CHANGED = "component_changed"
    UPDATE_CHANGED = "update_changed"
    UPDATE_POSTED = "update_posted"
    POST_LINKED = "post_linked"


class Cause(msgspec.Struct, frozen=True):
    """A reason with its data: the person, or the words of a rule, vendor, or person. Both may be empty."""

    code: Reason
    who: str = ""
    detail: str = ""


IDLE = frozenset({Reason.IN_SYNC, Reason.FINISHED, Reason.SHADOW, Reason.TEST_ALERT})
"""The reasons after which neither the router nor a person has work left."""
