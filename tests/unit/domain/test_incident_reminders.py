"""Operators are reminded of open incidents until they acknowledge them, and again when the acknowledgement is stale."""

import msgspec
import pytest

from router.domain import (
    acknowledgements,
    alerts,
    announcements,
    decisions,
    events,
    incident_reminders,
    incidents,
    severities,
)

MINUTE = 60_000_000
OPENED = 1_800_000_000_000_000
BOTH = decisions.Reminders(15 * MINUTE, 240 * MINUTE)
MAJOR = severities.Severity.MAJOR


def make_incident(reminders: decisions.Reminders = BOTH, **changes) -> incidents.Incident:
    alert = alerts.Alert("am", "f1", "firing", OPENED, 0, title="Checkout is down")
    response = decisions.Response("r", "rules/a.yaml:1", "v1", reminders=reminders)
    incident = incidents.Incident(
        "down", "open", 1, "e1", MAJOR, OPENED, response=response, opening_alert=alert, changed_at=OPENED
    )
    incident = msgspec.structs.replace(incident, summary=incidents.AlertSummary(1))
    decided = {name: changes.pop(name) for name in incidents.Interventions.__struct_fields__ if name in changes}
    return msgspec.structs.replace(incidents.with_interventions(incident, **decided), **changes)


def make_acknowledgement(minute: float, **more) -> acknowledgements.Acknowledgement:
    return acknowledgements.Acknowledgement("ada", int(OPENED + minute * MINUTE), MAJOR, **more)


def list_causes(*looks: tuple[float, incidents.Incident]) -> list[str]:
    """Evaluate an incident at these minutes after it opened. Return the cause of each reminder, or an empty text."""
    before, found = None, []
    for minute, incident in looks:
        now = int(OPENED + minute * MINUTE)
        reminded = incident_reminders.remind(before, incident, announcements.about(incident), now)
        before = reminded.after
        found.append(reminded.found.cause if reminded.found is not None else "")
        assert not reminded.due or reminded.due > now
    return found


def test_unacknowledged_incident_reminds_every_period():
    incident = make_incident()
    looks = [(minute, incident) for minute in (0, 14.9, 15, 15.1, 29, 30, 100, 101)]
    assert list_causes(*looks) == ["", "", "unacknowledged", "", "", "unacknowledged", "unacknowledged", ""]


def test_acknowledgement_stops_reminders_until_stale():
    one, held = make_incident(), make_incident(acknowledgement=make_acknowledgement(20))
    looks = [(15, one), (21, held), (100, held), (259.9, held), (260, held), (261, held), (275, held)]
    assert list_causes(*looks) == ["unacknowledged", "", "", "", "stale", "", "stale"]


def test_acknowledgement_without_stale_after_stops_reminders():
    incident = make_incident(decisions.Reminders(15 * MINUTE), acknowledgement=make_acknowledgement(1))
    assert list_causes((15, incident), (10_000, incident)) == ["", ""]


def test_stale_acknowledgement_reminds_once_without_period():
    rule = decisions.Reminders(stale_after=60 * MINUTE)
    incident = make_incident(rule, acknowledgement=make_acknowledgement(5))
    assert list_causes((60, make_incident(rule)), (64, incident), (65, incident), (500, incident)) == [
        "",
        "",
        "stale",
        "",
    ]


def test_ended_acknowledgement_restarts_the_reminder_period():
    ended = make_acknowledgement(20, ended_at=int(OPENED + 40 * MINUTE), ended_cause="withdrawn")
    incident = make_incident(acknowledgement=ended)
    assert list_causes((15, make_incident()), (41, incident), (54, incident), (55, incident)) == [
        "unacknowledged",
        "",
        "",
        "unacknowledged",
    ]


@pytest.mark.parametrize("changes", [{"summary": incidents.AlertSummary()}, {"status": "closed"}, {"response": None}])
def test_incident_without_firing_alerts_sends_no_reminder(changes):
    incident = make_incident(**changes)
    reminded = incident_reminders.remind(None, incident, announcements.about(make_incident()), OPENED + 60 * MINUTE)
    assert (reminded.found, reminded.due) == (None, 0)


def test_rule_without_reminders_sends_none():
    assert list_causes((10_000, make_incident(decisions.Reminders()))) == [""]


def test_reminder_contains_the_incident_s_open_duration():
    incident = make_incident()
    reminded = incident_reminders.remind(None, incident, announcements.about(incident), OPENED + 16 * MINUTE)
    assert isinstance(reminded.found, events.IncidentReminded)
    assert (reminded.found.open_seconds, reminded.due) == (960, OPENED + 30 * MINUTE)
