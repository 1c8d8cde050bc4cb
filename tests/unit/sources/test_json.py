"""Any JSON with a mapping: what the contract's cases do not say."""

import json as standard_json

import pydantic
import pytest

from router.sources import base, json

NOW = 1_772_450_000_000_000
GOOD = {"status": "firing", "title": "T"}


def source(**settings) -> json.Json:
    return json.Json("grid", json.Config(auth="none", **settings))


def parse(body, **settings):
    return source(**settings).parse(standard_json.dumps(body).encode(), {}, NOW).alerts


def one(body, **settings):
    (alert,) = parse(body, **settings)
    return alert


@pytest.mark.parametrize(
    ("body", "settings", "where", "problem"),
    [
        ({}, {}, "status", "there is none"),
        ({"status": "purple"}, {}, "status", "'purple' is no known status: list it under status.firing"),
        ({"status": ["firing"]}, {}, "status", "is no known status"),
        ({"status": "firing"}, {}, "title", "there is none: send one, or set title"),
        ({"status": "resolved"}, {}, "fingerprint", "send dedup_key, or set fingerprint"),
        ([{"status": "firing"}, {}], {}, "[0].title", "there is none"),
        (["text"], {}, "[0]", "an object is expected here, not text"),
        ("text", {}, "alerts", "an object or a list of objects is expected here, not text"),
        (7, {}, "alerts", "not a number"),
        (None, {}, "alerts", "not nothing"),
        (GOOD, {"alerts": "events"}, "alerts", "not nothing"),
        ({"events": [7, 8]}, {"alerts": "events"}, "[0]", "not a number"),
        ({**GOOD, "labels": ["a"]}, {}, "labels", "an object of names and values is expected here, not a list"),
        ({**GOOD, "annotations": True}, {}, "annotations", "not true or false"),
        ({**GOOD, "starts_at": "soon"}, {}, "starts_at", "'soon' is neither RFC 3339 nor"),
        ({**GOOD, "starts_at": True}, {}, "starts_at", "a time is expected here, not true or false"),
        ({**GOOD, "starts_at": {}}, {}, "starts_at", "a time is expected here, not an object"),
        ({**GOOD, "starts_at": 10**22}, {}, "starts_at", "is not a time"),
        ({**GOOD, "status": "resolved", "ends_at": "x"}, {}, "ends_at", "is neither RFC 3339 nor"),
        ({**GOOD, "a": "x"}, {"severity": "max(a)"}, "severity", "invalid type"),
        ({**GOOD, "a": "x"}, {"labels": {"n": "max(a)"}}, "labels.n", "invalid type"),
        ({**GOOD, "a": "x"}, {"body_labels": {"n": "max(a)"}}, "body_labels.n", "invalid type"),
    ],
)
def test_a_misfit_is_told_with_the_setting_that_found_nothing(body, settings, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        parse(body, **settings)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("FIRING", "firing"),
        (" Open ", "firing"),
        ("acknowledged", "firing"),
        ("Ok", "resolved"),
        ("CLOSED", "resolved"),
    ],
)
def test_usual_words_are_understood_in_any_case(word, status):
    assert one({**GOOD, "status": word}).status == status


def test_own_words_come_on_top_and_win():
    words = {"path": "level", "firing": ["ok", 2], "resolved": ["Calm"]}
    assert one({"level": "OK", "title": "T"}, status=words).status == "firing"
    assert one({"level": 2, "title": "T"}, status=words).status == "firing"
    assert one({"level": "calm", "title": "T"}, status=words).status == "resolved"
    assert one({"level": "alerting", "title": "T"}, status=words).status == "firing"


def test_otherwise_is_what_a_missing_or_unknown_word_means():
    lenient = {"path": "status", "otherwise": "firing"}
    assert one({"title": "T"}, status=lenient).status == "firing"
    assert one({"title": "T", "status": "purple"}, status=lenient).status == "firing"
    assert one({"title": "T", "status": "ok"}, status=lenient).status == "resolved"


def test_a_constant_status_is_jmespath_text():
    assert one({"title": "T"}, status="'firing'").status == "firing"


def test_a_sender_without_keys_gets_the_same_fingerprint_for_the_same_title_and_labels():
    first = one({**GOOD, "labels": {"a": "1", "b": "2"}})
    same = one({"status": "resolved", "title": "T", "labels": {"b": "2", "a": "1"}, "severity": "x"})
    assert first.fingerprint == same.fingerprint
    others = [{**GOOD, "labels": {"a": "1"}}, {**GOOD, "title": "U", "labels": {"a": "1", "b": "2"}}, GOOD]
    assert len({first.fingerprint, *(one(other).fingerprint for other in others)}) == 4


@pytest.mark.parametrize("name", ["dedup_key", "deduplication_key", "alert_uid", "fingerprint", "alias"])
def test_a_key_is_found_under_each_of_its_usual_names(name):
    assert one({**GOOD, name: "k"}).fingerprint == "k"


