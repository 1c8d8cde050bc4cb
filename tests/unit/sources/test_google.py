"""Google's notifications, beyond the contract's cases."""

import pytest

from router.sources import base, google, reading

NOW = 1_772_450_000_000_000


def parse(version: str = "1.2", **incident) -> base.Parsed:
    return google.read(
        reading.Reading("here", NOW),
        {"version": version, "incident": {"incident_id": "i", "state": "open", **incident}},
    )


def parse_one(**incident):
    return parse(**incident).alerts[0]


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "incident", "not a notification of Google Cloud Monitoring"),
        ({"incident": []}, "incident", "an object"),
        ({"incident": {}}, "incident.state", "'' is neither open nor closed"),
        ({"incident": {"state": "ajar"}}, "incident.state", "'ajar' is neither"),
        ({"incident": {"state": "open"}}, "incident.incident_id", "missing or empty"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        google.read(reading.Reading("here", NOW), body)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_channel_test_makes_no_alert():
    parsed = parse(version="test", state="OPEN")
    assert parsed.alerts == []
    assert "a test" in parsed.about["no_alert"]


@pytest.mark.parametrize(
    ("sent", "severity"),
    [("Critical", "Critical"), ("warning", "warning"), ("No severity", ""), ("no severity", ""), (None, ""), ([], "")],
)
def test_severity_is_google_s_name_or_empty(sent, severity):
    assert parse_one(severity=sent).severity == severity


@pytest.mark.parametrize("end", [None, 0])
def test_closed_incident_without_end_ends_now(end):
    assert parse_one(ended_at=end).ends_at == 0
    assert parse_one(ended_at=end, state="CLOSED").ends_at == NOW
    assert parse_one(started_at=end).starts_at == NOW


def test_specific_label_overrides_the_general_one():
    def labels(**incident):
        return parse_one(**incident).labels

    metadata, resource = {"user_labels": {"a": "1", "b": "1"}}, {"labels": {"b": "2", "c": "2"}, "type": "t"}
    metric, policy = {"labels": {"c": "3", "d": "3"}, "type": "m"}, {"d": "4", "policy": "mine"}
    found = labels(metadata=metadata, resource=resource, metric=metric, policy_user_labels=policy, policy_name="p")
    assert found == {"a": "1", "b": "2", "c": "3", "d": "4", "policy": "p", "resource_type": "t", "metric": "m"}


@pytest.mark.parametrize("odd", [None, "x", 7, [], ["x"]])
def test_malformed_metadata_gives_no_labels(odd):
    assert parse_one(metadata=odd, resource=odd, metric=odd, policy_user_labels=odd).labels == {}


@pytest.mark.parametrize(
    ("documentation", "annotations"),
    [
        ("text", {"description": "text"}),
        ({"content": "text", "subject": "s", "links": [{"url": "u"}]}, {"description": "text", "subject": "s"}),
        ({}, {}),
        ([], {}),
        (None, {}),
    ],
)
def test_documentation_text_becomes_the_description(documentation, annotations):
    assert parse_one(documentation=documentation).annotations == annotations


def test_title_is_the_policy_s_or_condition_s_name():
    assert parse_one(policy_name="p", condition_name="c").title == "p"
    assert parse_one(condition_name="c").title == "c"
