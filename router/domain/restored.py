"""An episode that was over before its data were restored to an earlier state: pure.

The restored document says that the episode is open. Alerts that were heard of after the loss are believed to fire;
what the document says of the others is as old as the backup.
"""

from collections.abc import Collection

import msgspec

from router.domain import alert_states, incidents, timeline, timing


def heard(incident: incidents.Incident, names: Collection[str], lost_at: int) -> incidents.Incident:
    """Note that these alerts were heard of after the loss; a repeat alone would change nothing."""
    states = {name: incident.alerts[name] for name in names if name in incident.alerts}
    late = {
        name: msgspec.structs.replace(state, learned_at=lost_at)
        for name, state in states.items()
        if state.learned_at < lost_at
    }
    return msgspec.structs.replace(incident, alerts={**incident.alerts, **late}) if late else incident


def ended(incident: incidents.Incident, *, lost_at: int, now: int, episode: str) -> incidents.Incident:
    """End the open episode, and open the next one if an alert has fired since the loss.

    An alert that ended here counts as expired: its next message fires again, with whatever start.
    """
    alerts = {name: _ended(state, lost_at, now) for name, state in incident.alerts.items()}
    firing = {name for name, state in alerts.items() if not state.resolved}
    over = timing.recounted(incident, alerts, alerts.values())
    held_alerts = {name: routed for name, routed in over.held_alerts.items() if name in firing}
    over = msgspec.structs.replace(over, held_alerts=held_alerts, follows="", closed_at=now, ended_at=now)
    if firing:
        return timing.opened(over, now=now, episode=episode, at_once=True)
    over = _never_published_afterwards(over)
    return msgspec.structs.replace(over, status="closed", quiet_since=0, monitored_since=0, changed_at=now)


def ended_again(incident: incidents.Incident, *, now: int, episode: str) -> incidents.Incident:
    """Give a closed incident one more episode that is over at once: something more is open of it at a vendor."""
    return msgspec.structs.replace(
        _never_published_afterwards(incident),
        generation=incident.generation + 1,
        episode=episode,
        opened_at=now,
        closed_at=now,
        changed_at=now,
        verdicts={},
        follows="",
    )


def told(destinations: Collection[str], after: incidents.Incident, now: int) -> list[timeline.Event]:
    """Tell that an episode was over, and that the next one began, if it did."""
    events = [
        timeline.Event(
            now,
            "closed",
            f"The data were restored to an earlier state. {name} shows that this incident was resolved since.",
            name,
        )
        for name in destinations
    ]
    return (
        [*events, *timeline.events_for_change(incidents.Incident(after.key), after, [], now)]
        if after.status == "open"
        else events
    )


def _ended(state: alert_states.AlertState, lost_at: int, now: int) -> alert_states.AlertState:
    instances = (state, *state.others)
    if all(one.resolved for one in instances) or any(
        not one.resolved and one.learned_at >= lost_at for one in instances
    ):
        return state
    return msgspec.structs.replace(state, resolved=True, expired=True, ends_at=now, others=())


def _never_published_afterwards(incident: incidents.Incident) -> incidents.Incident:
    response = incident.response
    if response is None:
        return incident
    targets = tuple(msgspec.structs.replace(target, retrospective=False) for target in response.targets)
    return msgspec.structs.replace(incident, response=msgspec.structs.replace(response, targets=targets))
