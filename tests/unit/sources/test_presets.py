"""Presets: what a source's own mapping changes, what is tidied away, and what is told where a body does not fit."""

import json
import re
import urllib.parse
from pathlib import Path
from typing import ClassVar, Literal

import pydantic
import pytest

from router.sources import base, registry
from router.sources.presets import preset, tags

DATA = Path(__file__).parent.parent.parent / "data" / "sources"
NOW = 1_772_450_000_000_000
PRESETS = sorted(name for name, kind in registry.KINDS.items() if issubclass(kind.config, preset.Config))


# The fields of these senders have no members of their own, so that a form can hold them.
FLAT = {"nagios": "service-problem", "uptimerobot": "down", "zabbix": "problem"}


def body(kind, case):
    return json.loads((DATA / kind / f"{case}.json").read_text())["body"]


def firing(kind):
    """The body of the kind's first case with an alert that fires."""
    cases = [json.loads(path.read_text()) for path in sorted((DATA / kind).glob("*.json"))]
    return next(case["body"] for case in cases if [alert["status"] for alert in case["alerts"]] == ["firing"])


def parse(kind, found, **settings):
    source = registry.build("here", registry.KINDS[kind].config(auth="none", **settings)).source
    return source.parse(found if isinstance(found, bytes) else json.dumps(found).encode(), {}, NOW)


def one(kind, found, **settings):
    (alert,) = parse(kind, found, **settings).alerts
    return alert


class Config(preset.Config):
    """A sender of the shortest bodies."""

    kind: Literal["short"] = "short"
    sender: ClassVar[preset.Preset] = preset.Preset(
        mapping={"title": "t", "status": {"path": "s", "resolved": ["0"]}, "labels": {"*": "deep.tags", "a": "a"}},
        ignored=frozenset({"note"}),
        no_alert=lambda body: "a test" if body.get("test") else "",
        placeholder=r"<\w+>",
        tags="deep.tags",
        escaped=True,
    )


def short(found, **settings):
    source = preset.kind(Config, "short").make("here", Config(auth="none", **settings))
    return source.parse(json.dumps(found).encode(), {}, NOW)


@pytest.mark.parametrize(("kind", "case"), FLAT.items())
def test_a_form_with_the_same_fields_says_the_same(kind, case):
    flat = body(kind, case)
    assert one(kind, urllib.parse.urlencode(flat).encode()) == one(kind, flat)


@pytest.mark.parametrize("kind", PRESETS)
def test_a_source_s_own_mapping_takes_the_place_of_the_preset_s(kind):
    found = firing(kind)
    before, after = one(kind, found), one(kind, found, mapping={"title": "'mine'", "labels": {"team": "'mine'"}})
    assert after.title == "mine"
    assert after.labels == {**before.labels, "team": "mine"}
    assert (after.fingerprint, after.annotations) == (before.fingerprint, before.annotations)


@pytest.mark.parametrize("kind", PRESETS)
@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"title": "max("}, "title: .*is not a JMESPath expression"),
        ({"labels": {"a": "]"}}, r"labels.*is not a JMESPath expression"),
        ({"tittle": "a"}, "tittle: Extra inputs are not permitted"),
        ({"bearer": ["x"]}, "bearer is a setting of the source, not of its mapping"),
        ({"kind": "json"}, "kind is a setting of the source"),
    ],
)
def test_a_wrong_mapping_is_told_when_the_settings_are_read(kind, mapping, problem):
    with pytest.raises(pydantic.ValidationError) as caught:
        registry.KINDS[kind].config(auth="none", mapping=mapping)
    (error,) = caught.value.errors()
    assert error["loc"] == ("mapping",)
    assert re.search(problem, error["msg"])


def test_a_whole_expression_takes_the_place_of_all_labels():
    assert one("zabbix", body("zabbix", "problem"), mapping={"labels": "nothing"}).labels == {}


def test_words_of_a_status_come_on_top():
    found = {**body("pingdom", "down"), "current_state": "PAUSED"}
    assert one("pingdom", found, mapping={"status": {"resolved": ["paused"]}}).status == "resolved"
    assert one("pingdom", body("pingdom", "down"), mapping={"status": {"resolved": ["x"]}}).status == "firing"
    with pytest.raises(base.Unparsable, match="'PAUSED' is no known status"):
        parse("pingdom", found)


@pytest.mark.parametrize(
    ("found", "settings", "where", "problem"),
    [
        (b"[]", {}, "", "Expected `object`, got `array`"),
        (b"a=%FF", {}, "", "not UTF-8"),
        ({"s": "up"}, {}, "fingerprint", "there is none"),
        ({"s": "down"}, {}, "title", "there is none"),
        ({"s": "<STATE>", "t": "x"}, {}, "status", "there is none"),
        ({"s": "down", "t": "x", "a": "z"}, {"mapping": {"status": {"path": "max(a)"}}}, "status", "invalid type"),
    ],
)
def test_a_misfit_is_told_with_the_setting_that_found_nothing(found, settings, where, problem):
    source = preset.kind(Config, "short").make("here", Config(auth="none", **settings))
    with pytest.raises(base.Unparsable) as caught:
        source.parse(found if isinstance(found, bytes) else json.dumps(found).encode(), {}, NOW)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_what_is_no_alert_says_why():
    assert short({"test": True}).about == {"no_alert": "a test"}
    assert short({"s": " Note "}).about == {"no_alert": "Note says nothing of whether something fires"}
    assert short({"test": False, "s": "down", "t": "x"}).alerts


