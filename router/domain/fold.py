"""Folding alerts into an incident: commutative and idempotent, so that a batch read twice changes nothing."""

from collections.abc import Iterable

import msgspec

from router.domain import affected, heartbeat, silence, timing
from router.domain import decision as decisions
from router.domain import incident as incidents

MOST_HELD = 5_000  # Alerts that fire and are held by an incident; of further ones only the messages are counted.
TOMBSTONE_LIFE = 60 * 60 * 1_000_000  # Longer than any entry stays pending, in microseconds.


def fold(
    incident: incidents.Incident,
    arrived: Iterable[decisions.Routed],
    *,
    now: int,
    episode: str,
    accepted_at: int = 0,
    reuse: bool = False,
    muting: silence.Muting | None = None,
    trace: str = "",
) -> incidents.Incident:
    """Fold the alerts that arrived into the incident and return what it has become.

    ``episode`` is the random id that an episode opened by this fold gets. The very same object is returned where
    nothing changed, so that a storm of repeats costs no write. ``reuse`` lets the new incident take over the
    dictionary of the old one, for whoever has no use for the old one any more. ``muting`` tells which alerts are not
    heard of now: they are kept aside. ``trace`` is kept where an incident begins.
    """
    arrived = list(arrived)
    if beats := heartbeat.beats(arrived):
        incident = heartbeat.heard(incident, beats, now, accepted_at or now)
        arrived = [routed for routed in arrived if routed not in beats]
    if muting is not None or incident.muted:
        incident, arrived = _set_aside(incident, arrived, muting, now)
    known = incident.alerts
    changed: dict[str, incidents.AlertState] = {}
    firing: list[decisions.Routed] = []
    unheld = 0
    for routed in arrived:
        alert = routed.alert
        identity = alert.identity
        state = _state(routed, now)
        before = changed.get(identity) or known.get(identity)
        if before is None and len(known) + len(changed) >= MOST_HELD and _is_beyond(incident, state, len(changed)):
            unheld += not state.resolved
            continue
        if not state.resolved:
            firing.append(routed)
        if before is None:
            changed[identity] = state
        elif state.order > before.order or timing.heard_again(incident, before, now):
            changed[identity] = max(state, before, key=_newest)
    if unheld:
        incident = msgspec.structs.replace(incident, unheld=incident.unheld + unheld)
    if not changed:
        return incident
    held = _with(incident, changed, now, reuse=reuse)
    return _settle(held, changed, firing, now, (episode, accepted_at or now, trace))


def unmute(
    incident: incidents.Incident, muting: silence.Muting | None, *, now: int, episode: str
) -> incidents.Incident:
    """Hear of the alerts whose silence was to be looked at by ``now`` and is over; the same object if none is.

    One that has ended by itself meanwhile is not heard of any more.
    """
    incident = _without_over(heartbeat.excused(incident, muting, now), now)
    due = [muted.routed for muted in incident.muted.values() if muted.until <= now]
    if beats := heartbeat.beats(due):
        return heartbeat.resumed(incident, beats[0], muting, now)
    return fold(incident, due, now=now, episode=episode, muting=muting) if due else incident


def _without_over(incident: incidents.Incident, now: int) -> incidents.Incident:
    muted = {name: one for name, one in incident.muted.items() if one.until > now or not _is_over(one.routed, now)}
    return incident if len(muted) == len(incident.muted) else msgspec.structs.replace(incident, muted=muted)


def _set_aside(
    incident: incidents.Incident, arrived: Iterable[decisions.Routed], muting: silence.Muting | None, now: int
) -> tuple[incidents.Incident, list[decisions.Routed]]:
    """Keep what is silenced aside; what fires in the incident already is heard of still."""
    muted = dict(incident.muted)
    heard = []
    for routed in arrived:
        identity = routed.alert.identity
        known = incident.alerts.get(identity)
        mute = None
        # What fires is not taken back, and what is older than what is known is no news.
        news = known is None or (known.resolved and _state(routed, now).order > known.order)
        if muting is not None and news and routed.alert.status == "firing":
            mute = muting(routed, now)
        if mute is None:
            muted.pop(identity, None)
            heard.append(routed)
        elif identity in muted or len(muted) < silence.MOST_MUTED:
            before = muted.get(identity)
            if before is None or before.until <= now or before.by != mute.by or _ends_later(routed, before.routed):
                muted[identity] = incidents.Muted(routed, mute.until, mute.by)
    if muted == incident.muted:
        return incident, heard
    return msgspec.structs.replace(incident, muted=muted), heard


def _ends_later(routed: decisions.Routed, before: decisions.Routed) -> bool:
    return routed.alert.ends_at > before.alert.ends_at


