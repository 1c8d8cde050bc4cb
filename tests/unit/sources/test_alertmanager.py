"""Alertmanager's webhook, beyond the contract's cases."""

import json

import msgspec
import pytest

from router.sources import alertmanager, base

NOW = 1_772_450_000_000_000
SOURCE = alertmanager.Alertmanager("prod")


def body(*alerts: dict, **top) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts, **top}).encode()


def alert(**fields) -> dict:
    return {"status": "firing", "labels": {"alertname": "A"}, "fingerprint": "f", **fields}


def parse_one(**fields):
    return SOURCE.parse(body(alert(**fields)), {}, NOW).alerts[0]


def expect_refusal(raw: bytes) -> base.Unparsable:
    with pytest.raises(base.Unparsable) as caught:
        SOURCE.parse(raw, {}, NOW)
    return caught.value


@pytest.mark.parametrize(
    ("raw", "where", "problem"),
    [
        (body(version="1"), "version", "'1' is not Alertmanager's version '4'"),
        (body(version="3", groupKey=2**60), "version", "'3' is not"),
        (body(version=4), "version", "4 is not Alertmanager's version '4'"),
        (b'{"alerts":[]}', "version", "use a source of kind json"),
        (b'{"title":"x"}', "version", "use a source of kind json"),
        (body(version=None), "version", "use a source of kind json"),
        (b'{"version":"4"}', "", "missing required field `alerts`"),
        (b"[]", "", "Expected `object`, got `array`"),
        (body(alerts={}), "alerts", "Expected `array`, got `object`"),
        (body(alert(status="pending"), 7), "alerts[0].status", "firing or resolved"),
        (body({"status": "firing"}), "alerts[0].labels", "missing"),
        (body({"status": "firing", "labels": ["a"]}), "alerts[0].labels", "expected an object"),
        (body(7), "alerts[0]", "Expected `object`, got `int`"),
        (b"", "", "the body is empty"),
        (b"alerts=1", "", "the body has to be JSON"),
        (b'{"version":"4","alerts":[{"labels":{"\xff":""}}]}', "alerts[0]", "not UTF-8"),
    ],
)
def test_invalid_body_is_refused_with_its_field(raw, where, problem):
    error = expect_refusal(raw)
    assert error.where == where
    assert problem in error.problem


@pytest.mark.parametrize(
    ("bad", "where", "problem"),
    [
        (alert(status="pending"), "alerts[1].status", "firing or resolved"),
        ({"status": "firing"}, "alerts[1].labels", "missing"),
        (alert(fingerprint="", labels=7), "alerts[1].labels", "expected an object"),
        (7, "alerts[1]", "Expected `object`, got `int`"),
    ],
)
def test_only_the_invalid_alert_is_quarantined(bad, where, problem):
    parsed = SOURCE.parse(body(alert(), bad, alert(fingerprint="g"), receiver="r", truncatedAlerts=3), {}, NOW)
    assert [found.fingerprint for found in parsed.alerts] == ["f", "g"]
    assert parsed.about["receiver"] == "r"
    assert parsed.truncated == 3
    assert parsed.rejected.where == where
    assert problem in parsed.rejected.problem
    alone = json.loads(parsed.rejected.body)
    assert (alone["alerts"], alone["receiver"]) == ([bad], "r")
    assert expect_refusal(parsed.rejected.body).where == where.replace("[1]", "[0]")


def test_good_alerts_are_unaffected_by_a_bad_one():
    group = {"routeLabels": {"tier": "gold"}, "externalURL": "https://am.example"}
    alone = SOURCE.parse(body(alert(endsAt="2030-01-01T00:00:00Z"), **group), {}, NOW)
    beside = SOURCE.parse(body(7, alert(endsAt="2030-01-01T00:00:00Z"), **group), {}, NOW)
    # Alerts without a start time keep their order.
    assert [msgspec.structs.replace(one, starts_at=NOW) for one in beside.alerts] == alone.alerts
    assert alone.rejected is None


def test_several_bad_alerts_are_counted():
    assert SOURCE.parse(body(1, alert(), 2, 3), {}, NOW).rejected.problem.endswith("(and 2 more)")


def test_long_version_text_is_not_repeated():
    assert len(expect_refusal(body(version="x" * 5000)).problem) < 200


@pytest.mark.parametrize(
    ("annotations", "labels", "title"),
    [
        ({"summary": "s", "title": "t", "description": "d"}, {"alertname": "a"}, "s"),
        ({"title": "t", "description": "d"}, {"alertname": "a"}, "t"),
        ({"description": "d"}, {"alertname": "a"}, "a"),
        ({"description": "d"}, {}, "d"),
        (None, {}, ""),
    ],
)
def test_title_is_the_best_available_text(annotations, labels, title):
    assert parse_one(annotations=annotations, labels=labels).title == title


