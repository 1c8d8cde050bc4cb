"""Ends episodes that were over before their data were restored to an earlier state. Pure functions.

The restored document says that the episode is open. Alerts that were received after the loss count as firing. The
document's states of other alerts are as old as the backup.
"""

from collections.abc import Collection

import msgspec

from router.domain import alert_states, incidents, timeline, timing
from router.domain.times import Timestamp


def record_received(incident: incidents.Incident, names: Collection[str], lost_at: Timestamp) -> incidents.Incident:
    """Record that these alerts were received after the loss, which a mere repeat would not record."""
    states = {name: incident.alerts[name] for name in names if name in incident.alerts}
    late = {
        name: msgspec.structs.replace(state, learned_at=lost_at)
        for name, state in states.items()
        if state.learned_at < lost_at
    }
    return msgspec.structs.replace(incident, alerts={**incident.alerts, **late}) if late else incident


def end_episode(
    incident: incidents.Incident, *, lost_at: Timestamp, now: Timestamp, episode: str
) -> incidents.Incident:
    """End the open episode, and open the next one if an alert has fired since the loss.

    An alert that ends here counts as expired: its next message makes it fire again, whatever its start.
    """
    alerts = {name: _end_state(state, lost_at, now) for name, state in incident.alerts.items()}
    firing = {name for name, state in alerts.items() if not state.resolved}
    over = timing.recount(incident, alerts, alerts.values())
    held_alerts = {name: routed for name, routed in over.held_alerts.items() if name in firing}
    over = msgspec.structs.replace(over, held_alerts=held_alerts, follows=None, closed_at=now, ended_at=now)
    if firing:
        return timing.open_episode(over, now=now, episode=episode, at_once=True)
    over = _without_retrospective(over)
    return msgspec.structs.replace(over, status="closed", quiet=None, changed_at=now)


def add_ended_episode(incident: incidents.Incident, *, now: Timestamp, episode: str) -> incidents.Incident:
    """Add an episode that ends immediately to a closed incident, because another of its items is open at a vendor."""
    return msgspec.structs.replace(
        _without_retrospective(incident),
        generation=incident.generation + 1,
        episode=episode,
        opened_at=now,
        closed_at=now,
        changed_at=now,
        follows=None,
        interventions=msgspec.structs.replace(incident.interventions, verdicts={}),
    )


def build_events(destinations: Collection[str], after: incidents.Incident, now: Timestamp) -> list[timeline.Event]:
    """Return the timeline events of an episode that was over and, if there is one, of the next episode's opening."""
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


def _end_state(state: alert_states.AlertState, lost_at: Timestamp, now: Timestamp) -> alert_states.AlertState:
    instances = (state, *state.others)
    if all(instance.resolved for instance in instances) or any(
        not instance.resolved and instance.learned_at >= lost_at for instance in instances
    ):
        return state
    return msgspec.structs.replace(state, resolved=True, expired=True, ends_at=now, others=())


def _without_retrospective(incident: incidents.Incident) -> incidents.Incident:
    response = incident.response
    if response is None:
        return incident
    targets = tuple(msgspec.structs.replace(target, retrospective=False) for target in response.targets)
    return msgspec.structs.replace(incident, response=msgspec.structs.replace(response, targets=targets))