def _is_over(routed: decisions.Routed, now: int) -> bool:
    """Whether an alert has ended by itself; a heartbeat does not: it is missed, by its rule."""
    return 0 < routed.alert.ends_at <= now and not heartbeat.beats([routed])


def _is_beyond(incident: incidents.Incident, state: incidents.AlertState, further: int) -> bool:
    """Whether an alert that is not known yet is one too many; tombstones give way long after what fires does."""
    if state.resolved:
        return len(incident.alerts) + further >= 2 * MOST_HELD
    return incident.still_fires + further >= MOST_HELD


def _with(
    incident: incidents.Incident, changed: dict[str, incidents.AlertState], now: int, *, reuse: bool
) -> incidents.Incident:
    """The incident with the newest states of its alerts; nothing else is decided yet."""
    known = incident.alerts
    fires = incident.still_fires
    buried = False
    for identity, state in changed.items():
        before = known.get(identity)
        if before is not None and not before.resolved:
            fires -= 1
        if state.resolved:
            buried = True
        else:
            fires += 1
    if reuse:
        known.update(changed)
    held = msgspec.structs.replace(
        incident,
        alerts=known if reuse else {**known, **changed},
        fires=fires,
        heard_since=0 if not fires else incident.heard_since or now,
        expires_at=_expires_at(incident, changed) if fires else 0,
        tombstones_since=incident.tombstones_since or (now if buried else 0),
    )
    return _without_old_tombstones(held, now)


def _expires_at(incident: incidents.Incident, changed: dict[str, incidents.AlertState]) -> int:
    """A moment before which no alert ends by itself; it is not moved on by repeats, but once it has come."""
    ends = [state.ends_at for state in changed.values() if state.ends_at and not state.resolved]
    if incident.expires_at:
        ends.append(incident.expires_at)
    return min(ends, default=0)


def _state(routed: decisions.Routed, now: int) -> incidents.AlertState:
    alert = routed.alert
    return incidents.AlertState(
        alert.starts_at,
        alert.status == "resolved",
        alert.ends_at,
        routed.decision.severity,
        now,
        affects=() if alert.status == "resolved" else affected.by(routed),
    )


def _newest(state: incidents.AlertState) -> tuple[object, ...]:
    return (state.order, state.learned_at)


def _settle(
    held: incidents.Incident,
    changed: dict[str, incidents.AlertState],
    firing: list[decisions.Routed],
    now: int,
    birth: tuple[str, int, str],
) -> incidents.Incident:
    """Decide from the alerts' newest states whether the incident opens, stays, rises or closes."""
    if not held.fires:
        return timing.quiet(held, now)
    if held.status != "closed":
        worst = max((state.severity for state in changed.values() if not state.resolved), default=held.severity)
        if held.quiet_since:
            held = timing.changed(held, now)
        return msgspec.structs.replace(held, severity=timing.severity_of(held, worst), quiet_since=0, changed_at=now)
    return _begin(held, firing, now, birth)


def _begin(
    incident: incidents.Incident, firing: list[decisions.Routed], now: int, birth: tuple[str, int, str]
) -> incidents.Incident:
    """Begin with the oldest alert that fires; its decision is the one that finishes the incident.

    It opens at once, unless the decision says to hold it. One that fires again soon enough after its end follows the
    episode before, and was held already.
    """
    still = [routed for routed in firing if not incident.alerts[routed.alert.identity].resolved]
    first = min(still, key=lambda routed: (routed.alert.starts_at, routed.alert.identity))
    episode, accepted_at, trace = birth
    again = incident.closed_at > 0 and now - incident.closed_at < timing.of(incident).reopen_within
    begun = msgspec.structs.replace(
        incident,
        severity=first.decision.severity,
        changed_at=now,
        accepted_at=accepted_at,
        trace=trace,
        response=first.decision.response,
        opening_alert=first.alert,
        follows=incident.episode if again else "",
    )
    begun = timing.held(begun, now)
    if not again and not timing.opens_now(begun, now):
        return begun
    if incident.generation:
        begun = timing.changed(begun, now)
    return timing.opened(begun, now=now, episode=episode)


def _without_old_tombstones(incident: incidents.Incident, now: int) -> incidents.Incident:
    horizon = now - TOMBSTONE_LIFE
    # Looking at every alert is dear where there are many: it is done once in a life-time of tombstones.
    if not 0 < incident.tombstones_since < horizon - TOMBSTONE_LIFE:
        return incident
    kept = {key: state for key, state in incident.alerts.items() if not state.resolved or state.learned_at >= horizon}
    oldest = min((state.learned_at for state in kept.values() if state.resolved), default=0)
    return msgspec.structs.replace(incident, alerts=kept, tombstones_since=oldest)
