"""Documents of schema version 4, in which the parts of an incident or a publication are fields of the document.

The fields have 0 or an empty text where there is nothing. Only these documents have a field ``key`` or ``episode``.
"""

import msgspec

from router.domain import (
    acknowledgements,
    alert_states,
    alerts,
    decisions,
    incidents,
    publications,
    reviews,
    severities,
)
from router.domain.asks import Ask, StoredAsk
from router.domain.corrections import Correction
from router.domain.times import Timestamp

# Attributes whose field in the stored documents has another name.
_STORED_NAMES = {
    "oldest_received_at": "heard_since",
    "oldest_tombstone_at": "tombstones_since",
    "hold_dropped_at": "unheld_at",
    "overflow_count": "unheld",
    "last_heartbeat_at": "beat_at",
    "review_verdicts": "verdicts",
}


class FlatIncident(msgspec.Struct, frozen=True, gc=False, rename=_STORED_NAMES):
    """An incident document of version 4. ``fires`` is -1 if the alerts weren't counted yet."""

    key: str
    status: incidents.Status = "closed"
    generation: int = 0
    episode: str = ""
    severity: severities.Severity = severities.Severity.INFO
    opened_at: Timestamp = Timestamp(0)
    closed_at: Timestamp = Timestamp(0)
    changed_at: Timestamp = Timestamp(0)
    accepted_at: Timestamp = Timestamp(0)
    response: decisions.Response | None = None
    opening_alert: alerts.Alert | None = None
    alerts: dict[str, alert_states.AlertState] = {}
    review_verdicts: dict[str, reviews.Verdict] = {}
    pardons: dict[str, Timestamp] = {}
    abandoned: dict[str, Timestamp] = {}
    pending_since: Timestamp = Timestamp(0)
    quiet_since: Timestamp = Timestamp(0)
    follows: str = ""
    fires: int = -1
    oldest_received_at: Timestamp = Timestamp(0)
    oldest_tombstone_at: Timestamp = Timestamp(0)
    held_since: Timestamp = Timestamp(0)
    hold_dropped_at: Timestamp = Timestamp(0)
    changes: tuple[Timestamp, ...] = ()
    muted: dict[str, incidents.Muted] = {}
    overflow_count: int = 0
    last_heartbeat_at: Timestamp = Timestamp(0)
    expires_at: Timestamp = Timestamp(0)
    trace: str = ""
    asks: tuple[Ask, ...] = ()
    held_alerts: dict[str, decisions.Routed] = {}
    ignored_at: Timestamp = Timestamp(0)
    quiet_after: Timestamp = Timestamp(0)
    monitored_since: Timestamp = Timestamp(0)
    sole_ask: StoredAsk | None = None
    retractions: dict[str, reviews.Retraction] = {}
    ended_at: Timestamp = Timestamp(0)
    corrections: dict[str, Correction] = {}
    acknowledgement: acknowledgements.Acknowledgement | None = None
    takes: dict[str, reviews.Take] = {}

    def nest(self) -> incidents.Incident:
        """Return the incident with nested parts."""
        return incidents.Incident(
            self.key,
            self.status,
            self.generation,
            self.episode,
            self.severity,
            opened_at=self.opened_at,
            closed_at=self.closed_at or None,
            changed_at=self.changed_at,
            accepted_at=self.accepted_at or None,
            ended_at=self.ended_at or None,
            response=self.response,
            opening_alert=self.opening_alert,
            alerts=self.alerts,
            summary=self._summary(),
            asks=self.asks,
            sole_ask=self.sole_ask,
            hold=self._hold(),
            held_alerts=self.held_alerts,
            quiet=self._quiet(),
            changes=self.changes,
            follows=self.follows or None,
            muted=self.muted,
            overflow_count=self.overflow_count,
            last_heartbeat_at=self.last_heartbeat_at or None,
            ignored_at=self.ignored_at or None,
            trace=self.trace,
            interventions=self._interventions(),
        )

    def _summary(self) -> incidents.AlertSummary:
        fires = self.fires if self.fires >= 0 else sum(not state.resolved for state in self.alerts.values())
        return incidents.AlertSummary(
            fires, self.oldest_received_at or None, self.expires_at or None, self.oldest_tombstone_at or None
        )

    def _hold(self) -> incidents.Hold | None:
        # Documents from before ``max_hold`` have no ``held_since``.
        began_at = self.held_since or self.pending_since
        if not began_at:
            return None
        return incidents.Hold(began_at, self.pending_since or None, self.hold_dropped_at or None)

    def _quiet(self) -> incidents.QuietPeriod | None:
        if not self.quiet_since:
            return None
        return incidents.QuietPeriod(self.quiet_since, self.monitored_since or None, self.quiet_after or None)

    def _interventions(self) -> incidents.Interventions:
        return incidents.Interventions(
            verdicts=self.review_verdicts,
            redriven_at=self.pardons,
            discarded_at=self.abandoned,
            retractions=self.retractions,
            corrections=self.corrections,
            takes=self.takes,
            acknowledgement=self.acknowledgement,
        )


