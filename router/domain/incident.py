"""An incident: what the alerts of one incident key amount to. The worker folds alerts into it (see ``fold``)."""

from typing import Literal

import msgspec

from router.domain import alert as alerts
from router.domain import decision as decisions
from router.domain import review
from router.domain import severity as severities

Status = Literal["open", "closed", "pending"]


class AlertState(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The newest that is known of one alert of the incident; times in microseconds since the epoch.

    ``ends_at`` of one that fires is when it ends by itself (0: never). An ``expired`` one did: it counts as resolved,
    though nobody said so, and the same alert with a later end fires anew. ``learned_at`` is when this state was folded
    in; it takes no part in deciding which state is the newer one. ``affects`` are the components of pages that it
    affects: pairs of a destination and a component there.
    """

    starts_at: int
    resolved: bool
    ends_at: int
    severity: severities.Severity
    learned_at: int = 0
    expired: bool = False
    affects: tuple[tuple[str, str], ...] = ()

    @property
    def order(self) -> tuple[int, bool, int, int]:
        """What decides which of two states is the newer one, whatever order they arrive in."""
        return (self.starts_at, self.resolved and not self.expired, self.ends_at, self.severity)


class Muted(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An alert that fires and is not heard of until a time (microseconds), and why."""

    routed: decisions.Routed
    until: int
    by: str


class Incident(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The alerts of one incident key and what they amount to.

    ``alerts`` maps an alert's identity to its newest state; resolved ones stay for a while as tombstones, so that
    a late firing message is recognised as old. ``generation`` counts the openings, ``episode`` is the random id of
    the current or latest one. ``severity`` is the highest of the episode. ``response`` and ``opening_alert`` are
    those that opened the episode: an incident is finished by the decision that opened it. ``verdicts`` are what people
    have decided of this episode, by destination. ``pardons`` are when people have said last that what a vendor had
    refused is to be tried again, ``abandoned`` that it is not; both by ``EPISODE/DESTINATION``.

    A ``pending`` incident fires and is held back since ``pending_since``; it has no episode yet. An open one of which
    nothing fires any more is quiet since ``quiet_since``. ``follows`` is the episode that the current one took up
    again soon after its end (empty: none). ``held_since`` is when the first of several short fires in a row was held
    back, ``unheld_at`` when the last of them went out. ``changes`` are the latest moments at which an incident that
    was opened went quiet or fired again, no more of them than its decision counts.

    ``muted`` are alerts that fire and are silenced, by identity: they are no part of ``alerts``. ``unheld`` counts the
    firing messages of alerts beyond those that an incident holds. ``beat_at`` is when a heartbeat was last heard.
    ``trace`` is the ``traceparent`` of what brought its beginning about, where traces are made.

    Four fields spare whoever folds a look at every alert: ``fires`` counts those that fire (-1: not counted yet), none
    of those was last heard of before ``heard_since`` or ends by itself before ``expires_at``, and no tombstone is older
    than ``tombstones_since`` (0: none).

    Fields that have their defaults are not stored: a default can be changed only together with what is stored.
    """

    key: str
    status: Status = "closed"
    generation: int = 0
    episode: str = ""
    severity: severities.Severity = severities.Severity.INFO
    opened_at: int = 0
    closed_at: int = 0
    changed_at: int = 0
    accepted_at: int = 0
    response: decisions.Response | None = None
    opening_alert: alerts.Alert | None = None
    alerts: dict[str, AlertState] = {}
    verdicts: dict[str, review.Verdict] = {}
    pardons: dict[str, int] = {}
    abandoned: dict[str, int] = {}
    pending_since: int = 0
    quiet_since: int = 0
    follows: str = ""
    fires: int = -1
    heard_since: int = 0
    tombstones_since: int = 0
    held_since: int = 0
    unheld_at: int = 0
    changes: tuple[int, ...] = ()
    muted: dict[str, Muted] = {}
    unheld: int = 0
    beat_at: int = 0
    expires_at: int = 0
    trace: str = ""

    @property
    def still_fires(self) -> int:
        """How many alerts fire now."""
        return self.fires if self.fires >= 0 else sum(not state.resolved for state in self.alerts.values())

    @property
    def firing(self) -> list[str]:
        """The identities of the alerts that fire now, in order."""
        return sorted(identity for identity, state in self.alerts.items() if not state.resolved)
