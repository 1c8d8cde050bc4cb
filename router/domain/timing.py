"""What time alone does to an incident: opens one that was held long enough, closes one that was quiet long enough,
and ends alerts that were not heard of any more. The rule's ``timing`` says how long each of it takes.
"""

import msgspec

from router.domain import decision as decisions
from router.domain import heartbeat
from router.domain import incident as incidents
from router.domain import severity as severities

_NONE = decisions.Timing()


def of(incident: incidents.Incident) -> decisions.Timing:
    """The timing of the decision that the incident was opened with, or will be."""
    return incident.response.timing if incident.response is not None else _NONE


def due(incident: incidents.Incident) -> int:
    """When time alone changes the incident next, in microseconds; 0 where it never does."""
    moments = [muted.until for muted in incident.muted.values()]
    if own := _due(incident):
        moments.append(own)
    return min(moments, default=0)


def _due(incident: incidents.Incident) -> int:
    timing = of(incident)
    if incident.status == "closed":
        return heartbeat.due(incident)
    moments = []
    if incident.status == "pending":
        moments.append(_opens_at(incident))
    elif incident.quiet_since:
        moments.append(incident.quiet_since + patience(incident))
    if timing.stale_after and incident.heard_since:
        moments.append(incident.heard_since + timing.stale_after)
    if incident.expires_at:
        moments.append(incident.expires_at)
    return min(moments, default=0)


def coming(incident: incidents.Incident) -> list[tuple[int, str]]:
    """All that time alone will do to the incident, as (microseconds, what in words), the next of it first.

    It is for people, and says no more than ``due``: each of it happens only if nothing else does before.
    """
    found = [
        (muted.until, f"an alert is heard of again that is muted: {muted.by}") for muted in incident.muted.values()
    ]
    if incident.status == "closed":
        found += [(moment, "it opens, if no heartbeat comes") for moment in [heartbeat.due(incident)] if moment]
        return sorted(found)
    timing = of(incident)
    if incident.status == "pending":
        found.append((_opens_at(incident), "it opens, if it fires until then"))
    elif incident.quiet_since:
        found.append((incident.quiet_since + patience(incident), "it is over, if it stays quiet until then"))
    if timing.stale_after and incident.heard_since:
        found.append((incident.heard_since + timing.stale_after, "alerts that nothing was heard of since then end"))
    if incident.expires_at:
        found.append((incident.expires_at, "an alert ends by its own time"))
    return sorted(found)


def settle(incident: incidents.Incident, *, now: int, episode: str) -> incidents.Incident:
    """Return what the incident has become by ``now``: the very same object where time has changed nothing.

    ``episode`` is the random id that an episode opened by this gets.
    """
    if not 0 < _due(incident) <= now:
        return incident
    if incident.status == "closed":
        return opened(incident, now=now, episode=episode)
    incident = _without_expired(_without_stale(incident, now), now)
    if not incident.still_fires:
        return _quiet(incident, now)
    if incident.status == "open":
        return msgspec.structs.replace(incident, severity=severity_of(incident, incident.severity))
    if incident.status == "pending" and now >= _opens_at(incident):
        return opened(incident, now=now, episode=episode)
    return incident


def opened(incident: incidents.Incident, *, now: int, episode: str) -> incidents.Incident:
    """Begin an episode with the response and the alert that the incident holds ready."""
    firing = [state.severity for state in incident.alerts.values() if not state.resolved]
    return msgspec.structs.replace(
        incident,
        status="open",
        generation=incident.generation + 1,
        episode=episode,
        severity=max(firing, default=incident.severity),
        opened_at=now,
        changed_at=now,
        pending_since=0,
        quiet_since=0,
        held_since=0,
        verdicts={},
    )


def held(incident: incidents.Incident, now: int) -> incidents.Incident:
    """Hold an incident that begins to fire; what went out a moment ago goes on being held, if there is a most to it.

    An outage that flaps is an outage: nothing is held longer than ``hold_at_most`` for firing in pieces.
    """
    timing = of(incident)
    goes_on = incident.held_since and timing.hold_at_most and now - incident.unheld_at <= timing.hold
    return msgspec.structs.replace(
        incident, status="pending", pending_since=now, held_since=incident.held_since if goes_on else now
    )


