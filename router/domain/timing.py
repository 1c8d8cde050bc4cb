"""Changes that time alone makes to an incident.

Time opens an incident after its hold, closes one after its quiet period, and ends alerts that are no longer received.
The rule's ``timing`` sets these durations.
"""

from collections.abc import Container, Iterable, Mapping

import msgspec

from router.domain import alert_states, asks, decisions, heartbeat, incidents, severities
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp

_NONE = decisions.Timing()


def timing_of(incident: incidents.Incident) -> decisions.Timing:
    """Return the timing of the incident's leading decision."""
    return incident.response.timing if incident.response is not None else _NONE


def asks_of(incident: incidents.Incident) -> tuple[asks.Ask, ...]:
    """Return the incident's asks. A document of an earlier version has one ask, which has its only response."""
    response, alert = incident.response, incident.opening_alert
    # A closed incident has no asks, and neither has a heartbeat, which no alert asks for.
    if incident.asks or incident.status == "closed" or response is None or alert is None or response.timing.heartbeat:
        return incident.asks
    hold = incident.hold
    since = (hold.pending_since if hold is not None else None) or incident.opened_at
    ask = asks.Ask(0, response, alert, since, since, incident.still_fires, incident.severity)
    # An ask of an earlier version joined when its incident opened.
    return (msgspec.structs.replace(ask, is_joined=incident.status == "open"),)


def due(incident: incidents.Incident) -> Timestamp:
    """Return when time alone changes the incident next, in microseconds; 0 if it never does."""
    own = _due(incident)
    # No mute ends, so only the incident's own timers count.
    if not incident.muted:
        return own
    # An alert may fire once its mute ends.
    moments = [muted.until for muted in incident.muted.values()]
    return Timestamp(min([*moments, own] if own else moments))


def _due(incident: incidents.Incident) -> Timestamp:
    # The quiet period and the holds ended with the episode.
    if incident.status == "closed":
        return heartbeat.due(incident)
    moments = []
    # A held incident opens once an ask joins.
    if incident.status == "pending":
        moments.append(_opens_at(incident))
    else:
        # Without firing alerts, an incident is monitored or ends.
        if incident.quiet is not None:
            moments.append(_next_of_quiet(incident, incident.quiet))
        # Further rules may open more destinations.
        if joins_at := asks.next_join(incident.asks):
            moments.append(joins_at)
    summary = incident.summary
    if summary.oldest_received_at is not None and (stale_after := min(stale_by_ask(incident).values(), default=0)):
        moments.append(Timestamp(summary.oldest_received_at + stale_after))
    # Senders may give an alert an end.
    if summary.expires_at is not None:
        moments.append(summary.expires_at)
    # Applying the earliest timer sets the next one.
    return min(moments) if moments else Timestamp(0)


def upcoming(incident: incidents.Incident) -> list[tuple[Timestamp, Cause]]:
    """Return the changes that time alone will make to the incident, as (microseconds, cause), in order of time.

    Each of them happens only if nothing else changes the incident before. The times agree with ``due``.
    """
    changes = [(muted.until, Cause(Reason.MUTE_ENDS, detail=muted.by)) for muted in incident.muted.values()]
    if incident.status == "closed":
        changes += [(moment, Cause(Reason.HEARTBEAT_MISSING)) for moment in [heartbeat.due(incident)] if moment]
        return sorted(changes, key=_in_order)
    if incident.status == "pending":
        changes.append((_opens_at(incident), Cause(Reason.HOLD_ENDS)))
    elif incident.quiet is not None:
        is_over = incident.quiet.monitored_since or not monitor_for(incident)
        reason = Reason.QUIET_PERIOD_ENDS if is_over else Reason.MONITORING_BEGINS
        changes.append((_next_of_quiet(incident, incident.quiet), Cause(reason)))
    else:
        changes += [
            (ask.joins_at, Cause(Reason.ESCALATION_DUE, detail=ask.response.rule))
            for ask in incident.asks
            if ask.joins_at
        ]
    stale_after = min(stale_by_ask(incident).values(), default=0)
    summary = incident.summary
    if stale_after and summary.oldest_received_at is not None:
        changes.append((Timestamp(summary.oldest_received_at + stale_after), Cause(Reason.ALERTS_STALE)))
    if summary.expires_at is not None:
        changes.append((summary.expires_at, Cause(Reason.ALERT_EXPIRES)))
    return sorted(changes, key=_in_order)


