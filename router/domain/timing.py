"""What time alone does to an incident: opens one that was held long enough, closes one that was quiet long enough,
and ends alerts that were not heard of any more. The rule's ``timing`` says how long each of it takes.
"""

import msgspec

from router.domain import decision as decisions
from router.domain import incident as incidents

_NONE = decisions.Timing()


def of(incident: incidents.Incident) -> decisions.Timing:
    """The timing of the decision that the incident was opened with, or will be."""
    return incident.response.timing if incident.response is not None else _NONE


def due(incident: incidents.Incident) -> int:
    """When time alone changes the incident next, in microseconds; 0 where it never does."""
    timing = of(incident)
    if incident.status == "closed":
        return 0
    moments = []
    if incident.status == "pending":
        moments.append(incident.pending_since + timing.hold)
    elif incident.quiet_since:
        moments.append(incident.quiet_since + timing.resolve_after)
    if timing.stale_after and incident.heard_since:
        moments.append(incident.heard_since + timing.stale_after)
    return min(moments, default=0)


def settle(incident: incidents.Incident, *, now: int, episode: str) -> incidents.Incident:
    """Return what the incident has become by ``now``: the very same object where time has changed nothing.

    ``episode`` is the random id that an episode opened by this gets.
    """
    if not 0 < due(incident) <= now:
        return incident
    incident = _without_stale(incident, now)
    if not incident.still_fires:
        return _quiet(incident, now)
    if incident.status == "pending" and now >= incident.pending_since + of(incident).hold:
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
        severity=max(firing),
        opened_at=now,
        changed_at=now,
        pending_since=0,
        quiet_since=0,
        approvals={},
    )


def quiet(incident: incidents.Incident, now: int) -> incidents.Incident:
    """What an incident becomes when nothing of it fires any more."""
    return _quiet(msgspec.structs.replace(incident, changed_at=now), now)


def _quiet(incident: incidents.Incident, now: int) -> incidents.Incident:
    if incident.status != "open":
        # Over before it was held long enough: nothing was ever opened.
        return msgspec.structs.replace(incident, status="closed", pending_since=0)
    since = incident.quiet_since or now
    if now < since + of(incident).resolve_after:
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


def heard_again(incident: incidents.Incident, state: incidents.AlertState, now: int) -> bool:
    """Whether a repeat of what is known is worth a write: once in a quarter of ``stale_after``, and else never."""
    stale_after = of(incident).stale_after
    return bool(stale_after) and not state.resolved and now - state.learned_at > stale_after // 4
