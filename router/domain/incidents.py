"""Incidents: the aggregated alerts of one incident key. The worker folds alerts into them (see ``fold``)."""

from typing import Any, Literal

import msgspec

from router.domain import acknowledgements, alert_states, alerts, decisions, reviews, severities, silences
from router.domain.asks import Ask, StoredAsk
from router.domain.corrections import Correction
from router.domain.times import Timestamp

Status = Literal["open", "closed", "pending"]
# Earlier versions store the key under its own name. So they refuse a document of this version, instead of overwriting
# it without the parts that they don't know.
_STORED_NAMES = {"key": "incident"}


class Muted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A firing alert that is muted until a time (microseconds).

    ``kind`` says what mutes it, ``by`` describes it for people.
    """

    routed: decisions.Routed
    until: Timestamp
    by: str
    kind: silences.MuteKind = "silence"


class Hold(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The hold of an incident before it opens.

    Several short periods of firing in a row share a hold (see ``timing.hold_times``): ``began_at`` is when the first of
    them began, ``dropped_at`` when the last of them ended. ``pending_since`` is when the present one began; None while
    no alert fires.
    """

    began_at: Timestamp
    pending_since: Timestamp | None = None
    dropped_at: Timestamp | None = None


class QuietPeriod(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The period in which no alert of an open incident has fired.

    The posts say that the incident is monitored since ``monitored_since``. ``overtaken_at`` is set if the fold that
    quieted the incident overtook earlier deliveries: the time at which its newest delivery was accepted (see
    ``ending``).
    """

    since: Timestamp
    monitored_since: Timestamp | None = None
    overtaken_at: Timestamp | None = None


class AlertSummary(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Bounds on the states of an incident's alerts, which save the fold from checking every alert.

    ``fires`` counts the firing alerts. None of those was last received before ``oldest_received_at``, or expires before
    ``expires_at``. No tombstone is older than ``oldest_tombstone_at``. None means that there is no such alert.
    """

    fires: int = 0
    oldest_received_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    oldest_tombstone_at: Timestamp | None = None


class Interventions(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What operators and reviewers have decided about an incident.

    ``verdicts`` are the reviewers' decisions in this episode, by destination. ``redriven_at`` and ``discarded_at`` are
    the times at which an operator last redrove an operation that a vendor had refused, or discarded one.
    ``retractions`` are the posts that operators have taken down, ``corrections`` the newest corrections of posted
    updates, ``takes`` say who works on a review. All of these are by ``EPISODE/DESTINATION``. ``acknowledgement`` is
    the newest one of the episode, also after it has ended.
    """

    verdicts: dict[str, reviews.Verdict] = {}
    redriven_at: dict[str, Timestamp] = {}
    discarded_at: dict[str, Timestamp] = {}
    retractions: dict[str, reviews.Retraction] = {}
    corrections: dict[str, Correction] = {}
    takes: dict[str, reviews.Take] = {}
    acknowledgement: acknowledgements.Acknowledgement | None = None


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, gc=False, rename=_STORED_NAMES):
    """The alerts of one incident key, and the state of the incident that they form.

    ``alerts`` maps an alert's identity to its newest state; resolved alerts remain as tombstones for a limited time, so
    that a late firing message is recognized as old. ``generation`` counts the openings, ``episode`` is the random ID of
    the current or latest one. ``severity`` is the highest of the episode. ``response`` and ``opening_alert`` are those
    of the leading ask, with the destinations of every ask that has joined (see ``asks``).

    A ``pending`` incident has a ``hold`` and no episode yet. An open one of which no alert fires has a ``quiet``
    period. ``follows`` is the episode that the current one reopened soon after its end. ``changes`` are the latest
    moments at which an incident that was opened went quiet or fired again, at most as many as its decision counts.

    ``muted`` are alerts that fire and are silenced, by identity: they are not in ``alerts``. ``overflow_count`` counts
    the firing messages about alerts beyond those that an incident holds. ``last_heartbeat_at`` is when a heartbeat was
    last received. ``trace`` is the ``traceparent`` of the request that began the incident, if tracing is enabled.

    ``asks`` are those of its alerts' decisions. ``sole_ask`` stands for them only in a stored document, if there is one
    ask and the incident has its response and its alert. ``held_alerts`` are the alerts, with their decisions, that
    belong to an ask that hasn't joined yet: they may still be muted before it joins. ``ignored_at`` is when the
    timeline last reported an ignored late message. ``ended_at`` is when the last alert of the closed episode ended, if
    that is known.

    Fields that have their defaults are not stored: a default can be changed only together with the stored documents.
    """

    key: str
    status: Status = "closed"
    generation: int = 0
    episode: str = ""
    severity: severities.Severity = severities.Severity.INFO
    opened_at: Timestamp = Timestamp(0)
    closed_at: Timestamp | None = None
    changed_at: Timestamp = Timestamp(0)
    accepted_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    response: decisions.Response | None = None
    opening_alert: alerts.Alert | None = None
    alerts: dict[str, alert_states.AlertState] = {}
    summary: AlertSummary = AlertSummary()
    asks: tuple[Ask, ...] = ()
    sole_ask: StoredAsk | None = None
    hold: Hold | None = None
    held_alerts: dict[str, decisions.Routed] = {}
    quiet: QuietPeriod | None = None
    changes: tuple[Timestamp, ...] = ()
    follows: str | None = None
    muted: dict[str, Muted] = {}
    overflow_count: int = 0
    last_heartbeat_at: Timestamp | None = None
    ignored_at: Timestamp | None = None
    trace: str = ""
    interventions: Interventions = Interventions()

    @property
    def acknowledged(self) -> acknowledgements.Acknowledgement | None:
        """Return the acknowledgement that holds now; None if the incident isn't open, or isn't acknowledged."""
        acknowledgement = self.interventions.acknowledgement
        if self.status != "open" or acknowledgement is None or acknowledgement.ended_at:
            return None
        return acknowledgement

    @property
    def monitored_since(self) -> Timestamp | None:
        """Return since when the posts say that the incident is monitored; None if they don't."""
        return self.quiet.monitored_since if self.quiet is not None else None

    @property
    def still_fires(self) -> int:
        """Return how many alerts fire now."""
        return self.summary.fires

    @property
    def firing(self) -> list[str]:
        """Return the identities of the alerts that fire now, in order."""
        return sorted(identity for identity, state in self.alerts.items() if not state.resolved)


def after_severity(interventions: Interventions, severity: severities.Severity, now: Timestamp) -> Interventions:
    """Return the interventions once the incident has a severity. An acknowledgement of a lower severity ends.

    Return the same object if nothing ends.
    """
    acknowledgement = acknowledgements.after_severity(interventions.acknowledgement, severity, now)
    if acknowledgement is interventions.acknowledgement:
        return interventions
    return msgspec.structs.replace(interventions, acknowledgement=acknowledgement)


def with_interventions(incident: Incident, **changes: Any) -> Incident:
    """Return the incident after interventions. The arguments are fields of ``Interventions``."""
    interventions = msgspec.structs.replace(incident.interventions, **changes)
    return msgspec.structs.replace(incident, interventions=interventions)
