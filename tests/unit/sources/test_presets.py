"""Presets: changes by a source's own mapping, cleanup of values, and notices about bodies that don't match."""

import json
import re
import urllib.parse
from typing import ClassVar, Literal

import pydantic
import pytest

from router.sources import base, registry
from router.sources.presets import preset, tags
from tests.unit.sources import parsing

PRESETS = sorted(name for name, kind in registry.KINDS.items() if issubclass(kind.config, preset.Config))


# The fields of these senders aren't nested, so that a form can hold them.
FLAT = {
    "checkly": "failure",
    "nagios": "service-problem",
    "statuscake": "down",
    "uptimerobot": "down",
    "zabbix": "problem",
}


class Config(preset.Config):
    """A sender with minimal bodies."""

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
    return source.parse(json.dumps(found).encode(), {}, parsing.NOW)


@pytest.mark.parametrize(("kind", "case"), FLAT.items())
def test_form_with_equal_fields_is_equal(kind, case):
    flat = parsing.body(kind, case)
    assert parsing.parse_one(kind, urllib.parse.urlencode(flat).encode()) == parsing.parse_one(kind, flat)


@pytest.mark.parametrize("kind", PRESETS)
def test_source_s_mapping_overrides_the_preset_s(kind):
    found = parsing.firing(kind)
    before, after = (
        parsing.parse_one(kind, found),
        parsing.parse_one(kind, found, mapping={"title": "'mine'", "labels": {"team": "'mine'"}}),
    )
    assert after.title == "mine"
    assert after.labels == {**before.labels, "team": "mine"}
    assert (after.fingerprint, after.annotations) == (before.fingerprint, before.annotations)


@pytest.mark.parametrize("kind", PRESETS)
@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ({"title": "max("}, "title: 'max.*is not a JMESPath expression"),
        ({"labels": {"a": "]"}}, r"labels.*is not a JMESPath expression"),
        ({"tittle": "a"}, "there is no setting tittle.*title"),
        ({"status": {"pth": "a"}}, "status: Extra inputs are not permitted"),
        ({"title": 7}, "title: expected a path, or another place"),
        ({"bearer": ["x"]}, "bearer is not part of a mapping"),
        ({"kind": "json", "title": "a"}, "kind is not part of a mapping"),
        ({"encoding": "query"}, "encoding is not part of a mapping"),
    ],
)
def test_invalid_mapping_is_refused_on_load(kind, mapping, problem):
    with pytest.raises(pydantic.ValidationError) as caught:
        registry.KINDS[kind].config(auth="none", mapping=mapping)
    (error,) = caught.value.errors()
    assert error["loc"] == ("mapping",)
    assert re.search(problem, error["msg"])


def test_whole_expression_replaces_all_labels():
    assert parsing.parse_one("zabbix", parsing.body("zabbix", "problem"), mapping={"labels": "nothing"}).labels == {}


def test_configured_status_words_are_added():
    found = {**parsing.body("pingdom", "down"), "current_state": "PAUSED"}
    assert parsing.parse_one("pingdom", found, mapping={"status": {"resolved": ["paused"]}}).status == "resolved"
    assert (
        parsing.parse_one("pingdom", parsing.body("pingdom", "down"), mapping={"status": {"resolved": ["x"]}}).status
        == "firing"
    )
    with pytest.raises(base.Unparsable, match="'PAUSED' isn't a known status"):
        parsing.parse("pingdom", found)


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
def test_mismatch_names_the_setting_without_a_match(found, settings, where, problem):
    source = preset.kind(Config, "short").make("here", Config(auth="none", **settings))
    with pytest.raises(base.Unparsable) as caught:
        source.parse(found if isinstance(found, bytes) else json.dumps(found).encode(), {}, parsing.NOW)
    assert caught.value.where == where
    assert problem in caught.value.problem


def test_body_without_an_alert_has_a_reason():
    assert short({"test": True}).about == {"no_alert": "a test"}
    assert short({"s": " Note "}).about == {"no_alert": "Note doesn't show whether an alert fires"}
    assert short({"test": False, "s": "down", "t": "x"}).alerts


def test_unfilled_fields_are_absent_and_html_decoded():
    (alert,) = short({"s": "down", "t": "A &amp; B", "a": "<NAME>", "deep": None}).alerts
    assert (alert.title, alert.labels) == ("A & B", {})
    (alert,) = short({"s": "down", "t": "<NAME> is down", "a": "&lt;b>", "deep": {"tags": ["x"]}}).alerts
    assert (alert.title, alert.labels) == ("<NAME> is down", {"x": "true", "a": "<b>"})


def test_ignored_word_fires_if_configured():
    (alert,) = short({"s": "note", "t": "x"}, mapping={"status": {"firing": ["note"]}}).alerts
    assert alert.status == "firing"
    with pytest.raises(base.Unparsable, match="'news' isn't a known status"):
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
def test_tags_in_any_format_are_labels(written, labels):
    assert tags.labels(written) == labels
