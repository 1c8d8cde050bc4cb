"""Reminds operators of incidents that stay open and unacknowledged, and of acknowledgements that have become stale.

Example: ``acknowledgement: {remind_every: 15m, stale_after: 4h}``, and an incident that opens at 10:00.

| time | what happens |
| --- | --- |
| 10:15 | ``incident.reminded`` |
| 10:20 | an operator acknowledges the incident: reminders stop |
| 14:20 | the acknowledgement is stale: ``incident.reminded`` |
| 14:35 | ``incident.reminded`` |
| 14:40 | the severity is raised, so the acknowledgement ends: reminders start over |
| 14:55 | ``incident.reminded`` |

If no worker runs for an hour, one reminder is sent afterwards. While no alert fires, no reminder is sent.
"""

from typing import NamedTuple

from router.domain import events, incidents, review_reminders
from router.domain.times import Timestamp


class IncidentReminder(NamedTuple):
    """The event, the state to store, and when to look again (microseconds; 0 for never)."""

    found: events.IncidentReminded | None
    after: review_reminders.Reminder | None
    due: int


def stale_at(incident: incidents.Incident) -> Timestamp:
    """Return when the acknowledgement becomes stale, in microseconds; 0 if there is none, or if it never does."""
    acknowledgement, response = incident.acknowledged, incident.response
    stale_after = response.reminders.stale_after if response is not None else 0
    return Timestamp(acknowledgement.at + stale_after if acknowledgement is not None and stale_after else 0)


def is_stale(incident: incidents.Incident, now: Timestamp) -> bool:
    """Return whether the acknowledgement that holds no longer stops reminders."""
    return 0 < stale_at(incident) <= now


def remind(
    before: review_reminders.Reminder | None, incident: incidents.Incident, subject: events.Incident, now: Timestamp
) -> IncidentReminder:
    """Return the reminder that is due."""
    response = incident.response
    if incident.status != "open" or response is None or not incident.still_fires:
        return IncidentReminder(None, before, 0)
    every, stale_after = response.reminders.remind_every, response.reminders.stale_after
    acknowledgement, acknowledged = incident.interventions.acknowledgement, incident.acknowledged
    if acknowledged is not None and not stale_after:
        return IncidentReminder(None, None, 0)
    if acknowledged is not None:
        # The acknowledgement counts as a reminder that was answered: the first one after it is due when it is stale.
        since = first = stale_at(incident)
    else:
        since = acknowledgement.ended_at if acknowledgement is not None else incident.opened_at
        first = Timestamp(since + every)
    if not every and acknowledged is None:
        return IncidentReminder(None, None, 0)
    was = before if before is not None and before.since == since else review_reminders.Reminder(since)
    count = was.count
    if now >= first:
        count = max(count, 1 + ((now - first) // every if every else 0))
    after = review_reminders.Reminder(since, count)
    due = first + count * every if every or not count else 0
    if count == was.count:
        return IncidentReminder(None, after, due)
    open_seconds = max(0, now - incident.opened_at) // 1_000_000
    incident_reminded = events.IncidentReminded(
        subject, "unacknowledged" if acknowledged is None else "stale", open_seconds
    )
    return IncidentReminder(incident_reminded, after, due)