def _in_order(change: tuple[Timestamp, Cause]) -> tuple[int, str, str]:
    moment, cause = change
    return moment, cause.code, cause.detail


def apply_timers(incident: incidents.Incident, *, now: Timestamp, episode: str) -> incidents.Incident:
    """Return the incident as it is at ``now``; the same object if time has changed nothing.

    ``episode`` is the random ID of an episode that this call opens.
    """
    # No timer is due, so nothing has changed.
    if not 0 < _due(incident) <= now:
        return incident
    # The only timer of a closed incident is that of a missing heartbeat.
    if incident.status == "closed":
        return open_episode(incident, now=now, episode=episode)
    incident = _without_expired(_without_stale(incident, now), now)
    # Alerts have expired, or the quiet period is over.
    if not incident.still_fires:
        return _quiet(incident, now)
    # The hold of a further rule may have ended, and the severity may follow the remaining alerts.
    if incident.status == "open":
        incident = join_asks(incident, now)
        severity = severity_of(incident, incident.severity)
        interventions = incidents.after_severity(incident.interventions, severity, now)
        return msgspec.structs.replace(incident, severity=severity, interventions=interventions)
    # An alert has fired throughout the hold.
    if incident.status == "pending" and now >= _opens_at(incident):
        return open_episode(incident, now=now, episode=episode)
    # Some alerts have ended, and the hold of the others isn't over.
    return incident


def open_episode(
    incident: incidents.Incident, *, now: Timestamp, episode: str, at_once: bool = False
) -> incidents.Incident:
    """Begin an episode with the asks of the incident. With ``at_once``, ignore holds."""
    firing = [state.severity for state in incident.alerts.values() if not state.resolved]
    ids = {ask.id for ask in incident.asks if ask.fires} if at_once else joining(incident, now)
    incident = msgspec.structs.replace(
        incident,
        status="open",
        generation=incident.generation + 1,
        episode=episode,
        severity=max(firing, default=incident.severity),
        opened_at=now,
        changed_at=now,
        hold=None,
        quiet=None,
        interventions=msgspec.structs.replace(incident.interventions, verdicts={}, acknowledgement=None),
        asks=asks.join(asks_of(incident), ids),
    )
    return apply_lead(_drop_joined(incident))


def joining(incident: incidents.Incident, now: Timestamp) -> set[int]:
    """Return the IDs of the asks whose hold has ended at ``now`` and that haven't joined yet."""
    return {ask.id for ask in asks_of(incident) if 0 < _joins_at(incident, ask) <= now}


def _joins_at(incident: incidents.Incident, ask: asks.Ask) -> Timestamp:
    """Return when an ask joins. Alerts that keep firing and resolving aren't held longer than ``max_hold``."""
    joins_at = ask.joins_at
    at_most = ask.response.timing.max_hold
    # Each interruption restarts the hold, so a flapping alert would never open without this limit.
    if joins_at and at_most and incident.status == "pending" and incident.hold is not None:
        return Timestamp(min(joins_at, incident.hold.began_at + at_most))
    # The rule has no limit, or the incident is open.
    return joins_at


