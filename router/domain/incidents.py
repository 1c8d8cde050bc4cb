"""Incidents: the aggregated alerts of one incident key. The worker folds alerts into them (see ``fold``)."""

from typing import Literal

import msgspec

from router.domain import acknowledgements, alert_states, alerts, decisions, reviews, severities, silences
from router.domain.asks import Ask, StoredAsk
from router.domain.corrections import Correction
from router.domain.times import Timestamp

Status = Literal["open", "closed", "pending"]
# Fields whose names in stored documents are those of earlier versions.
_STORED_NAMES = {
    "oldest_received_at": "heard_since",
    "oldest_tombstone_at": "tombstones_since",
    "hold_dropped_at": "unheld_at",
    "overflow_count": "unheld",
    "last_heartbeat_at": "beat_at",
    "review_verdicts": "verdicts",
}


class Muted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A firing alert that is muted until a time (microseconds).

    ``kind`` says what mutes it, ``by`` describes it for people.
    """

    routed: decisions.Routed
    until: Timestamp
    by: str
    kind: silences.MuteKind = "silence"


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, rename=_STORED_NAMES):
    """The alerts of one incident key, and the state of the incident that they form.

    ``alerts`` maps an alert's identity to its newest state; resolved ones stay for a while as tombstones, so that a
    late firing message is recognized as old. ``generation`` counts the openings, ``episode`` is the random ID of the
    current or latest one. ``severity`` is the highest of the episode. ``response`` and ``opening_alert`` are those of
    the leading ask, with the destinations of every ask that has joined (see ``asks``). ``review_verdicts`` are the
    reviewers' decisions in this episode, by destination. ``pardons`` are the times at which an operator last redrove an
    operation that a vendor had refused, ``abandoned`` the times at which an operator discarded one; both by
    ``EPISODE/DESTINATION``.

    A ``pending`` incident fires and is held since ``pending_since``; it has no episode yet. An open one of which no
    alert fires is quiet since ``quiet_since``. ``follows`` is the episode that the current one reopened soon after its
    end (empty: none). ``held_since`` is when the first of several short periods of firing in a row was held,
    ``hold_dropped_at`` when the last of them ended. ``changes`` are the latest moments at which an incident that was
    opened went quiet or fired again, at most as many as its decision counts.

    ``muted`` are alerts that fire and are silenced, by identity: they are not in ``alerts``. ``overflow_count`` counts
    the firing messages about alerts beyond those that an incident holds. ``last_heartbeat_at`` is when a heartbeat was
    last received. ``trace`` is the ``traceparent`` of the request that began the incident, if tracing is enabled.

    ``asks`` are those of its alerts' decisions. ``sole_ask`` stands for them only in a stored document, if there is one
    ask and the incident has its response and its alert. ``held_alerts`` are the alerts, with their decisions, that
    belong to an ask that hasn't joined yet: they may still be muted before it joins. ``ignored_at`` is when the
    timeline last reported an ignored late message.

    ``ended_at`` is when the last alert of the closed episode ended; 0 if that isn't known. ``retractions`` are the
    posts that operators have taken down, by ``EPISODE/DESTINATION``. ``corrections`` are the newest corrections of
    posted updates by operators, by ``EPISODE/DESTINATION``. ``acknowledgement`` is the newest one of the episode, also
    after it has ended. ``takes`` say who works on a review, by ``EPISODE/DESTINATION``.

    ``quiet_after`` is set if deliveries were overtaken when the incident went quiet: the time at which the newest
    delivery of that fold was accepted (see ``ending``). A quiet incident is monitored since ``monitored_since``, until
    it ends or fires again.

    Four fields save the fold from checking every alert: ``fires`` counts the firing alerts (-1: not counted yet), none
    of those was last received before ``oldest_received_at`` or expires before ``expires_at``, and no tombstone is older
    than ``oldest_tombstone_at`` (0: none).

    Fields that have their defaults are not stored: a default can be changed only together with the stored documents.
    """

    key: str
    status: Status = "closed"
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
    muted: dict[str, Muted] = {}
    overflow_count: int = 0
    last_heartbeat_at: Timestamp = Timestamp(0)
    expires_at: Timestamp = Timestamp(0)
    trace: str = ""
    asks: tuple[Ask, ...] = ()
    held_alerts: dict[str, decisions.Routed] = {}
    ignored_at: Timestamp = Timestamp(0)
    quiet_after: int = 0
    monitored_since: Timestamp = Timestamp(0)
    sole_ask: StoredAsk | None = None
    retractions: dict[str, reviews.Retraction] = {}
    ended_at: Timestamp = Timestamp(0)
    corrections: dict[str, Correction] = {}
    acknowledgement: acknowledgements.Acknowledgement | None = None
    takes: dict[str, reviews.Take] = {}

    @property
    def acknowledged(self) -> acknowledgements.Acknowledgement | None:
        """Return the acknowledgement that holds now; None if the incident isn't open, or isn't acknowledged."""
        found = self.acknowledgement
        return found if self.status == "open" and found is not None and not found.ended_at else None

    @property
    def still_fires(self) -> int:
        """Return how many alerts fire now."""
        return self.fires if self.fires >= 0 else sum(not state.resolved for state in self.alerts.values())

    @property
    def firing(self) -> list[str]:
        """Return the identities of the alerts that fire now, in order."""
        return sorted(identity for identity, state in self.alerts.items() if not state.resolved)
