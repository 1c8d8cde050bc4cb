"""New Relic's workflow webhook, beyond the contract's cases."""

import pytest

from router.sources import base, newrelic, reading

NOW = 1_772_450_000_000_000


def parse_one(**body):
    return newrelic.read(reading.Reading("here", NOW), {"id": "i", "state": "ACTIVATED", **body}).alerts[0]


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "state", "use the template that New Relic offers"),
        ({"current_state": "open", "incident_id": 1}, "state", "the old notification channels"),
        ({"state": "CLOSED"}, "id", "the payload must contain the issue's ID"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        newrelic.read(reading.Reading("here", NOW), body)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("CREATED", "firing"),
        ("ACTIVATED", "firing"),
        ("ACKNOWLEDGED", "firing"),
        ("a word of next year's", "firing"),
        ("CLOSED", "resolved"),
        ("closed", "resolved"),
    ],
)
def test_issue_fires_until_it_is_closed(state, status):
    assert parse_one(state=state).status == status


def test_closed_incident_does_not_end_its_issue():
    alert = parse_one(trigger="INCIDENT_CLOSED", updatedAt=1_772_442_930_000)
    assert (alert.status, alert.ends_at) == ("firing", 0)


def test_issue_starts_at_creation_and_ends_at_update():
    alert = parse_one(state="CLOSED", createdAt=1_772_442_930_000, updatedAt="1772444730000")
    assert (alert.starts_at, alert.ends_at) == (1_772_442_930_000_000, 1_772_444_730_000_000)
    assert (parse_one(state="CLOSED").starts_at, parse_one(state="CLOSED").ends_at) == (NOW, NOW)


@pytest.mark.parametrize(
    ("names", "label"),
    [(["a", "b"], "a, b"), (["a", None, ""], "a"), ("a", "a"), ([], None), (None, None), ([{"x": 1}], None)],
)
def test_several_policies_are_joined_in_one_label(names, label):
    assert parse_one(alertPolicyNames=names).labels.get("policy") == label


def test_priority_is_the_severity_and_issue_the_link():
    alert = parse_one(priority="HIGH", issueUrl="u", title=["t"])
    assert (alert.severity, alert.link, alert.title) == ("HIGH", "u", "t")
