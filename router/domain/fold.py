"""Folds alerts into an incident. Folding is commutative and idempotent, so a batch read twice changes nothing."""

from collections.abc import Iterable

import msgspec

from router.domain import (
    affected_components,
    alert_states,
    decisions,
    heartbeat,
    incidents,
    silences,
    times,
    timing,
)
from router.domain.asks import Ask, Book, is_equal, with_texts_of
from router.domain.times import Timestamp

MAX_HELD_ALERTS = 5_000  # Firing alerts that an incident holds. Of further alerts, only the messages are counted.
TOMBSTONE_LIFE = times.HOUR  # Longer than any entry stays pending.


def fold(
    incident: incidents.Incident,
    arrived: Iterable[decisions.Routed],
    *,
    now: Timestamp,
    episode: str,
    accepted_at: Timestamp = Timestamp(0),
    reuse: bool = False,
    muting: silences.Muting | None = None,
    trace: str = "",
    ignored: list[decisions.Routed] | None = None,
) -> incidents.Incident:
    """Fold the received alerts into the incident and return the result.

    ``episode`` is the random ID of an episode that this fold opens. The same object is returned if nothing changed, so
    that a storm of repeats costs no write. ``reuse`` lets the new incident take over the dictionary of the old one, for
    a caller that no longer needs the old one. ``muting`` says which alerts are muted now: they are set aside. ``trace``
    is stored if an incident begins. ``ignored`` receives the messages that are ignored: late deliveries that contradict
    the known state.
    """
    arrived = [_with_receipt(routed, now) for routed in arrived]
    # A heartbeat that arrives opens nothing: it only postpones the time at which it is missed.
    if beats := heartbeat.find_beats(arrived):
        incident = heartbeat.record_beats(incident, beats, now, accepted_at or now)
        arrived = [routed for routed in arrived if routed not in beats]
    # Also without mutes: a message about a muted alert replaces the one that was set aside.
    if muting is not None or incident.muted:
        incident, arrived = _set_aside(incident, arrived, muting, now)
    # Only heartbeats and muted alerts arrived, so the states of other alerts stay as they are.
    if not arrived:
        return incident
    # A closed incident starts without asks, because the asks of the previous episode have ended.
    book = Book(() if incident.status == "closed" else timing.asks_of(incident))
    changed, unheld = _merge(incident, arrived, book, ignored)
    # The count tells operators that the incident shows only a part of the storm.
    if unheld:
        incident = msgspec.structs.replace(incident, overflow_count=incident.overflow_count + unheld)
    # Every message was a repeat or a late delivery.
    if not changed:
        return incident
    with_held = _with(incident, changed, now, reuse=reuse)
    with_held = _with_asks(with_held, book.asks, arrived, changed)
    # The states are final, so they decide whether the incident opens, escalates, or ends.
    return _settle(with_held, changed, now, (episode, accepted_at or now, trace))


def _merge(
    incident: incidents.Incident,
    arrived: list[decisions.Routed],
    book: Book,
    ignored: list[decisions.Routed] | None,
) -> tuple[dict[str, alert_states.AlertState], int]:
    """Merge the messages into the states of their alerts.

    Return the states that change, and the number of firing messages about alerts beyond those that an incident holds.
    """
    states = incident.alerts
    changed: dict[str, alert_states.AlertState] = {}
    stale_after = timing.stale_by_ask(incident)
    unheld = 0
    for routed in arrived:
        identity = routed.alert.identity
        before = changed.get(identity) or states.get(identity)
        message = _message(routed, book)
        # A document grows with its alerts, and every change rewrites it.
        if (
            before is None
            and len(states) + len(changed) >= MAX_HELD_ALERTS
            and _is_beyond(incident, message, len(changed))
        ):
            unheld += not message.resolved
            continue
        after, outcome = alert_states.merge(before, message, alert_states.window_of(routed))
        # A repeat proves that the alert is still sent, which counts if silence would end it.
        if stale_after and outcome == "unchanged" and timing.needs_refresh(stale_after, before, message):
            after, outcome = msgspec.structs.replace(after, learned_at=message.learned_at), "changed"
        if outcome == "changed":
            changed[identity] = after
            book.count(before, after, routed)
        elif outcome == "ignored" and ignored is not None:
            ignored.append(routed)
    return changed, unheld