_STORED_PUBLICATION_NAMES = {
    "rejected_operation": "dead_of",
    "rejected_at": "dead_at",
    "pending_review": "waits_of",
    "review_since": "waits_since",
}


# Times that are 0 for none in version 4, and None in this version.
_TIMES_OR_NONE = frozenset({"held_since", "corrected_at", "frozen_since", "acknowledged_at"})


class FlatPublication(msgspec.Struct, frozen=True, rename=_STORED_PUBLICATION_NAMES):
    """A publication document of version 4."""

    episode: str
    destination: str
    state: publications.State = "absent"
    vendor_id: str = ""
    url: str = ""
    digest: str = ""
    content: publications.Content | None = None
    number: int = 0
    intent: publications.Intent | None = None
    retry_at: Timestamp = Timestamp(0)
    attempts: int = 0
    problem: str = ""
    dead: str = ""
    rejected_operation: str = ""
    adoption_tried: bool = False
    opened_at: Timestamp = Timestamp(0)
    pending_review: str = ""
    review_since: Timestamp = Timestamp(0)
    taken_over: str = ""
    told: tuple[str, ...] = ()
    acted_at: Timestamp = Timestamp(0)
    looked_at: Timestamp = Timestamp(0)
    rejected_at: Timestamp = Timestamp(0)
    ended: bool = False
    reopened: bool = False
    held_since: Timestamp = Timestamp(0)
    admitted: bool = False
    missing_since: Timestamp = Timestamp(0)
    missing_answers: int = 0
    gone: bool = False
    condition: publications.Condition = ""
    failed_at: Timestamp = Timestamp(0)
    unanswered_at: Timestamp = Timestamp(0)
    searched_at: Timestamp = Timestamp(0)
    view: publications.View = publications.View()
    differs: str = ""
    mismatches: int = 0
    monitored: bool = False
    says_monitored: bool = False
    retracted: bool = False
    retracted_ids: tuple[str, ...] = ()
    review_ended: bool = False
    corrected_at: Timestamp = Timestamp(0)
    resolves_by_review: bool = False
    unanswered_change_at: Timestamp = Timestamp(0)
    frozen_since: Timestamp = Timestamp(0)
    blocked_since: Timestamp = Timestamp(0)
    delayed_at: Timestamp = Timestamp(0)
    stands_in_for: str = ""
    acknowledged_at: Timestamp = Timestamp(0)
    uncertain: tuple[publications.Content, ...] = ()

    def nest(self) -> publications.Publication:
        """Return the publication with nested parts."""
        # Both versions have these fields with the same meaning. The fields below are nested, or have None for 0.
        unchanged = {
            name: getattr(self, name)
            for name in publications.Publication.__struct_fields__
            if name in FlatPublication.__struct_fields__ and name not in _TIMES_OR_NONE
        }
        return publications.Publication(
            **unchanged,
            rejection=self._rejection(),
            review=self._review(),
            held_since=self.held_since or None,
            missing=self._missing(),
            corrected_at=self.corrected_at or None,
            frozen_since=self.frozen_since or None,
            delay=self._delay(),
            acknowledged_at=self.acknowledged_at or None,
        )

    def _rejection(self) -> publications.Rejection | None:
        if not self.dead:
            return None
        return publications.Rejection(self.dead, self.rejected_operation, self.rejected_at)

    def _review(self) -> publications.PendingReview | None:
        return publications.PendingReview(self.pending_review, self.review_since) if self.pending_review else None

    def _missing(self) -> publications.Missing | None:
        return publications.Missing(self.missing_since, self.missing_answers) if self.missing_since else None

    def _delay(self) -> publications.OpeningDelay | None:
        return publications.OpeningDelay(self.blocked_since, self.delayed_at or None) if self.blocked_since else None
