"""Heartbeats: alerts that are expected at an interval, and the incidents that open if they are missed."""

from collections.abc import Iterable

import msgspec

from router.domain import decisions, incidents, silences
from router.domain.times import Timestamp

# A heartbeat within interval / PARTS after another one isn't stored, so one may seem late by as much.
PARTS = 20


def find_beats(arrived: Iterable[decisions.Routed]) -> list[decisions.Routed]:
    """Return the alerts that are heartbeats."""
    return [
        routed
        for routed in arrived
        if routed.decision.response is not None and routed.decision.response.timing.heartbeat
    ]


def record_beats(
    incident: incidents.Incident, arrived: list[decisions.Routed], now: Timestamp, accepted_at: Timestamp
) -> incidents.Incident:
    """Return the incident after its heartbeat was received.

    It ends if it was open, and the next heartbeat is due later.

    Only a firing alert counts as a heartbeat; a resolved one doesn't show that the sender is alive. The newest rule
    sets the interval, and the incident becomes that of a heartbeat whatever it was before.
    """
    firing = [routed for routed in arrived if routed.alert.status == "firing"]
    # A resolved heartbeat doesn't show that the sender is alive.
    if not firing:
        return incident
    last = firing[-1]
    response = last.decision.response
    assert response is not None  # noqa: S101 - it is a heartbeat by its response
    previous = incident.response
    last_at = incident.last_heartbeat_at if previous is not None and previous.version == response.version else None
    # A heartbeat soon after the last one isn't stored, so that frequent heartbeats cost few writes.
    if last_at is not None and incident.status == "closed" and now - last_at < response.timing.heartbeat // PARTS:
        return incident
    over = {"status": "closed", "closed_at": now, "ended_at": now} if incident.status == "open" else {}
    return msgspec.structs.replace(
        incident,
        response=response,
        opening_alert=last.alert,
        severity=last.decision.severity,
        alerts={},
        summary=incidents.AlertSummary(),
        quiet=None,
        muted={},
        asks=(),
        held_alerts={},
        last_heartbeat_at=now,
        changed_at=now,
        accepted_at=accepted_at,
        trace="",
        **over,
    )


def due(incident: incidents.Incident) -> Timestamp:
    """Return when the heartbeat counts as missed, in microseconds.

    Return 0 if the incident isn't a heartbeat's, or if the heartbeat is missed.
    """
    response = incident.response
    # The heartbeat is missed already, or the incident isn't a heartbeat's.
    if incident.status != "closed" or incident.last_heartbeat_at is None or response is None:
        return Timestamp(0)
    every = response.timing.heartbeat
    return Timestamp(incident.last_heartbeat_at + every + every // PARTS if every else 0)


def excuse(incident: incidents.Incident, muting: silences.Muting | None, now: Timestamp) -> incidents.Incident:
    """Set a heartbeat aside that is missed while it is silenced. When the silence ends, the interval starts again."""
    alert, response = incident.opening_alert, incident.response
    if muting is None or alert is None or response is None or not 0 < due(incident) <= now:
        return incident
    routed = decisions.Routed(alert, decisions.Decision(incident.key, incident.severity, response))
    mute = muting(routed, now)
    # No silence applies, so the missing heartbeat opens an incident.
    if mute is None:
        return incident
    aside = {alert.identity: incidents.Muted(routed, mute.until, mute.by, mute.kind)}
    return msgspec.structs.replace(incident, last_heartbeat_at=None, muted=aside)


def resume(
    incident: incidents.Incident, routed: decisions.Routed, muting: silences.Muting | None, now: Timestamp
) -> incidents.Incident:
    """Return the incident of a heartbeat that was set aside: still silenced, or expected from now on."""
    mute = muting(routed, now) if muting is not None else None
    # The silence is over, so the next heartbeat is due in a whole interval.
    if mute is None:
        return record_beats(incident, [routed], now, now)
    aside = {routed.alert.identity: incidents.Muted(routed, mute.until, mute.by, mute.kind)}
    return msgspec.structs.replace(incident, muted=aside)


def forget(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """Return the incident without its expected heartbeat."""
    closed_at = now if incident.status == "open" else incident.closed_at
    return msgspec.structs.replace(
        incident, status="closed", last_heartbeat_at=None, muted={}, closed_at=closed_at, changed_at=now
    )
