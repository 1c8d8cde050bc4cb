"""Sentry's webhooks, beyond the contract's cases."""

import pytest

from router.sources import base, reading, sentry

NOW = 1_772_450_000_000_000
BEFORE = 1_772_442_930


def parse(action: str, data: object, **settings) -> base.Parsed:
    source = sentry.Sentry(sentry.Config(auth="none", **settings))
    return source.read(reading.Reading("here", NOW), {"action": action, "data": data})


def event(**fields):
    return parse("triggered", {"event": {"issue_id": "7", "title": "t", **fields}}).alerts[0]


def issue(action: str, **fields) -> base.Parsed:
    return parse(action, {"issue": {"id": "7", "title": "t", **fields}})


def parse_metric_alert(action: str, **fields):
    return parse(action, {"metric_alert": {"id": "4", "title": "t", **fields}}).alerts[0]


@pytest.mark.parametrize(
    ("action", "data", "where", "problem"),
    [
        ("triggered", None, "data", "this is not a webhook of Sentry's"),
        ("triggered", {}, "data", "no metric_alert, event, or issue"),
        ("exploded", {"metric_alert": {"id": "1"}}, "action", "'exploded' is not one of critical, warning"),
        ("critical", {"metric_alert": 7}, "data.metric_alert", "an object"),
        ("critical", {"metric_alert": {}}, "data.metric_alert.id", "missing or empty"),
        ("created", {"event": {}}, "action", "alert on an event, triggered"),
        ("triggered", {"event": {"title": "t"}}, "data.event.issue_id", "missing or empty"),
        ("resolved", {"issue": None}, "data.issue", "missing"),
        ("resolved", {"issue": {"title": "t"}}, "data.issue.id", "missing or empty"),
    ],
)
def test_invalid_body_is_refused_with_its_field(action, data, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        parse(action, data)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_issue_end_also_ends_its_event_alerts():
    [over] = issue("resolved").alerts
    assert event().identity == over.identity == "here/issue/7"
    assert over.starts_at > event(received=BEFORE).starts_at


@pytest.mark.parametrize(
    ("action", "statuses"),
    [
        ("created", ["firing"]),
        ("unresolved", ["firing"]),
        ("resolved", ["resolved"]),
        ("archived", ["resolved"]),
        ("ignored", ["resolved"]),
        ("assigned", []),
        ("a word of next year's", []),
    ],
)
def test_issue_state_follows_its_actions(action, statuses):
    assert [alert.status for alert in issue(action).alerts] == statuses


def test_new_issues_can_be_ignored():
    assert parse("created", {"issue": {"id": "7"}}, new_issues="ignore").alerts == []
    assert parse("resolved", {"issue": {"id": "7"}}, new_issues="ignore").alerts
    assert parse("unresolved", {"issue": {"id": "7"}}, new_issues="ignore").alerts


@pytest.mark.parametrize(
    ("action", "status", "severity"),
    [
        ("critical", "firing", "critical"),
        ("warning", "firing", "warning"),
        ("open", "firing", ""),
        ("resolved", "resolved", ""),
    ],
)
def test_metric_alert_state_follows_its_action(action, status, severity):
    alert = parse_metric_alert(action, status=2)
    assert (alert.status, alert.severity, alert.fingerprint) == (status, severity, "metric/4")


def test_metric_alert_keeps_start_and_ends_when_closed():
    assert parse_metric_alert("warning", date_started="2026-03-02T09:15:30Z").starts_at == BEFORE * 1_000_000
    assert parse_metric_alert("warning", date_detected="2026-03-02T09:15:30Z").starts_at == BEFORE * 1_000_000
    assert parse_metric_alert("resolved", date_closed=None).ends_at == NOW
    assert parse_metric_alert("resolved", date_closed="2026-03-02T09:15:30Z").ends_at == BEFORE * 1_000_000


def test_metric_alert_is_named_by_its_rule():
    assert parse_metric_alert("warning", alert_rule={"name": "r"}).title == "r"
    assert parse_metric_alert("warning", alert_rule=None).title == "t"


def test_metric_alert_names_all_its_projects():
    assert parse_metric_alert("warning", projects=["a", None, "b"]).labels["project"] == "a,b"
    assert parse_metric_alert("warning", projects="a").labels == {"resource": "metric_alert"}


def test_issue_details_are_annotations():
    said = {"culprit": "c", "shortId": "OVEN-7", "substatus": "regressed"}
    assert issue("unresolved", **said).alerts[0].annotations == said


def test_start_time_is_never_in_the_future():
    assert event(timestamp=4_000_000_000).starts_at == NOW
    assert event(received=BEFORE, timestamp=4_000_000_000).starts_at == BEFORE * 1_000_000
    assert event(datetime="2026-03-02T09:15:30Z").starts_at == BEFORE * 1_000_000
    assert event().starts_at == NOW


def test_tags_are_annotations_without_personal_data():
    tags = [["env", "prod"], ["user", "id:7"], ["empty", None], ["three", "of", "them"], "odd", [["x"], "y"]]
    assert event(tags=tags).annotations == {"tag.env": "prod"}
    assert event(tags={"env": "prod"}).annotations == {}


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"project": 3, "url": "https://s.example/api/0/projects/org/oven/events/e/"}, {"project": "oven"}),
        ({"project": 3, "url": "https://s.example/e/"}, {"project": "3"}),
        ({"environment": "prod"}, {"environment": "prod"}),
        ({"tags": [["environment", "prod"]]}, {"environment": "prod"}),
        ({"platform": "python"}, {"platform": "python"}),
    ],
)
def test_labels_are_constant_over_events(fields, labels):
    assert event(**fields).labels == {"resource": "event_alert", **labels}


@pytest.mark.parametrize("name", ["comment", "error", "installation"])
def test_other_messages_are_accepted_without_alerts(name):
    parsed = parse("created", {name: "x"})
    assert parsed.alerts == []
    assert "neither an alert nor an issue" in parsed.about["no_alert"]


def test_link_opens_the_event_or_issue():
    assert event(web_url="w", issue_url="i").link == "w"
    assert event(issue_url="i").link == "i"
    assert issue("resolved", permalink="p").alerts[0].link == "p"
