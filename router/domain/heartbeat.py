"""Heartbeats: alerts that have to be heard of every so often, and incidents that are the silence of one."""

from collections.abc import Iterable

import msgspec

from router.domain import decisions, incidents, silences

PARTS = 20  # A beat that follows another one sooner than in this part of the time is not written, and so may be late.


def beats(arrived: Iterable[decisions.Routed]) -> list[decisions.Routed]:
    """Those of the alerts that are heartbeats."""
    return [one for one in arrived if one.decision.response is not None and one.decision.response.timing.heartbeat]


def heard(
    incident: incidents.Incident, arrived: list[decisions.Routed], now: int, accepted_at: int
) -> incidents.Incident:
    """What an incident becomes when its heartbeat is heard: it is over, or not due for a while.

    Only what fires is a beat: that it has resolved is no sign of life. The newest rule says how often it has to come,
    and whatever the incident was before, it is a heartbeat's now.
    """
    firing = [routed for routed in arrived if routed.alert.status == "firing"]
    if not firing:
        return incident
    last = firing[-1]
    response = last.decision.response
    assert response is not None  # noqa: S101 - it is a heartbeat by its response
    known = incident.response
    same = known is not None and known.version == response.version and incident.beat_at
    if same and incident.status == "closed" and now - incident.beat_at < response.timing.heartbeat // PARTS:
        return incident
    over = {"status": "closed", "closed_at": now, "ended_at": now} if incident.status == "open" else {}
    return msgspec.structs.replace(
        incident,
        response=response,
        opening_alert=last.alert,
        severity=last.decision.severity,
        alerts={},
        fires=0,
        heard_since=0,
        expires_at=0,
        quiet_since=0,
        monitored_since=0,
        muted={},
        asks=(),
        held_alerts={},
        beat_at=now,
        changed_at=now,
        accepted_at=accepted_at,
        trace="",
        **over,
    )


def due(incident: incidents.Incident) -> int:
    """When the silence will have been too long, in microseconds; 0 where it is no heartbeat, or is silent already."""
    response = incident.response
    if incident.status != "closed" or not incident.beat_at or response is None:
        return 0
    every = response.timing.heartbeat
    return incident.beat_at + every + every // PARTS if every else 0


def excused(incident: incidents.Incident, muting: silences.Muting | None, now: int) -> incidents.Incident:
    """A heartbeat that is missed while it is silenced is put aside: when the silence ends, the waiting begins anew."""
    alert, response = incident.opening_alert, incident.response
    if muting is None or alert is None or response is None or not 0 < due(incident) <= now:
        return incident
    routed = decisions.Routed(alert, decisions.Decision(incident.key, incident.severity, response))
    mute = muting(routed, now)
    if mute is None:
        return incident
    aside = {alert.identity: incidents.Muted(routed, mute.until, mute.by, mute.kind)}
    return msgspec.structs.replace(incident, beat_at=0, muted=aside)


def resumed(
    incident: incidents.Incident, routed: decisions.Routed, muting: silences.Muting | None, now: int
) -> incidents.Incident:
    """What becomes of a heartbeat that was put aside: it is silenced still, or waited for from now on."""
    mute = muting(routed, now) if muting is not None else None
    if mute is None:
        return heard(incident, [routed], now, now)
    aside = {routed.alert.identity: incidents.Muted(routed, mute.until, mute.by, mute.kind)}
    return msgspec.structs.replace(incident, muted=aside)


def forgotten(incident: incidents.Incident, now: int) -> incidents.Incident:
    """An incident whose heartbeat nobody waits for any more."""
    closed_at = now if incident.status == "open" else incident.closed_at
    return msgspec.structs.replace(incident, status="closed", beat_at=0, muted={}, closed_at=closed_at, changed_at=now)
