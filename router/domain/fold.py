"""Folding alerts into an incident: commutative and idempotent, so that a batch read twice changes nothing."""

from collections.abc import Iterable

import msgspec

from router.domain import decision as decisions
from router.domain import incident as incidents
from router.domain import severity as severities

TOMBSTONE_LIFE = 60 * 60 * 1_000_000  # Longer than any entry stays pending, in microseconds.


def fold(
    incident: incidents.Incident,
    arrived: Iterable[decisions.Routed],
    *,
    now: int,
    episode: str,
    accepted_at: int = 0,
) -> incidents.Incident:
    """Fold the alerts that arrived into the incident and return what it has become.

    ``episode`` is the random id that an episode opened by this fold gets. The very same object is returned where
    nothing changed, so that a storm of repeats costs no write.
    """
    known = incident.alerts
    changed: dict[str, incidents.AlertState] = {}
    firing: list[decisions.Routed] = []
    for routed in arrived:
        alert = routed.alert
        identity = alert.identity
        state = _state(routed, now)
        if not state.resolved:
            firing.append(routed)
        before = changed.get(identity) or known.get(identity)
        if before is None or state.order > before.order:
            changed[identity] = state
    if not changed:
        return incident
    return _settle(incident, {**known, **changed}, firing, now, (episode, accepted_at or now))


def _state(routed: decisions.Routed, now: int) -> incidents.AlertState:
    alert = routed.alert
    resolved = alert.status == "resolved"
    return incidents.AlertState(
        alert.starts_at, resolved, alert.ends_at if resolved else 0, routed.decision.severity, now
    )


def _settle(
    incident: incidents.Incident,
    states: dict[str, incidents.AlertState],
    firing: list[decisions.Routed],
    now: int,
    birth: tuple[str, int],
) -> incidents.Incident:
    """Decide from the alerts' newest states whether the incident opens, stays, rises or closes."""
    worst = max((state.severity for state in states.values() if not state.resolved), default=None)
    if worst is None:
        closes = incident.status == "open"
        return msgspec.structs.replace(
            incident,
            alerts=_without_old_tombstones(states, now),
            status="closed",
            closed_at=now if closes else incident.closed_at,
            changed_at=now,
        )
    if incident.status == "open":
        return msgspec.structs.replace(
            incident,
            alerts=_without_old_tombstones(states, now),
            severity=max(incident.severity, worst),
            changed_at=now,
        )
    return _open(incident, states, firing, worst, now, birth)


def _open(  # noqa: PLR0917 - private, and each argument is a different kind of thing
    incident: incidents.Incident,
    states: dict[str, incidents.AlertState],
    firing: list[decisions.Routed],
    worst: severities.Severity,
    now: int,
    birth: tuple[str, int],
) -> incidents.Incident:
    """Begin a new episode with the oldest alert that fires; its decision is the one that finishes it."""
    still = [routed for routed in firing if not states[routed.alert.identity].resolved]
    first = min(still, key=lambda routed: (routed.alert.starts_at, routed.alert.identity))
    episode, accepted_at = birth
    return msgspec.structs.replace(
        incident,
        alerts=_without_old_tombstones(states, now),
        status="open",
        generation=incident.generation + 1,
        episode=episode,
        severity=worst,
        opened_at=now,
        changed_at=now,
        accepted_at=accepted_at,
        response=first.decision.response,
        opening_alert=first.alert,
        approvals={},
    )


def _without_old_tombstones(states: dict[str, incidents.AlertState], now: int) -> dict[str, incidents.AlertState]:
    horizon = now - TOMBSTONE_LIFE
    if not any(state.resolved and state.learned_at < horizon for state in states.values()):
        return states
    return {key: state for key, state in states.items() if not state.resolved or state.learned_at >= horizon}