def _opens_at(incident: incidents.Incident) -> int:
    timing = of(incident)
    opens_at = incident.pending_since + timing.hold
    if timing.hold_at_most and incident.held_since:
        return min(opens_at, incident.held_since + timing.hold_at_most)
    return opens_at


def opens_now(incident: incidents.Incident, now: int) -> bool:
    """Whether an incident that is held opens by ``now``."""
    return now >= _opens_at(incident)


def patience(incident: incidents.Incident) -> int:
    """How long all has to be quiet before the incident ends, in microseconds."""
    timing = of(incident)
    return max(timing.resolve_after, timing.flap_quiet) if flaps(incident) else timing.resolve_after


def flaps(incident: incidents.Incident) -> bool:
    """Whether an incident has changed between firing and quiet so often lately that a further change means little."""
    timing = of(incident)
    changes = incident.changes
    if not timing.flap_changes or len(changes) < timing.flap_changes:
        return False
    return changes[-1] - changes[-timing.flap_changes] <= timing.flap_within


def changed(incident: incidents.Incident, now: int) -> incidents.Incident:
    """Write down that an incident goes quiet, or fires again."""
    most = of(incident).flap_changes
    if not most:
        return incident
    return msgspec.structs.replace(incident, changes=(*incident.changes, now)[-most:])


def severity_of(incident: incidents.Incident, worst: severities.Severity) -> severities.Severity:
    """The severity of an open incident after alerts of at most ``worst`` came: it falls only where the rule says so."""
    if incident.response is None or not incident.response.follows_severity:
        return max(incident.severity, worst)
    return max((one.severity for one in incident.alerts.values() if not one.resolved), default=incident.severity)


def quiet(incident: incidents.Incident, now: int) -> incidents.Incident:
    """What an incident becomes when nothing of it fires any more."""
    return _quiet(msgspec.structs.replace(incident, changed_at=now), now)


def _quiet(incident: incidents.Incident, now: int) -> incidents.Incident:
    if incident.status != "open":
        # Over before it was held long enough: nothing was ever opened.
        return msgspec.structs.replace(incident, status="closed", pending_since=0, unheld_at=now)
    if not incident.quiet_since:
        incident = changed(incident, now)
    since = incident.quiet_since or now
    if now < since + patience(incident):
        return msgspec.structs.replace(incident, quiet_since=since)
    return msgspec.structs.replace(incident, status="closed", quiet_since=0, closed_at=now, changed_at=now)


def _without_stale(incident: incidents.Incident, now: int) -> incidents.Incident:
    """Forget alerts that were not heard of for too long: should one be heard of again, it fires anew."""
    stale_after = of(incident).stale_after
    if not stale_after:
        return incident
    horizon = now - stale_after
    if not 0 < incident.heard_since <= horizon:
        return incident
    kept = {key: state for key, state in incident.alerts.items() if state.resolved or state.learned_at > horizon}
    heard = [state.learned_at for state in kept.values() if not state.resolved]
    return msgspec.structs.replace(incident, alerts=kept, fires=len(heard), heard_since=min(heard, default=0))


def _without_expired(incident: incidents.Incident, now: int) -> incidents.Incident:
    """End the alerts whose own time is over; they stay as tombstones, for a message that was read twice is no news."""
    if not 0 < incident.expires_at <= now:
        return incident
    kept = {key: _expired(state, now) if _is_over(state, now) else state for key, state in incident.alerts.items()}
    firing = [state for state in kept.values() if not state.resolved]
    return msgspec.structs.replace(
        incident,
        alerts=kept,
        fires=len(firing),
        heard_since=incident.heard_since if firing else 0,
        expires_at=min((state.ends_at for state in firing if state.ends_at), default=0),
        tombstones_since=incident.tombstones_since or now,
    )


def _is_over(state: incidents.AlertState, now: int) -> bool:
    return not state.resolved and 0 < state.ends_at <= now


def _expired(state: incidents.AlertState, now: int) -> incidents.AlertState:
    return msgspec.structs.replace(state, resolved=True, expired=True, learned_at=now)


def heard_again(incident: incidents.Incident, state: incidents.AlertState, now: int) -> bool:
    """Whether a repeat of what is known is worth a write: once in a quarter of ``stale_after``, and else never."""
    stale_after = of(incident).stale_after
    return bool(stale_after) and not state.resolved and now - state.learned_at > stale_after // 4