def _message(routed: decisions.Routed, book: Book) -> alert_states.AlertState:
    # A resolution asks for nothing, so it belongs to no ask.
    if routed.alert.status == "resolved":
        return alert_states.message_of(routed, routed.received_at)
    # A firing alert asks for its rule's destinations.
    ask = book.id_of(routed)
    affects = affected_components.find_affected(routed) if book.affects else ()
    return alert_states.message_of(routed, routed.received_at, ask=ask, affects=affects)


def _with_receipt(routed: decisions.Routed, now: Timestamp) -> decisions.Routed:
    """Return the message with a time of receipt that isn't later than ``now``, whichever clock it was taken by."""
    # A web server whose clock is ahead must not outlive later messages.
    if 0 < routed.received_at <= now:
        return routed
    # The time is unknown, or that of a clock that is ahead.
    return msgspec.structs.replace(routed, received_at=now)


def end_unknown_episode(
    incident: incidents.Incident, routed: decisions.Routed, *, now: Timestamp, episode: str
) -> incidents.Incident:
    """Return a closed incident after an episode of which only the end is known.

    ``routed`` is the resolved alert. The episode begins and ends now, so that its open incidents at the vendors can be
    resolved like any others. Its real times aren't known, so it is never published afterwards.
    """
    response = routed.decision.response
    if response is not None:
        targets = tuple(msgspec.structs.replace(target, retrospective=False) for target in response.targets)
        response = msgspec.structs.replace(response, targets=targets)
    return msgspec.structs.replace(
        incident,
        status="closed",
        generation=incident.generation + 1,
        episode=episode,
        severity=routed.decision.severity,
        opened_at=now,
        closed_at=now,
        changed_at=now,
        response=response,
        opening_alert=routed.alert,
        follows=None,
        interventions=msgspec.structs.replace(incident.interventions, verdicts={}, acknowledgement=None),
    )


def is_firing_again(state: alert_states.AlertState, routed: decisions.Routed) -> bool:
    """Return whether a firing message makes a resolved alert fire again."""
    message = alert_states.message_of(routed, routed.received_at)
    window = alert_states.window_of(routed)
    return not alert_states.merge(state, message, window)[0].resolved


def apply_muting(
    incident: incidents.Incident, muting: silences.Muting | None, *, now: Timestamp, episode: str
) -> incidents.Incident:
    """Check again which alerts are muted at ``now``. Return the same object if nothing changes.

    Alerts whose mute has ended are folded in, unless they have expired since. Alerts whose
    hold ends now are set aside if they were muted while they were held.
    """
    incident = _without_expired(heartbeat.excuse(incident, muting, now), now)
    incident = _mute_held(incident, muting, now)
    due = [muted.routed for muted in incident.muted.values() if muted.until <= now]
    # The silence may have hidden a missed heartbeat, so the interval starts again.
    if beats := heartbeat.find_beats(due):
        return heartbeat.resume(incident, beats[0], muting, now)
    # The alerts whose mute has ended count as if their messages arrived now.
    return fold(incident, due, now=now, episode=episode, muting=muting) if due else incident


