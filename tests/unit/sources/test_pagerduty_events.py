"""PagerDuty's Events API, beyond the contract's cases."""

import pytest

from router.sources import base, pagerduty_events, reading

NOW = 1_772_450_000_000_000


def parse(now: int = NOW, **body) -> base.Parsed:
    return pagerduty_events.read(reading.Reading("here", now), body)


def parse_trigger(payload: dict | None = None, **body):
    whole = {"summary": "s", "source": "h", "severity": "error", **(payload or {})}
    return parse(event_action="trigger", payload=whole, **body).alerts[0]


def expect_refusal(**body) -> base.Unparsable:
    with pytest.raises(base.Unparsable) as caught:
        parse(**body)
    return caught.value


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({}, "event_action", "missing: send one of trigger, acknowledge, and resolve"),
        ({"event_action": "escalate"}, "event_action", "'escalate' is not one of trigger"),
        ({"event_action": "trigger"}, "payload", "missing: required for a trigger"),
        ({"event_action": "trigger", "payload": "x"}, "payload", "expected an object"),
        ({"event_action": "trigger", "payload": {"source": "h"}}, "payload.summary", "missing or empty"),
        ({"event_action": "resolve"}, "dedup_key", "resolve must name its subject"),
        ({"event_action": "acknowledge", "dedup_key": ""}, "dedup_key", "acknowledge must name"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    error = expect_refusal(**body)
    assert error.where == where
    assert problem in error.problem


def test_long_action_text_is_not_repeated():
    assert len(expect_refusal(event_action="x" * 5000).problem) < 200


def test_every_event_returns_its_dedup_key():
    payload = {"summary": "s", "source": "h", "severity": "info"}
    assert parse(event_action="trigger", dedup_key="k", payload=payload).about == {"dedup_key": "k"}
    assert parse(event_action="resolve", dedup_key="k").about == {"dedup_key": "k"}
    assert parse(event_action="acknowledge", dedup_key="k").about["dedup_key"] == "k"
    derived = parse(event_action="trigger", payload=payload)
    assert derived.about == {"dedup_key": derived.alerts[0].fingerprint}


def test_acknowledgement_makes_no_alert():
    parsed = parse(event_action="acknowledge", dedup_key="k")
    assert parsed.alerts == []
    assert "acknowledgement" in parsed.about["no_alert"]


def test_event_without_key_is_identified_by_content():
    assert parse_trigger().fingerprint == parse_trigger(routing_key="changed").fingerprint
    others = {parse_trigger(payload).fingerprint for payload in ({}, {"summary": "t"}, {"source": "i"}, {"class": "c"})}
    assert len(others) == 4


def test_derived_key_resolves_its_alert():
    key = parse(event_action="trigger", payload={"summary": "s", "source": "h"}).about["dedup_key"]
    assert parse(event_action="resolve", dedup_key=key).alerts[0].fingerprint == key


def test_arrival_order_decides_despite_event_times():
    late = parse_trigger({"timestamp": "2030-01-01T00:00:00Z"}, dedup_key="k")
    assert late.starts_at == NOW
    assert late.annotations["timestamp"] == "2030-01-01T00:00:00Z"
    over = parse(now=NOW + 1, event_action="resolve", dedup_key="k").alerts[0]
    assert (over.starts_at, over.ends_at) == (NOW + 1, NOW + 1)


@pytest.mark.parametrize(
    ("details", "annotations"),
    [
        ({"a": 1, "b": {"c": 2}}, {"a": "1", "b": '{"c":2}'}),
        ("all is lost", {"details": "all is lost"}),
        (["x"], {"details": '["x"]'}),
        (None, {}),
    ],
)
def test_custom_details_of_any_type_are_annotations(details, annotations):
    assert parse_trigger({"custom_details": details}).annotations == annotations


@pytest.mark.parametrize(
    ("body", "link"),
    [
        ({"links": [{"href": "a"}, {"href": "b"}], "client_url": "c"}, "a"),
        ({"links": [], "client_url": "c"}, "c"),
        ({"links": ["a"], "client_url": "c"}, "c"),
        ({"links": {"href": "a"}}, ""),
        ({}, ""),
    ],
)
def test_link_is_the_event_s_first_or_its_client_s(body, link):
    assert parse_trigger(**body).link == link


def test_trigger_without_severity_or_source_is_accepted():
    alert = parse(event_action="trigger", dedup_key="k", payload={"summary": "s"}).alerts[0]
    assert (alert.severity, alert.labels) == ("", {})


def test_alert_never_contains_the_routing_key():
    assert "r0ut1ng" not in repr(parse_trigger(routing_key="r0ut1ng"))