@pytest.mark.parametrize("extra", [{"link": "u"}, {"url": "u"}, {"source_url": "u"}, {"links": [{"href": "u"}]}])
def test_a_link_is_found_under_each_of_its_usual_names(extra):
    assert one({**GOOD, **extra}).link == "u"


def test_labels_of_the_alert_win_over_labels_of_the_body():
    body = {"team": "outer", "site": "s", "events": [{**GOOD, "labels": {"team": "inner"}}]}
    settings = {"alerts": "events", "body_labels": {"team": "team", "site": "site"}}
    assert one(body, **settings).labels == {"team": "inner", "site": "s"}


@pytest.mark.parametrize("setting", ["labels", "body_labels", "annotations"])
def test_a_value_too_deep_to_be_written_down_is_unparsable(setting):
    mapped = source(**{setting: {"deep": "deep"}})
    for depth in range(50, 1050):
        body = b'{"status":"firing","title":"T","deep":' + b"[" * depth + b"]" * depth + b"}"
        try:
            mapped.parse(body, {}, NOW)
        except base.Unparsable as error:
            assert "nested too deeply" in error.problem  # noqa: PT017 - most depths raise nothing


def test_a_single_object_at_alerts_is_one_alert_and_an_empty_list_is_none():
    assert one({"event": GOOD}, alerts="event").title == "T"
    assert parse({"events": []}, alerts="events") == []
    assert parse([]) == []


def test_what_is_missing_gets_the_time_of_receipt():
    assert one(GOOD).starts_at == NOW
    resolved = one({**GOOD, "status": "resolved", "starts_at": 0, "ends_at": ""})
    assert (resolved.starts_at, resolved.ends_at) == (NOW, NOW)


def test_a_firing_alert_has_an_end_only_where_that_is_still_to_come():
    assert one({**GOOD, "ends_at": NOW + 1}).ends_at == NOW + 1
    assert one({**GOOD, "ends_at": "2026-03-02T12:00:00Z"}).ends_at > NOW
    for gone in (NOW, NOW - 1, "", None, "0001-01-01T00:00:00Z", "soon", {}):
        assert one({**GOOD, "ends_at": gone}).ends_at == 0


def test_annotations_of_the_alert_win_over_none_and_the_description_is_one_of_them():
    assert one({**GOOD, "annotations": {"description": "inner"}}).annotations == {"description": "inner"}
    assert one({**GOOD, "description": "outer"}).annotations == {"description": "outer"}


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"title": "a["}, "title"),
        ({"labels": {"x": "nope(a)"}}, "calls nope"),
        ({"status": {"path": "s", "firing": "red"}}, "status"),
        ({"status": {"route": "s"}}, "route"),
        ({"status": {"otherwise": "maybe"}}, "otherwise"),
        ({"titel": "a"}, "titel"),
        ({"kind": "alertmanager"}, "kind"),
    ],
)
def test_a_wrong_setting_is_named_when_it_is_read(settings, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        source(**settings)


def test_two_sources_do_not_share_their_mappings():
    first, second = json.Config(auth="none"), json.Config(auth="none")
    assert first.annotations == second.annotations
    assert first.annotations is not second.annotations


def test_the_good_alerts_of_a_list_are_taken_and_the_bad_ones_set_aside_as_a_list_of_their_own():
    body = [GOOD, {"status": "firing"}, "text", {**GOOD, "title": "U"}]
    read = source().parse(standard_json.dumps(body).encode(), {}, NOW)
    assert [alert.title for alert in read.alerts] == ["T", "U"]
    assert read.rejected.where == "[1].title"
    assert "(and 1 more)" in read.rejected.problem
    assert standard_json.loads(read.rejected.body) == [{"status": "firing"}, "text"]


def test_where_the_list_is_inside_the_body_what_is_set_aside_is_the_body():
    raw = standard_json.dumps({"site": "s", "events": [GOOD, 7]}).encode()
    read = source(alerts="events", body_labels={"site": "site"}).parse(raw, {}, NOW)
    assert [alert.labels for alert in read.alerts] == [{"site": "s"}]
    assert (read.rejected.where, read.rejected.body) == ("[1]", raw)


def test_a_sender_s_severities_become_ours_and_an_unknown_one_stays():
    ladder = {"path": "level", "map": {"P1": "critical", 5: "major"}, "otherwise": "minor"}
    found = [one({**GOOD, **level}, severity=ladder).severity for level in ({"level": " p1"}, {"level": 5}, {})]
    assert found == ["critical", "major", "minor"]
    assert one({**GOOD, "level": "Odd"}, severity=ladder).severity == "Odd"
    assert one({**GOOD, "level": "P1"}, severity="level").severity == "P1"