def _mute_held(incident: incidents.Incident, muting: silences.Muting | None, now: Timestamp) -> incidents.Incident:
    """Set aside the muted alerts of asks that join now."""
    # Without mutes or held alerts, there is nothing to set aside.
    if muting is None or not incident.held_alerts:
        return incident
    joining = timing.joining(incident, now)
    muted_alerts: dict[str, incidents.Muted] = {}
    for identity, routed in incident.held_alerts.items():
        state = incident.alerts.get(identity)
        # Alerts of asks that keep waiting are checked when those join.
        if state is None or state.resolved or state.ask not in joining:
            continue
        if (mute := muting(routed, now)) is not None:
            muted_alerts[identity] = incidents.Muted(routed, mute.until, mute.by, mute.kind)
    # Beyond the limit the alerts open the incident: a post too many is better than a lost alert.
    if not muted_alerts or len(incident.muted) + len(muted_alerts) > silences.MAX_MUTED_ALERTS:
        return incident
    # Without these alerts, the incident may not open at all.
    return _without_muted(incident, muted_alerts, now)


def _without_muted(
    incident: incidents.Incident, muted_alerts: dict[str, incidents.Muted], now: Timestamp
) -> incidents.Incident:
    """Return the incident with these firing alerts set aside, as if their messages had not been received yet."""
    incident = timing.without(incident, muted_alerts.keys())
    asks = with_texts_of(incident.asks, incident.alerts, incident.held_alerts)
    incident = msgspec.structs.replace(incident, muted={**incident.muted, **muted_alerts}, asks=asks, changed_at=now)
    return timing.quiet(incident, now) if not incident.still_fires else timing.apply_lead(incident)