def test_firing_alert_has_no_end_despite_predicted_one():
    assert parse_one(endsAt="2030-01-01T00:00:00Z").ends_at == 0


def test_severity_is_the_unchanged_label():
    assert parse_one(labels={"severity": "PAGE me"}).severity == "PAGE me"


def test_link_defaults_to_alertmanager_s_url():
    raw = body(alert(), alert(generatorURL="https://p.example/g"), externalURL="https://am.example")
    assert [found.link for found in SOURCE.parse(raw, {}, NOW).alerts] == ["https://am.example", "https://p.example/g"]


def test_empty_fingerprint_is_derived_as_in_alertmanager():
    labels = {"alertname": "alert1", "lbl1": "val1"}
    assert parse_one(labels=labels, fingerprint="").fingerprint == "fac0861a85de433a"


def test_route_labels_are_excluded_from_derived_fingerprints():
    raw = body(alert(fingerprint=""), routeLabels={"tier": "gold"})
    found = SOURCE.parse(raw, {}, NOW).alerts[0]
    assert found.labels == {"tier": "gold", "alertname": "A"}
    assert found.fingerprint == alertmanager.fingerprint({"alertname": "A"})


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ({}, "cbf29ce484222325"),
        ({"severity": "warning", "job": "foo"}, "9266ef3da838ad95"),
        ({"alertname": "High CPU Temperature", "host": "andromeda", "severity": "critical"}, "a1bc48475b20e73d"),
    ],
)
def test_derived_fingerprint_equals_alertmanager_s(labels, expected):
    assert alertmanager.fingerprint(labels) == expected


def test_fingerprint_is_independent_of_label_order():
    assert alertmanager.fingerprint({"a": "1", "é": "2"}) == alertmanager.fingerprint({"é": "2", "a": "1"})


def test_delivery_details_are_kept():
    parsed = SOURCE.parse(
        body(receiver="r", groupKey="{}:{a}", truncatedAlerts=41, notification_reason="repeat interval elapsed"),
        {},
        NOW,
    )
    assert parsed.alerts == []
    assert parsed.truncated == 41
    assert parsed.about == {
        "receiver": "r",
        "group_key": "{}:{a}",
        "notification_reason": "repeat interval elapsed",
    }


def test_unknown_fields_are_ignored():
    assert SOURCE.parse(body(alert(silencedBy=["x"]), newField={"a": [1]}), {}, NOW).alerts[0].fingerprint == "f"


def test_null_map_is_read_as_empty():
    assert parse_one(annotations=None).annotations == {}
    assert SOURCE.parse(body(alert(), routeLabels=None, commonLabels=None), {}, NOW).alerts


@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"startsAt": "soon"}, "time_unreadable", "alerts[0].startsAt"),
        ({"status": "resolved", "endsAt": []}, "time_unreadable", "alerts[0].endsAt"),
        ({"annotations": ["a"]}, "field_ignored", "alerts[0].annotations"),
        ({"generatorURL": {"href": "u"}}, "field_ignored", "alerts[0].generatorURL"),
        ({"labels": ["a"]}, "field_ignored", "alerts[0].labels"),
    ],
)
def test_invalid_optional_field_never_loses_the_alert(fields, code, where):
    parsed = SOURCE.parse(body(alert(**fields), alert(fingerprint="g")), {}, NOW)
    assert [found.fingerprint for found in parsed.alerts] == ["f", "g"]
    assert (parsed.alerts[0].starts_at, parsed.rejected) == (NOW, None)
    assert [(notice.code, notice.where, notice.fingerprint) for notice in parsed.notices] == [(code, where, "f")]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("truncatedAlerts", -1),
        ("truncatedAlerts", "many"),
        ("routeLabels", ["a"]),
        ("receiver", {"name": "r"}),
        ("notification_reason", []),
    ],
)
def test_invalid_group_field_never_loses_its_alerts(field, value):
    parsed = SOURCE.parse(body(alert(), **{field: value}), {}, NOW)
    assert [found.fingerprint for found in parsed.alerts] == ["f"]
    assert (parsed.truncated, [notice.where for notice in parsed.notices]) == (0, [field])


def test_other_time_forms_and_label_types_are_read():
    read = parse_one(startsAt="2026-03-02 10:00:00 +0000 UTC", labels={"a": 1, "b": None, "c": True})
    assert (read.starts_at, read.labels) == (1_772_445_600_000_000, {"a": "1", "c": "true"})


def test_relative_link_is_joined_to_alertmanager_s_url():
    raw = body(alert(generatorURL="/graph?g0=up"), externalURL="https://am.example/sub/")
    assert SOURCE.parse(raw, {}, NOW).alerts[0].link == "https://am.example/graph?g0=up"