def join_asks(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """Let the asks whose hold has ended join. Return the same object if nothing changes."""
    ids = joining(incident, now)
    if ids:
        incident = msgspec.structs.replace(incident, asks=asks.join(asks_of(incident), ids), changed_at=now)
        incident = _drop_joined(incident)
    return apply_lead(incident)


def _drop_joined(incident: incidents.Incident) -> incidents.Incident:
    """Remove held alerts whose ask has joined, because they can no longer be muted."""
    # No alert waits for its ask to join.
    if not incident.held_alerts:
        return incident
    waiting = {ask.id for ask in incident.asks if not ask.is_joined}
    kept = {
        identity: routed
        for identity, routed in incident.held_alerts.items()
        if (state := incident.alerts.get(identity)) is not None and state.ask in waiting
    }
    # The remaining alerts may still be muted when their ask joins.
    return msgspec.structs.replace(incident, held_alerts=kept)


def apply_lead(incident: incidents.Incident) -> incidents.Incident:
    """Return the incident with the response and the alert of its leading ask, and the destinations of all asks."""
    candidates = _candidates(incident)
    first = _lead(incident, candidates)
    # No alert fires and none has joined: keep the texts of the episode.
    if first is None:
        return incident
    response = asks.combine(first, candidates)
    # Comparing identities is cheap, and comparing contents below avoids a write after a reload of equal rules.
    if response is incident.response and first.alert is incident.opening_alert:  # The usual case.
        return incident
    if response == incident.response and first.alert == incident.opening_alert:
        return incident
    # Another ask leads, so its texts replace those of the last one.
    return msgspec.structs.replace(incident, response=response, opening_alert=first.alert)


def _candidates(incident: incidents.Incident) -> list[asks.Ask]:
    return [ask for ask in incident.asks if ask.is_joined or (incident.status != "open" and ask.fires)]


def _lead(incident: incidents.Incident, candidates: list[asks.Ask]) -> asks.Ask | None:
    first = asks.lead(candidates)
    # The texts follow the severity, too: those of the worst alert that fires now.
    if len(candidates) > 1 and first is not None and first.response.follows_severity:
        return asks.lead(candidates, worst_by_ask(incident))
    # One ask leads alone, or the worst severity of the episode decides.
    return first


def ask_for(incident: incidents.Incident, destination: str) -> asks.Ask | None:
    """Return the ask that gives the texts at a destination; None if no ask includes it."""
    candidates = _candidates(incident)
    first = _lead(incident, candidates)
    # No alert has asked for anything in this episode.
    if first is None:
        return None
    wanting = (ask for ask in asks.by_precedence(first, candidates) if ask.wants(destination))
    # The asks are in the order of their precedence.
    return next(wanting, None)


def is_asked(incident: incidents.Incident, destination: str) -> bool:
    """Return whether a firing alert asks for a destination, even if the texts there are those of another rule."""
    return any(ask.fires and ask.wants(destination) for ask in _candidates(incident))


def worst_by_ask(incident: incidents.Incident) -> Mapping[int, severities.Severity]:
    """Return the worst severity of the firing alerts, by the ID of their ask."""
    severity_by_ask: dict[int, severities.Severity] = {}
    for state in incident.alerts.values():
        if not state.resolved:
            severity_by_ask[state.ask] = max(state.severity, severity_by_ask.get(state.ask, state.severity))
    return severity_by_ask


def worst(incident: incidents.Incident) -> severities.Severity:
    """Return the worst severity of the firing alerts."""
    return max([state.severity for state in incident.alerts.values() if not state.resolved], default=incident.severity)


def begin_hold(incident: incidents.Incident, now: Timestamp) -> incidents.Hold:
    """Return the hold of an incident that begins to fire.

    If the rule has ``max_hold``, a hold that ended within the last ``open_after`` continues: a flapping outage is an
    outage, and its interruptions must not hold it for longer than ``max_hold``.
    """
    timing, hold = timing_of(incident), incident.hold
    since = min([ask.since for ask in incident.asks if ask.since], default=now)
    # The alerts fire again soon after the last hold was dropped, so that hold continues.
    if hold is not None and timing.max_hold and now - (hold.dropped_at or 0) <= timing.open_after:
        return incidents.Hold(hold.began_at, since, hold.dropped_at)
    # The last hold opened an incident, or was dropped too long ago: a new hold begins.
    return incidents.Hold(since, since)


def _opens_at(incident: incidents.Incident) -> Timestamp:
    """Return the earliest time at which an ask joins; 0 if none will."""
    return Timestamp(min([joins_at for ask in asks_of(incident) if (joins_at := _joins_at(incident, ask))], default=0))


def is_opening(incident: incidents.Incident, now: Timestamp) -> bool:
    """Return whether a held incident opens by ``now``."""
    return 0 < _opens_at(incident) <= now


def quiet_period(incident: incidents.Incident) -> Duration:
    """Return how long no alert may fire before the incident ends, in microseconds."""
    timing = timing_of(incident)
    # A flapping incident has to be quiet for longer, so that pages don't change with every flap.
    return max(timing.resolve_after, timing.flap_quiet) if is_flapping(incident) else timing.resolve_after


def monitor_for(incident: incidents.Incident) -> Duration:
    """Return how long the incident is monitored before it ends, in microseconds: the longest time of its posts."""
    response = incident.response
    # The next heartbeat proves the recovery, so there is nothing to monitor.
    if response is None or response.timing.heartbeat:
        return Duration(0)
    # All posts are resolved together, so the longest time counts.
    return Duration(max((target.ending.monitor_for for target in response.targets), default=0))


def _next_of_quiet(incident: incidents.Incident, period: incidents.QuietPeriod) -> Timestamp:
    """Return when a quiet incident begins to be monitored, or ends."""
    # The quiet period is over, and the posts say that they are monitored.
    if period.monitored_since is not None:
        return Timestamp(period.monitored_since + monitor_for(incident))
    # The quiet period isn't over.
    return Timestamp(period.since + quiet_period(incident))


def is_flapping(incident: incidents.Incident) -> bool:
    """Return whether an incident flaps.

    It does if it changed ``flap_changes`` times between firing and quiet within ``flap_window``.
    """
    timing = timing_of(incident)
    changes = incident.changes
    # The rule doesn't detect flapping, or too few changes have been recorded.
    if not timing.flap_changes or len(changes) < timing.flap_changes:
        return False
    # The oldest of the counted changes must be within the window.
    return changes[-1] - changes[-timing.flap_changes] <= timing.flap_window


def record_change(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """Record that all alerts of an incident have resolved, or that one fires again."""
    limit = timing_of(incident).flap_changes
    # Changes are recorded only for rules that use them.
    if not limit:
        return incident
    # Only the newest changes can make the incident flap.
    return msgspec.structs.replace(incident, changes=(*incident.changes, now)[-limit:])


def severity_of(incident: incidents.Incident, among: severities.Severity) -> severities.Severity:
    """Return the severity of an open incident after alerts of at most ``among``.

    It falls only if the rule permits that.
    """
    # By default the severity only rises: customers shouldn't see it go up and down.
    if incident.response is None or not incident.response.follows_severity:
        return max(incident.severity, among)
    # The rule lets the severity follow the alerts that fire now.
    return worst(incident)


def quiet(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """Return the incident as it is once none of its alerts fires."""
    return _quiet(msgspec.structs.replace(incident, changed_at=now), now)


def _quiet(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    incident = msgspec.structs.replace(incident, held_alerts={}) if incident.held_alerts else incident
    if incident.status != "open":
        # The alerts resolved during the hold, so no incident was opened.
        hold = incident.hold
        if hold is not None:
            hold = msgspec.structs.replace(hold, pending_since=None, dropped_at=now)
        return msgspec.structs.replace(incident, status="closed", hold=hold)
    # The first time only: time also passes while the incident stays quiet.
    period = incident.quiet
    if period is None:
        period = incidents.QuietPeriod(now)
        incident = msgspec.structs.replace(record_change(incident, now), quiet=period)
    # Alerts that fire again within the quiet period belong to the same episode.
    if now < _next_of_quiet(incident, period):
        return incident
    if monitor_for(incident) and period.monitored_since is None:
        # Its posts say so, and they continue if it fires again: the episode lasts until the monitoring ends.
        period = msgspec.structs.replace(period, monitored_since=now)
        return msgspec.structs.replace(incident, quiet=period, changed_at=now)
    # The quiet period and the monitoring are over, so the episode ends with its last alert.
    return msgspec.structs.replace(
        incident,
        status="closed",
        quiet=None,
        closed_at=now,
        changed_at=now,
        ended_at=period.since,
    )


def stale_by_ask(incident: incidents.Incident) -> dict[int, Duration]:
    """Return the ``stale_after`` of each ask that has one, by the ask's ID."""
    durations: dict[int, Duration] = {}
    for ask in asks_of(incident):
        if stale_after := ask.response.timing.stale_after:
            durations[ask.id] = stale_after
    return durations


def _without_stale(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """Remove alerts that were not received for ``stale_after``. Such an alert fires again if it is received again."""
    stale_after = stale_by_ask(incident)
    # No alert can be stale yet: the oldest one was received recently enough.
    oldest_at = incident.summary.oldest_received_at
    if not stale_after or oldest_at is None or oldest_at > now - min(stale_after.values()):
        return incident

    def is_kept(state: alert_states.AlertState) -> bool:
        return state.resolved or state.ask not in stale_after or state.learned_at > now - stale_after[state.ask]

    states = {identity: state for identity, state in incident.alerts.items() if is_kept(state)}
    watched = (state for state in states.values() if state.ask in stale_after)
    # Alerts without the limit never become stale, so they set no timer.
    return recount(incident, states, watched)


def recount(
    incident: incidents.Incident,
    alerts: dict[str, alert_states.AlertState],
    watched: Iterable[alert_states.AlertState],
) -> incidents.Incident:
    """Return the incident with these alerts. ``watched`` are those that may become stale."""
    firing = [state for state in alerts.values() if not state.resolved]
    instances = (instance for state in firing for instance in (state, *state.others) if not instance.resolved)
    summary = incidents.AlertSummary(
        len(firing),
        oldest_received_at=min((state.learned_at for state in watched if not state.resolved), default=None),
        expires_at=min((instance.ends_at for instance in instances if instance.ends_at), default=None),
        oldest_tombstone_at=min((state.learned_at for state in alerts.values() if state.resolved), default=None),
    )
    recounted_asks = asks.recount(asks_of(incident), alerts)
    return msgspec.structs.replace(incident, alerts=alerts, summary=summary, asks=recounted_asks)


def without(incident: incidents.Incident, names: Container[str]) -> incidents.Incident:
    """Return the incident without these alerts, by identity, as if no message about them had been received."""
    alerts = {identity: state for identity, state in incident.alerts.items() if identity not in names}
    held_alerts = {identity: routed for identity, routed in incident.held_alerts.items() if identity not in names}
    return msgspec.structs.replace(recount(incident, alerts, alerts.values()), held_alerts=held_alerts)


def _without_expired(incident: incidents.Incident, now: Timestamp) -> incidents.Incident:
    """End the alerts that have expired. They stay as tombstones, so that a message that is read twice has no effect."""
    # The earliest end is still ahead.
    if incident.summary.expires_at is None or incident.summary.expires_at > now:
        return incident
    states = {identity: alert_states.expire(state, now) for identity, state in incident.alerts.items()}
    # An alert with several senders fires until all of them have expired.
    return recount(incident, states, states.values())


def needs_refresh(
    stale_after: Mapping[int, Duration], state: alert_states.AlertState | None, message: alert_states.AlertState
) -> bool:
    """Return whether a repeat is worth a write: once per quarter of ``stale_after``, and never if the ask has none.

    ``stale_after`` is in microseconds, by ask.
    """
    # A first message and a resolution are written in any case.
    if state is None or state.resolved or message.resolved:
        return False
    own_limit = stale_after.get(state.ask, 0)
    # A quarter of the limit is precise enough, and saves writing the document at every repeat.
    return bool(own_limit) and message.learned_at - state.learned_at > own_limit // 4
