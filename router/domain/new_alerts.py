"""What new firing alerts make of an incident: the same as ``fold``, at a tenth of its cost.

In a storm, nearly every alert is new. It opens an incident, or joins an open one whose rule it shares. There is no
earlier message to merge with, no hold, and no end, so the result follows from the message and a few counts. In every
other case, these functions return None, and only ``fold`` can say. A property test compares the results of both.
"""

from collections.abc import Collection, Sequence

import msgspec

from router.domain import affected_components, alert_states, asks, decisions, fold, incidents
from router.domain.times import Timestamp


def opened_by(
    key: str, routed: decisions.Routed, *, now: Timestamp, episode: str, accepted_at: Timestamp, trace: str
) -> incidents.Incident | None:
    """Return the incident that a new alert opens under a key that has no document.

    The other arguments are those of ``fold``. The caller knows that the alert isn't muted.
    """
    response = routed.decision.response
    # A held alert may still be muted, and a heartbeat opens nothing.
    if not _is_plain(routed, now) or response is None or response.timing.open_after:
        return None
    alert, state = routed.alert, _state(routed, 0)
    severity, since = state.severity, state.learned_at
    return incidents.Incident(
        key=key,
        status="open",
        generation=1,
        episode=episode,
        severity=severity,
        opened_at=now,
        changed_at=now,
        accepted_at=accepted_at or now,
        response=response,
        opening_alert=alert,
        alerts={alert.identity: state},
        summary=incidents.AlertSummary(1, since, state.ends_at or None),
        trace=trace,
        asks=(asks.Ask(0, response, alert, since, since, 1, severity, is_joined=True),),
    )


def joined_by(
    incident: incidents.Incident, arrived: Sequence[decisions.Routed], *, now: Timestamp
) -> incidents.Incident | None:
    """Return the incident that new alerts join, if it fires for one rule, and that is the rule of these alerts.

    The caller knows that no alert is muted.
    """
    # More than the alerts and their counts would change.
    if not _takes_more(incident, len(arrived), now):
        return None
    (ask,) = incident.asks
    states: dict[str, alert_states.AlertState] = {}
    summary = incident.summary
    expires_at, oldest_received_at = summary.expires_at, summary.oldest_received_at
    for routed in arrived:
        identity = routed.alert.identity
        # A message about an alert that is present has to be merged, and one of another rule needs a separate ask.
        if identity in incident.alerts or identity in states or not _belongs(routed, ask, now):
            return None
        states[identity] = state = _state(routed, ask.id)
        oldest_received_at = min(oldest_received_at or state.learned_at, state.learned_at)
        # An alert without an end never expires.
        if state.ends_at:
            expires_at = min(expires_at or state.ends_at, state.ends_at)
    return msgspec.structs.replace(
        incident,
        alerts=incident.alerts | states,
        summary=incidents.AlertSummary(
            summary.fires + len(states), oldest_received_at, expires_at, summary.oldest_tombstone_at
        ),
        asks=(_with_more(ask, states.values()),),
        changed_at=now,
    )


def _takes_more(incident: incidents.Incident, count: int, now: Timestamp) -> bool:
    """Return whether new alerts of an incident's only rule change nothing but its alerts and its counts."""
    if incident.status != "open" or len(incident.asks) != 1 or incident.muted or incident.held_alerts:
        return False
    # The incident is about to end.
    if incident.quiet is not None or not incident.still_fires:
        return False
    (ask,) = incident.asks
    # The alert that leads may have to change, or the severity.
    if ask.response is not incident.response or ask.alert is not incident.opening_alert:
        return False
    # The severity follows the alerts that fire, so all of them count.
    if ask.response.follows_severity:
        return False
    # The ask may still join, or raise the severity.
    if not ask.is_joined or not ask.since or ask.fires <= 0 or ask.severity > incident.severity:
        return False
    acknowledgement = incident.interventions.acknowledgement
    # The acknowledgement ends, because it is of a lower severity.
    if acknowledgement is not None and not acknowledgement.ended_at and acknowledgement.severity < incident.severity:
        return False
    return len(incident.alerts) + count < fold.MAX_HELD_ALERTS and not fold.has_old_tombstones(incident, now)


def _belongs(routed: decisions.Routed, ask: asks.Ask, now: Timestamp) -> bool:
    """Return whether a message of a new alert belongs to an ask, and is no worse than its other alerts."""
    response = routed.decision.response
    return (
        _is_plain(routed, now)
        and response is not None
        and routed.decision.severity <= ask.severity
        and asks.is_equal(ask.response, response)
        and routed.alert.is_test == ask.alert.is_test
    )


def _is_plain(routed: decisions.Routed, now: Timestamp) -> bool:
    """Return whether an alert fires, isn't a heartbeat, and was received by a clock that isn't ahead."""
    response = routed.decision.response
    if response is None or response.timing.heartbeat or routed.alert.status != "firing":
        return False
    return 0 < routed.received_at <= now


def _state(routed: decisions.Routed, ask: int) -> alert_states.AlertState:
    response = routed.decision.response
    affects = affected_components.find_affected(routed) if response is not None and response.targets else ()
    return alert_states.message_of(routed, routed.received_at, ask=ask, affects=affects)


def _with_more(ask: asks.Ask, states: Collection[alert_states.AlertState]) -> asks.Ask:
    since = min(ask.since, *(state.learned_at for state in states))
    return asks.Ask(
        ask.id, ask.response, ask.alert, ask.began_at, since, ask.fires + len(states), ask.severity, is_joined=True
    )
