"""PagerDuty's webhooks, beyond the contract's cases."""

import pytest

from router.sources import base, pagerduty, reading

NOW = 1_772_450_000_000_000


def parse(kind: str = "incident.triggered", at: str = "", **incident) -> base.Parsed:
    data = {"id": "Q", "type": "incident", "status": "triggered", **incident}
    return pagerduty.read(
        reading.Reading("here", NOW), {"event": {"event_type": kind, "occurred_at": at, "data": data}}
    )


def parse_one(*arguments, **incident):
    return parse(*arguments, **incident).alerts[0]


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "event", "this is not a PagerDuty webhook"),
        ({"messages": []}, "event", "create a webhook subscription of version 3"),
        ({"event": {}}, "event.event_type", "missing or empty"),
        ({"event": {"event_type": "incident.resolved"}}, "event.data", "missing"),
        ({"event": {"event_type": "incident.resolved", "data": {"type": "incident"}}}, "event.data.id", "missing"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        pagerduty.read(reading.Reading("here", NOW), body)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("kind", "status", "expected"),
    [
        ("incident.triggered", "triggered", "firing"),
        ("incident.acknowledged", "acknowledged", "firing"),
        ("incident.reopened", "triggered", "firing"),
        ("incident.priority_updated", "triggered", "firing"),
        ("incident.priority_updated", "resolved", "resolved"),
        ("incident.resolved", "resolved", "resolved"),
        ("incident.resolved", None, "resolved"),
        ("incident.of_next_year", "acknowledged", "firing"),
    ],
)
def test_incident_fires_until_it_is_resolved(kind, status, expected):
    assert parse_one(kind, status=status).status == expected


@pytest.mark.parametrize(
    ("kind", "type_"),
    [("incident.annotated", "incident_note"), ("service.updated", "service"), ("incident.annotated", None)],
)
def test_unrelated_event_makes_no_alert(kind, type_):
    parsed = parse(kind, type=type_)
    assert parsed.alerts == []
    assert kind in parsed.about["no_alert"]


def test_event_order_follows_their_own_times():
    fired, over = parse_one(at="2026-03-02T09:15:30Z"), parse_one("incident.resolved", at="2026-03-02T09:15:31Z")
    again = parse_one("incident.reopened", at="2026-03-02T09:15:32Z")
    assert fired.starts_at < over.starts_at == over.ends_at < again.starts_at
    assert parse_one().starts_at == NOW


@pytest.mark.parametrize(
    ("incident", "severity"),
    [
        ({"priority": {"summary": "P2"}, "urgency": "high"}, "P2"),
        ({"priority": None, "urgency": "low"}, "low"),
        ({"priority": "P2", "urgency": "low"}, "low"),
        ({}, ""),
    ],
)
def test_severity_is_the_priority_or_urgency(incident, severity):
    assert parse_one(**incident).severity == severity


def test_labels_are_the_service_and_the_teams():
    assert parse_one(service={"id": "P", "summary": "s"}, teams=[{"summary": "a"}, {"summary": "b"}, None]).labels == {
        "service": "s",
        "service_id": "P",
        "team": "a, b",
    }
    assert parse_one(service=None, teams={"summary": "a"}).labels == {}


def test_changing_details_are_annotations():
    assert parse_one(
        "incident.resolved", escalation_policy={"summary": "e"}, number=7, resolve_reason=None
    ).annotations == {
        "event_type": "incident.resolved",
        "escalation_policy": "e",
        "status": "triggered",
        "number": "7",
    }