def test_what_the_sender_left_unfilled_is_absent_and_its_html_is_read():
    (alert,) = short({"s": "down", "t": "A &amp; B", "a": "<NAME>", "deep": None}).alerts
    assert (alert.title, alert.labels) == ("A & B", {})
    (alert,) = short({"s": "down", "t": "<NAME> is down", "a": "&lt;b>", "deep": {"tags": ["x"]}}).alerts
    assert (alert.title, alert.labels) == ("<NAME> is down", {"x": "true", "a": "<b>"})


def test_a_word_that_is_ignored_fires_where_the_source_says_so():
    (alert,) = short({"s": "note", "t": "x"}, mapping={"status": {"firing": ["note"]}}).alerts
    assert alert.status == "firing"
    with pytest.raises(base.Unparsable, match="'news' is no known status"):
        short({"s": "news", "t": "x"})


@pytest.mark.parametrize(
    ("written", "labels"),
    [
        (None, {}),
        ("", {}),
        (7, {}),
        ({"a": 1}, {}),
        ("env:prod, team:core,public", {"env": "prod", "team": "core", "public": "true"}),
        (["env:prod", "env:test", "a:b:c", ":x", "", " "], {"env": "prod,test", "a": "b:c", "x": "true"}),
        (
            [{"tag": "a", "value": "b"}, {"tag": "c", "value": ""}, {"name": "d"}, {}],
            {"a": "b", "c": "true", "d": "true"},
        ),
        ('[{"tag": "a", "value": "b"}]', {"a": "b"}),
        ('["a:b", 7, null, ["c"]]', {"a": "b", "7": "true"}),
        ('[{"tag": ', {}),
        ("[" * 100_000, {}),
    ],
)
def test_tags_are_labels_however_they_are_written(written, labels):
    assert tags.labels(written) == labels


@pytest.mark.parametrize(
    ("kind", "found", "where"),
    [
        ("zabbix", {"event_value": "2", "event_id": "1"}, "status"),
        ("uptimerobot", {"alert_type": "4", "monitor_id": "1"}, "status"),
        ("pingdom", {"current_state": "DOWN", "check_id": 1}, "title"),
        ("dynatrace", {"State": "{State}", "ProblemTitle": "x"}, "status"),
        ("opsgenie", {"alert": {"alertId": "1"}}, "status"),
        ("betterstack", {"data": {"id": "1", "attributes": {}}}, "status"),
        ("nagios", {"notification_type": "PROBLEM", "service_desc": "x"}, "title"),
        ("nagios", {"notification_type": "PROBLEMS", "host_name": "x"}, "status"),
        ("icinga", {"incident": {"id": 1, "severity": "purple"}}, "status"),
        ("icinga", {"incident": {"id": 1, "severity": "crit"}}, "title"),
    ],
)
def test_what_another_sender_sends_is_not_taken_for_an_alert(kind, found, where):
    with pytest.raises(base.Unparsable) as caught:
        parse(kind, found)
    assert caught.value.where == where


@pytest.mark.parametrize("state", ["OK", "up", "Ok"])
def test_what_is_well_in_nagios_has_no_severity(state):
    found = {**body("nagios", "service-recovery"), "service_state": state}
    assert one("nagios", found).severity == ""


@pytest.mark.parametrize(
    ("event", "attributes", "at"),
    [
        ("", {"started_at": "2026-03-02T09:00:00Z"}, 1_772_442_000_000_000),
        ("acknowledged", {"started_at": "2026-03-02T09:00:00Z", "acknowledged_at": None}, NOW),
        ("reopened", {"started_at": "2026-03-02T09:00:00Z", "resolved_at": "2026-03-02T10:00:00Z"}, NOW),
    ],
)
def test_an_incident_of_better_stack_is_as_old_as_what_happened_to_it(event, attributes, at):
    alert = one("betterstack", {"event": event, "data": {"id": "1", "attributes": {"name": "x", **attributes}}})
    assert (alert.status, alert.starts_at) == ("firing", at)


def test_a_certificate_that_ends_is_another_alert_than_a_monitor_that_is_down():
    ends = one("uptimerobot", body("uptimerobot", "certificate-ends"))
    down, up = (one("uptimerobot", body("uptimerobot", case)) for case in ("down", "up"))
    assert ends.fingerprint != down.fingerprint == up.fingerprint