def _without_expired(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    muted = {
        name: alert for name, alert in incident.muted.items() if alert.until > now or not _is_expired(alert.routed, now)
    }
    return incident if len(muted) == len(incident.muted) else msgspec.structs.replace(incident, muted=muted)


def _set_aside(
    incident: incidents.Incident, arrived: Iterable[decisions.Routed], muting: silences.Muting | None, now: Timestamp
) -> tuple[incidents.Incident, list[decisions.Routed]]:
    """Set aside muted alerts and return the others.

    An alert whose ask has joined isn't set aside, whatever mutes it later.
    """
    muted = dict(incident.muted)
    remaining = []
    aside: dict[str, incidents.Muted] = {}
    for routed in arrived:
        identity = routed.alert.identity
        mute = None
        if muting is not None and routed.alert.status == "firing" and _is_news(incident, routed):
            mute = muting(routed, now)
        # The latest message isn't muted, so it replaces an earlier one that was set aside.
        if mute is None:
            muted.pop(identity, None)
            aside.pop(identity, None)
            remaining.append(routed)
        elif identity in muted or len(muted) < silences.MAX_MUTED_ALERTS:
            before = muted.get(identity)
            # A repeat with the same mute changes nothing and costs no write.
            if before is None or before.until <= now or before.by != mute.by or _is_newer(routed, before.routed):
                muted[identity] = incidents.Muted(routed, mute.until, mute.by, mute.kind)
            # The alert was held when the silence began, so it must not open the incident during the silence.
            if _is_held(incident, identity):
                aside[identity] = muted[identity]
    if muted != incident.muted:
        incident = msgspec.structs.replace(incident, muted=muted)
    if aside:
        incident = _without_muted(incident, aside, now)
    return incident, remaining


def _is_news(incident: incidents.Incident, routed: decisions.Routed) -> bool:
    """Return whether a firing message could open something. Only then is the alert checked for mutes."""
    state = incident.alerts.get(routed.alert.identity)
    # A new alert opens an incident or joins one.
    if state is None:
        return True
    if state.resolved:
        # A late delivery of a resolved alert opens nothing.
        return is_firing_again(state, routed)
    # Its ask hasn't joined, so it may still open destinations.
    if _is_held(incident, routed.alert.identity):
        return True
    # An alert that escalates to a rule with further destinations is checked again.
    response = routed.decision.response
    # The alert requests the incident's current response.
    if response is None or incident.response is None or is_equal(response, incident.response):
        return False
    # The alert escalates, unless an ask with this response has joined already.
    return not any(ask.is_joined and is_equal(ask.response, response) for ask in incident.asks)


def _is_held(incident: incidents.Incident, identity: str) -> bool:
    """Return whether an alert fires in the incident and its ask hasn't joined yet."""
    state = incident.alerts.get(identity)
    # The alert doesn't fire here.
    if state is None or state.resolved:
        return False
    return any(ask.id == state.ask and not ask.is_joined for ask in incident.asks)


def _is_newer(routed: decisions.Routed, before: decisions.Routed) -> bool:
    return (routed.received_at, routed.alert.ends_at) > (before.received_at, before.alert.ends_at) and (
        routed.alert != before.alert or routed.decision != before.decision
    )


def _is_expired(routed: decisions.Routed, now: Timestamp) -> bool:
    """Return whether an alert has expired. Heartbeats don't expire: their rule says when they are missed."""
    return 0 < routed.alert.ends_at <= now and not heartbeat.find_beats([routed])


def _is_beyond(incident: incidents.Incident, state: alert_states.AlertState, further: int) -> bool:
    """Return whether a new alert exceeds the number that an incident holds. Resolved alerts have twice that limit."""
    # Tombstones protect against late deliveries, so they get room beside the firing alerts.
    if state.resolved:
        return len(incident.alerts) + further >= 2 * MAX_HELD_ALERTS
    # Tombstones take no room from alerts that fire.
    return incident.still_fires + further >= MAX_HELD_ALERTS


def _with(
    incident: incidents.Incident, changed: dict[str, alert_states.AlertState], now: Timestamp, *, reuse: bool
) -> incidents.Incident:
    """Return the incident with the newest states of its alerts. Nothing else is decided yet."""
    states = incident.alerts
    summary = incident.summary
    fires = summary.fires
    oldest_received_at, oldest_tombstone_at = summary.oldest_received_at, summary.oldest_tombstone_at
    for identity, state in changed.items():
        before = states.get(identity)
        if before is not None and not before.resolved:
            fires -= 1
        if state.resolved:
            oldest_tombstone_at = min(oldest_tombstone_at or state.learned_at, state.learned_at)
        else:
            fires += 1
            oldest_received_at = min(oldest_received_at or state.learned_at, state.learned_at)
    # Copying 5,000 alerts for each message would dominate a storm.
    if reuse:
        states.update(changed)
    summary = incidents.AlertSummary(
        fires,
        # Nothing can become stale or expire while no alert fires.
        (oldest_received_at or now) if fires else None,
        _expires_at(summary, changed) if fires else None,
        oldest_tombstone_at,
    )
    with_held = msgspec.structs.replace(incident, alerts=states if reuse else {**states, **changed}, summary=summary)
    return _without_old_tombstones(with_held, now)


def _expires_at(summary: incidents.AlertSummary, changed: dict[str, alert_states.AlertState]) -> Timestamp | None:
    """Return a time before which no alert expires. Repeats don't postpone it; it is recomputed once it has passed."""
    ends = [
        instance.ends_at
        for state in changed.values()
        for instance in (state, *state.others)
        if instance.ends_at and not instance.resolved
    ]
    if summary.expires_at is not None:
        ends.append(summary.expires_at)
    return min(ends, default=None)


def _with_asks(
    incident: incidents.Incident,
    asks: tuple[Ask, ...],
    arrived: list[decisions.Routed],
    changed: dict[str, alert_states.AlertState],
) -> incidents.Incident:
    """Return the incident with its current asks, and with the alerts that may still be muted before their ask joins."""
    waiting = {ask.id for ask in asks if not ask.is_joined and ask.response.timing.open_after}
    held_alerts = incident.held_alerts
    if waiting or held_alerts:
        arrived_by_name = {routed.alert.identity: routed for routed in arrived if routed.alert.status == "firing"}
        held_alerts = dict(held_alerts)
        for identity, state in changed.items():
            if state.resolved or state.ask not in waiting:
                held_alerts.pop(identity, None)
            elif identity in arrived_by_name and (
                identity in held_alerts or len(held_alerts) < silences.MAX_MUTED_ALERTS
            ):
                held_alerts[identity] = arrived_by_name[identity]
    # Return the same object, so that the caller sees that nothing changed.
    if asks is incident.asks and held_alerts == incident.held_alerts:
        return incident
    return msgspec.structs.replace(incident, asks=asks, held_alerts=held_alerts)


def _settle(
    incident: incidents.Incident,
    changed: dict[str, alert_states.AlertState],
    now: Timestamp,
    birth: tuple[str, Timestamp, str],
) -> incidents.Incident:
    """Decide from the alerts' newest states whether the incident opens, stays, escalates, or closes."""
    episode = birth[0]
    # No alert fires any longer: the quiet period begins, or the incident ends.
    if not incident.still_fires:
        return timing.quiet(incident, now)
    # An alert fires, and there is no episode that it could join.
    if incident.status == "closed":
        return _begin(incident, now, birth)
    if incident.status == "pending":
        # A new alert may open the incident earlier than the previous alerts would.
        incident = timing.apply_lead(msgspec.structs.replace(incident, changed_at=now))
        incident = msgspec.structs.replace(incident, severity=timing.worst(incident))
        return timing.open_episode(incident, now=now, episode=episode) if timing.is_opening(incident, now) else incident
    worst = max((state.severity for state in changed.values() if not state.resolved), default=incident.severity)
    # Firing again within the quiet period counts as a change of a flapping incident.
    if incident.quiet is not None:
        incident = timing.record_change(incident, now)
    incident = timing.join_asks(incident, now)
    # The episode goes on, and is no longer quiet.
    severity = timing.severity_of(incident, worst)
    interventions = incidents.after_severity(incident.interventions, severity, now)
    return msgspec.structs.replace(incident, severity=severity, quiet=None, changed_at=now, interventions=interventions)


def _begin(incident: incidents.Incident, now: Timestamp, birth: tuple[str, Timestamp, str]) -> incidents.Incident:
    """Begin an incident with the firing alerts. It opens immediately, unless every decision holds it. An incident that
    fires again within ``reopen_within`` after its end follows the previous episode and isn't held again.
    """
    episode, accepted_at, trace = birth
    closed_at = incident.closed_at
    reopens = closed_at is not None and now - closed_at < timing.timing_of(incident).reopen_within
    started = timing.apply_lead(incident)
    started = msgspec.structs.replace(
        started,
        status="pending",
        severity=timing.worst(started),
        changed_at=now,
        accepted_at=accepted_at,
        hold=timing.begin_hold(started, now),
        trace=trace,
        follows=incident.episode if reopens else None,
    )
    # No hold has passed, so the incident waits for its timer.
    if not reopens and not timing.is_opening(started, now):
        return started
    # Only an incident that was open before can flap.
    if incident.generation:
        started = timing.record_change(started, now)
    # The outage was held once already if the incident reopens.
    return timing.open_episode(started, now=now, episode=episode, at_once=reopens)


def has_old_tombstones(incident: incidents.Incident, now: Timestamp) -> bool:
    """Return whether a change at ``now`` removes tombstones."""
    # Checking every alert of a large incident is expensive, so it is done once per lifetime of tombstones.
    oldest_at = incident.summary.oldest_tombstone_at
    return oldest_at is not None and oldest_at < now - 2 * TOMBSTONE_LIFE


def _without_old_tombstones(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    # Most changes remove none, and keep the object.
    if not has_old_tombstones(incident, now):
        return incident
    horizon = now - TOMBSTONE_LIFE
    states = {key: state for key, state in incident.alerts.items() if not state.resolved or state.learned_at >= horizon}
    oldest_at = min((state.learned_at for state in states.values() if state.resolved), default=None)
    summary = msgspec.structs.replace(incident.summary, oldest_tombstone_at=oldest_at)
    return msgspec.structs.replace(incident, alerts=states, summary=summary)
