"""Grafana's webhook, beyond the contract's cases."""

import json

import pytest

from router.sources import alertmanager, base, grafana, objects, reading

NOW = 1_772_450_000_000_000


def parse(*alerts: dict, **top) -> base.Parsed:
    return grafana.read(reading.Reading("here", NOW), json.loads(json.dumps({"version": "1", "alerts": alerts, **top})))


def parse_one(**fields):
    return parse({"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "f", **fields}).alerts[0]


def expect_refusal(**top) -> base.Unparsable:
    with pytest.raises(base.Unparsable) as caught:
        grafana.read(reading.Reading("here", NOW), top)
    return caught.value


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({"version": "4", "alerts": []}, "version", "use a source of kind alertmanager"),
        ({"ruleId": 7, "state": "alerting"}, "version", "use unified alerting"),
        ({"evalMatches": [], "state": "ok"}, "version", "use unified alerting"),
        ({"text": "x"}, "version", "use a source of kind json"),
        ({"version": "2"}, "version", "'2' is not Grafana's"),
        ({"version": "1"}, "alerts", "a list of alerts"),
        ({"version": "1", "alerts": {}}, "alerts", "a list of alerts"),
        ({"version": "1", "alerts": [7]}, "alerts[0]", "an object"),
        ({"version": "1", "alerts": [{"status": "pending"}]}, "alerts[0].status", "firing or resolved"),
        ({"version": "1", "alerts": [{"status": "firing"}]}, "alerts[0].labels", "missing"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    error = expect_refusal(**body)
    assert error.where == where
    assert problem in error.problem


@pytest.mark.parametrize(
    ("labels", "annotations", "title"),
    [
        ({"alertname": "a"}, {"summary": "s", "title": "t"}, "s"),
        ({"alertname": "a"}, {"title": "t"}, "t"),
        ({"alertname": "a"}, {"description": "d"}, "a"),
        ({}, {"description": "d"}, "d"),
        ({"alertname": "DatasourceNoData", "rulename": "r"}, {"grafana_state_reason": "NoData"}, "r (NoData)"),
        ({"alertname": "DatasourceError"}, {"summary": "s", "grafana_state_reason": "Error"}, "s (Error)"),
        ({"alertname": "a"}, {"summary": "s", "grafana_state_reason": "Paused"}, "s"),
    ],
)
def test_title_contains_missing_data_and_errors(labels, annotations, title):
    assert parse_one(labels=labels, annotations=annotations).title == title


def test_missing_data_alert_differs_from_the_rule_s():
    rule = parse_one(labels={"alertname": "A"}, fingerprint="")
    missing = parse_one(labels={"alertname": "DatasourceNoData", "rulename": "A"}, fingerprint="")
    assert rule.fingerprint != missing.fingerprint


def test_rule_uid_links_both_alerts():
    alert = parse_one(ruleUID="u1", fingerprint="")
    assert alert.labels == {"alertname": "A", "rule_uid": "u1"}
    assert alert.fingerprint == alertmanager.fingerprint({"alertname": "A"})


@pytest.mark.parametrize(
    ("fields", "link"),
    [
        ({"generatorURL": "https://g/1", "panelURL": "https://g/2", "dashboardURL": "https://g/3"}, "https://g/1"),
        ({"generatorURL": "", "panelURL": "https://g/2", "dashboardURL": "https://g/3"}, "https://g/2"),
        ({"dashboardURL": "https://g/3"}, "https://g/3"),
        ({"generatorURL": "?orgId=1"}, "https://g/sub/?orgId=1"),
        ({"generatorURL": "javascript:alert(1)", "panelURL": "/p"}, "https://g/p"),
        ({}, "https://g/sub/"),
    ],
)
def test_link_is_the_most_specific_url(fields, link):
    parsed = parse({"status": "firing", "labels": {"a": "b"}, **fields}, externalURL="https://g/sub/")
    assert parsed.alerts[0].link == link


def test_links_and_values_are_annotations_by_default():
    sent = {"silenceURL": "s", "dashboardURL": "d", "panelURL": "p", "imageURL": "i", "valueString": "v"}
    assert parse_one(**sent, annotations={"dashboard_url": "mine"}).annotations == {
        "silence_url": "s",
        "dashboard_url": "mine",
        "panel_url": "p",
        "image_url": "i",
        "values": "v",
    }


def test_empty_values_and_annotations_are_omitted():
    alert = parse_one(values=None, valueString="", annotations=None, dashboardURL=None)
    assert alert.annotations == {}


def test_only_resolved_alerts_have_an_end():
    assert parse_one(endsAt="2030-01-01T00:00:00Z").ends_at == 0
    assert parse_one(status="resolved", endsAt="0001-01-01T00:00:00Z").ends_at == NOW
    assert parse_one(status="resolved").starts_at == NOW


def test_only_invalid_alerts_are_quarantined():
    good = {"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "good"}
    bad = {"status": "broken", "labels": {"alertname": "B"}}
    parsed = parse(good, bad, {**good, "status": 7}, receiver="r", truncatedAlerts=2)
    assert [alert.fingerprint for alert in parsed.alerts] == ["good"]
    assert (parsed.rejected.where, parsed.truncated) == ("alerts[1].status", 2)
    assert parsed.rejected.problem.endswith("expected firing or resolved (and 1 more)")
    alone = json.loads(parsed.rejected.body)
    assert (alone["alerts"], alone["receiver"]) == ([bad, {**good, "status": 7}], "r")
    assert expect_refusal(**alone).where == "alerts[0].status"
    assert parse(good).rejected is None


@pytest.mark.parametrize(("sent", "truncated"), [(41, 41), (0, 0), (-3, 0), ("7", 0), (None, 0)])
def test_alerts_truncated_by_grafana_are_counted(sent, truncated):
    assert parse(truncatedAlerts=sent).truncated == truncated


def test_delivery_details_are_kept():
    assert parse(receiver="r", groupKey="g", orgId=3).about == {"receiver": "r", "group_key": "g", "org": "3"}


def test_invalid_labels_are_ignored_beside_a_fingerprint():
    parsed = objects.Source("here", grafana.read).parse(
        json.dumps({"version": "1", "alerts": [{"status": "firing", "labels": ["a"], "fingerprint": "f"}]}).encode(),
        {},
        NOW,
    )
    assert [(alert.fingerprint, alert.labels) for alert in parsed.alerts] == [("f", {})]
    assert [(notice.code, notice.where, notice.fingerprint) for notice in parsed.notices] == [
        ("field_ignored", "alerts[0].labels", "f")
    ]
    assert expect_refusal(version="1", alerts=[{"status": "firing", "labels": ["a"]}]).where == "alerts[0].labels"
