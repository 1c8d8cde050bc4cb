"""JSON with a mapping, beyond the contract's cases."""

import base64
import json as standard_json

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import base, json

NOW = 1_772_450_000_000_000
MINUTE = 60_000_000
GOOD = {"status": "firing", "title": "T"}


def source(**settings) -> json.Json:
    return json.Json("grid", json.Config(auth="none", **settings))


def parse(body, **settings):
    return source(**settings).parse(standard_json.dumps(body).encode(), {}, NOW).alerts


def parse_one(body, **settings):
    (alert,) = parse(body, **settings)
    return alert


@pytest.mark.parametrize(
    ("body", "settings", "where", "problem"),
    [
        ({}, {}, "status", "there is none"),
        ({"status": "purple"}, {}, "status", "'purple' isn't a known status: list it under status.firing"),
        ({"status": ["firing"]}, {}, "status", "isn't a known status"),
        ({"status": "firing"}, {}, "title", "there is none: send one, or set title"),
        ({"status": "resolved"}, {}, "fingerprint", "send dedup_key, or set fingerprint"),
        ([{"status": "firing"}, {}], {}, "[0].title", "there is none"),
        (["text"], {}, "[0]", "expected an object, not text"),
        ("text", {}, "alerts", "must be an object or a list of objects, not text"),
        (7, {}, "alerts", "not a number"),
        (None, {}, "alerts", "not nothing"),
        (GOOD, {"alerts": "events"}, "alerts", "not nothing"),
        ({"events": [7, 8]}, {"alerts": "events"}, "[0]", "not a number"),
        ({**GOOD, "a": "x"}, {"status": "max(a)"}, "status", "invalid type"),
        (
            {"status": "firing", "a": "x"},
            {"title": "max(a)"},
            "title",
            "neither a fingerprint nor labels to use as its name",
        ),
    ],
)
def test_mismatch_names_the_setting_without_a_match(body, settings, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        parse(body, **settings)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("extra", "settings", "code", "where", "detail"),
    [
        ({"labels": 7}, {}, "field_ignored", "labels", "expected an object, or a list of tags or pairs"),
        ({"annotations": True}, {}, "field_ignored", "annotations", "not true or false"),
        ({"severity": {"name": "high"}}, {}, "field_ignored", "severity", "expected a text, not an object"),
        ({"link": ["u"]}, {}, "field_ignored", "link", "expected a text, not a list"),
        ({"starts_at": "soon"}, {}, "time_unreadable", "starts_at", "'soon' isn't a known form of a time"),
        ({"starts_at": True}, {}, "time_unreadable", "starts_at", "expected a time, not true or false"),
        ({"starts_at": {}}, {}, "time_unreadable", "starts_at", "expected a time, not an object"),
        ({"starts_at": 10**22}, {}, "time_unreadable", "starts_at", "is not a time"),
        ({"starts_at": "2" * 5000}, {}, "time_unreadable", "starts_at", "longer than 64 characters"),
        ({"status": "ok", "ends_at": "x"}, {}, "time_unreadable", "ends_at", "isn't a known form of a time"),
        ({"expires_at": "x"}, {}, "time_unreadable", "expires_at", "isn't a known form of a time"),
        ({"expires_at": NOW - 1}, {}, "field_ignored", "expires_at", "the time has passed, but"),
        ({"a": "x"}, {"starts_at": "max(a)"}, "time_unreadable", "starts_at", "invalid type"),
        ({"a": "x"}, {"severity": "max(a)"}, "field_ignored", "severity", "invalid type"),
        ({"a": "x"}, {"link": "max(a)"}, "field_ignored", "link", "invalid type"),
        ({"a": "x"}, {"fingerprint": "max(a)"}, "field_ignored", "fingerprint", "invalid type"),
        ({"a": "x"}, {"labels": {"n": "max(a)"}}, "field_ignored", "labels.n", "invalid type"),
        ({"a": "x"}, {"labels": "max(a)"}, "field_ignored", "labels", "invalid type"),
        ({"a": "x"}, {"body_labels": {"n": "max(a)"}}, "field_ignored", "body_labels.n", "invalid type"),
        ({"a": "x"}, {"ignore_when": "max(a) > `1`"}, "field_ignored", "ignore_when", "the condition is ignored"),
    ],
)
def test_unusable_optional_part_never_loses_the_alert(extra, settings, code, where, detail):
    body = standard_json.dumps({**GOOD, **extra}).encode()
    parsed = source(**settings).parse(body, {}, NOW)
    assert [(alert.title, alert.starts_at) for alert in parsed.alerts] == [("T", NOW)]
    (notice,) = parsed.notices
    assert (notice.code, notice.where, notice.fingerprint) == (code, where, parsed.alerts[0].fingerprint)
    assert detail in notice.detail


@pytest.mark.parametrize(
    ("body", "settings", "title"),
    [
        ({"status": "firing", "dedup_key": "k", "labels": {"a": "b"}}, {}, "k"),
        ({"status": "firing", "labels": {"b": "2", "a": "1"}}, {}, "a=1, b=2"),
        ({"status": "firing", "dedup_key": "k", "host": None}, {"title": "join(' ', [host, 'x'])"}, "k"),
    ],
)
def test_untitled_firing_alert_is_named_with_a_notice(body, settings, title):
    parsed = source(**settings).parse(standard_json.dumps(body).encode(), {}, NOW)
    assert [alert.title for alert in parsed.alerts] == [title]
    assert (parsed.notices[-1].code, parsed.notices[-1].where) == ("field_ignored", "title")
    assert f"named {title!r}" in parsed.notices[-1].detail


def test_notice_about_a_list_names_its_alert():
    body = standard_json.dumps([{**GOOD, "dedup_key": "a"}, {**GOOD, "dedup_key": "b", "link": []}, 7]).encode()
    assert source().parse(body, {}, NOW).notices == ()
    body = standard_json.dumps([{**GOOD, "dedup_key": "a"}, {**GOOD, "dedup_key": "b", "link": [1]}, 7]).encode()
    assert [(notice.where, notice.fingerprint) for notice in source().parse(body, {}, NOW).notices] == [
        ("[1].link", "b")
    ]


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("FIRING", "firing"),
        (" Open ", "firing"),
        ("acknowledged", "firing"),
        ("Ok", "resolved"),
        ("CLOSED", "resolved"),
        *((word, "firing") for word in ("critical", "error", "warning", "trouble", "missing", "down", "failing")),
        *((word, "firing") for word in ("failure", "Failed", "unhealthy", "degraded", "unreachable")),
        *((word, "resolved") for word in ("success", "healthy", "up", "recovered", "cleared", "CLEAR", "available")),
    ],
)
def test_default_status_words_are_case_insensitive(word, status):
    assert parse_one({**GOOD, "status": word}).status == status


def test_configured_status_words_override_the_defaults():
    words = {"path": "level", "firing": ["ok", 2], "resolved": ["Calm"]}
    assert parse_one({"level": "OK", "title": "T"}, status=words).status == "firing"
    assert parse_one({"level": 2, "title": "T"}, status=words).status == "firing"
    assert parse_one({"level": "calm", "title": "T"}, status=words).status == "resolved"
    assert parse_one({"level": "alerting", "title": "T"}, status=words).status == "firing"


def test_otherwise_applies_to_missing_and_unknown_words():
    lenient = {"path": "status", "otherwise": "firing"}
    assert parse_one({"title": "T"}, status=lenient).status == "firing"
    assert parse_one({"title": "T", "status": "purple"}, status=lenient).status == "firing"
    assert parse_one({"title": "T", "status": "ok"}, status=lenient).status == "resolved"


def test_status_may_be_a_jmespath_literal():
    assert parse_one({"title": "T"}, status="'firing'").status == "firing"


def test_alert_without_keys_is_identified_by_labels():
    readings = ("CPU 97%", "CPU 98%")
    fired = [parse_one({**GOOD, "title": title, "labels": {"host": "a", "b": "2"}}) for title in readings]
    over = parse_one({"status": "resolved", "title": "CPU is fine", "labels": {"b": "2", "host": "a"}, "severity": "x"})
    assert len({over.fingerprint, *(alert.fingerprint for alert in fired)}) == 1
    others = [{**GOOD, "labels": {"host": "a"}}, {**GOOD, "labels": {"host": "a", "b": "3"}}, GOOD]
    assert len({over.fingerprint, *(parse_one(other).fingerprint for other in others)}) == 4


def test_title_identifies_without_keys_or_labels():
    assert parse_one(GOOD).fingerprint == parse_one({**GOOD, "status": "ok", "description": "other"}).fingerprint
    assert parse_one(GOOD).fingerprint != parse_one({**GOOD, "title": "U"}).fingerprint


def test_labels_differing_in_name_boundaries_are_distinct():
    first, second = (
        parse_one({**GOOD, "labels": {"a": "b", "c": "d"}}),
        parse_one({**GOOD, "labels": {"a": "bc", "d": ""}}),
    )
    assert first.fingerprint != second.fingerprint


def test_alias_is_not_a_default_key():
    disk = parse_one({**GOOD, "alias": "host-1", "labels": {"service": "disk"}})
    assert disk.fingerprint != parse_one({**GOOD, "alias": "host-1", "labels": {"service": "cpu"}}).fingerprint
    assert parse_one({**GOOD, "alias": "host-1"}, fingerprint="alias").fingerprint == "host-1"


@pytest.mark.parametrize("name", ["dedup_key", "deduplication_key", "alert_uid", "fingerprint"])
def test_key_is_read_from_its_usual_fields(name):
    assert parse_one({**GOOD, name: "k"}).fingerprint == "k"


@pytest.mark.parametrize("extra", [{"link": "u"}, {"url": "u"}, {"source_url": "u"}, {"links": [{"href": "u"}]}])
def test_link_is_read_from_its_usual_fields(extra):
    assert parse_one({**GOOD, **extra}).link == "u"


def test_labels_of_alert_override_those_of_the_body():
    body = {"team": "outer", "site": "s", "events": [{**GOOD, "labels": {"team": "inner"}}]}
    settings = {"alerts": "events", "body_labels": {"team": "team", "site": "site"}}
    assert parse_one(body, **settings).labels == {"team": "inner", "site": "s"}


@pytest.mark.parametrize("setting", ["labels", "body_labels", "annotations"])
def test_value_too_deep_to_serialize_is_unparsable(setting):
    mapped = source(**{setting: {"deep": "deep"}})
    for depth in range(50, 1050):
        body = b'{"status":"firing","title":"T","deep":' + b"[" * depth + b"]" * depth + b"}"
        try:
            mapped.parse(body, {}, NOW)
        except base.Unparsable as error:
            assert "nested too deeply" in error.problem  # noqa: PT017 - most depths raise nothing


def test_single_object_at_alerts_is_one_alert():
    assert parse_one({"event": GOOD}, alerts="event").title == "T"
    assert parse({"events": []}, alerts="events") == []
    assert parse([]) == []


def test_missing_times_default_to_the_receipt_time():
    assert parse_one(GOOD).starts_at == NOW
    resolved = parse_one({**GOOD, "status": "resolved", "starts_at": 0, "ends_at": ""})
    assert (resolved.starts_at, resolved.ends_at) == (NOW, NOW)


def test_firing_alert_s_end_applies_from_one_minute_ahead():
    assert parse_one({**GOOD, "ends_at": NOW + MINUTE}).ends_at == NOW + MINUTE
    assert parse_one({**GOOD, "ends_at": "2026-03-02T12:00:00Z"}).ends_at > NOW
    ahead = NOW + 60 * MINUTE
    assert parse_one({**GOOD, "starts_at": ahead, "ends_at": ahead + MINUTE}).ends_at == ahead + MINUTE
    assert parse_one({**GOOD, "starts_at": ahead, "ends_at": ahead + 3_000_000}).ends_at == 0
    for none in (NOW, NOW + 3_000_000, NOW + MINUTE - 1, NOW - 1, "", None, "0001-01-01T00:00:00Z", "soon", {}):
        assert parse_one({**GOOD, "ends_at": none}).ends_at == 0


@pytest.mark.parametrize("ahead", [3_000_000, 360_000_000, 3_600_000_000])
def test_equal_start_and_end_never_ends_firing_alert(ahead):
    body = {**GOOD, "at": NOW + ahead}
    assert parse_one(body, starts_at="at", ends_at="at").ends_at == 0
    assert parse_one({**body, "status": "ok"}, starts_at="at", ends_at="at").ends_at == NOW + ahead


def test_announced_end_is_the_firing_alert_s_expiry():
    assert parse_one({**GOOD, "expires_at": NOW + 1}).ends_at == NOW + 1
    assert parse_one({**GOOD, "valid": NOW + 5, "ends_at": NOW + 60 * MINUTE}, expires_at="valid").ends_at == NOW + 5
    assert parse_one({**GOOD, "status": "ok", "expires_at": NOW + 1}).ends_at == NOW


def test_mapping_reads_body_header_and_query_values():
    body = {"state": "down", "since": 1_772_446_530, "rule": {"id": 7}, "hosts": [{"name": "a"}, {"name": "b"}]}
    settings = {
        "alerts": "hosts",
        "title": "name",
        "fingerprint": "name",
        "status": {"body": "state"},
        "starts_at": {"body": "since"},
        "severity": {"header": "X-Priority", "map": {"p1": "critical"}},
        "labels": {"rule": {"body": "rule.id"}, "environment": {"query": "environment"}, "host": "name"},
        "annotations": {"event": {"header": "X-Event"}, "none": {"header": "X-None"}, "no": {"query": "no"}},
    }
    headers = {b"x-event": b"monitor", b"x-priority": b"P1", b":query": b"environment=prod+1&x=y"}
    parsed = source(**settings).parse(standard_json.dumps(body).encode(), headers, NOW)
    assert [(alert.fingerprint, alert.status, alert.starts_at) for alert in parsed.alerts] == [
        ("a", "firing", 1_772_446_530_000_000),
        ("b", "firing", 1_772_446_530_000_000),
    ]
    assert parsed.alerts[0].labels == {"rule": "7", "environment": "prod 1", "host": "a"}
    assert (parsed.alerts[0].severity, parsed.alerts[0].annotations) == ("critical", {"event": "monitor"})
    assert parsed.notices == ()


def test_unreadable_query_never_loses_the_alert():
    settings = {"labels": {"environment": {"query": "environment"}}}
    parsed = source(**settings).parse(standard_json.dumps(GOOD).encode(), {b":query": b"environment=%ff"}, NOW)
    assert [alert.labels for alert in parsed.alerts] == [{}]
    assert [notice.where for notice in parsed.notices] == ["query"]


@pytest.mark.parametrize(
    ("ignore_when", "headers"),
    [
        ("status == 'in_progress'", {}),
        ("!title", {}),
        ({"path": "status", "values": ["IN_PROGRESS"]}, {}),
        ({"header": "X-Event", "values": ["ping", "push"]}, {b"x-event": b"Ping"}),
        ({"body": "status", "values": ["in_progress"]}, {}),
        ({"query": "test"}, {b":query": b"test=1"}),
        ([{"header": "X-Event", "values": ["ping"]}, "status == 'in_progress'"], {}),
    ],
)
def test_ignored_message_makes_no_alert_and_no_error(ignore_when, headers):
    body = standard_json.dumps({"status": "in_progress"}).encode()
    parsed = source(ignore_when=ignore_when).parse(body, headers, NOW)
    assert (parsed.alerts, parsed.rejected, parsed.about["no_alert"]) == ([], None, "ignore_when")
    assert source(ignore_when=ignore_when).parse(standard_json.dumps(GOOD).encode(), {}, NOW).alerts


def test_only_ignored_alerts_of_a_list_are_omitted():
    body = [{"status": "scheduled"}, {**GOOD, "dedup_key": "a"}, {"status": "scheduled"}, 7]
    parsed = source(ignore_when="status == 'scheduled'").parse(standard_json.dumps(body).encode(), {}, NOW)
    assert [alert.fingerprint for alert in parsed.alerts] == ["a"]
    assert parsed.rejected.where == "[3]"


def test_empty_list_gives_no_reason():
    assert source(ignore_when="status == 'x'").parse(b"[]", {}, NOW).about == {}


ENCODED = {
    "a text": ({"decode": "Message"}, {"Message": standard_json.dumps(GOOD)}, "Message.title", "Message.status"),
    "base64": (
        {"decode": {"message.data": ["base64", "json"]}},
        {"message": {"data": base64.b64encode(standard_json.dumps(GOOD).encode()).decode()}},
        "message.data.title",
        "message.data.status",
    ),
    "records": (
        {"decode": {"Records[].Sns.Message": "json"}, "alerts": "Records[].Sns.Message"},
        {"Records": [{"Sns": {"Message": standard_json.dumps(GOOD)}}]},
        "title",
        "status",
    ),
    "a text in a text": (
        {"decode": {"Message": "json", "Message.detail": "json"}},
        {"Message": standard_json.dumps({"detail": standard_json.dumps(GOOD)})},
        "Message.detail.title",
        "Message.detail.status",
    ),
    "what is open already": ({"decode": "Message"}, {"Message": GOOD}, "Message.title", "Message.status"),
    "a list of bodies": (
        {"decode": "Message"},
        [{"Message": standard_json.dumps(GOOD)}],
        "Message.title",
        "Message.status",
    ),
}


@pytest.mark.parametrize(("settings", "body", "title", "status"), ENCODED.values(), ids=ENCODED)
def test_json_in_text_fields_is_decoded(settings, body, title, status):
    parsed = source(title=title, status=status, **settings).parse(standard_json.dumps(body).encode(), {}, NOW)
    assert [(alert.title, alert.status) for alert in parsed.alerts] == [("T", "firing")]
    assert parsed.notices == ()


@pytest.mark.parametrize("text", ["plain words", "{", "[" * 100_000, "7", "YQ"])
def test_text_without_json_is_kept_unchanged(text):
    settings = {"decode": "Message", "title": "Message", "status": "'firing'"}
    parsed = source(**settings).parse(standard_json.dumps({"Message": text}).encode(), {}, NOW)
    assert parsed.alerts[0].title == text
    assert {notice.where for notice in parsed.notices} <= {"Message"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"starts_at": {"path": "at", "format": "unixms"}}, 'did you mean "unix_ms"?'),
        ({"starts_at": {"path": "at", "format": "rfc"}}, '"rfc" is not a format; write one of unix, unix_ms'),
        ({"starts_at": {"path": "at", "format": "%Y-%m-%d %Q"}}, "%Q at character 10 is not a directive"),
        ({"starts_at": {"path": "at", "format": "%H:%M"}}, "needs the year, the month, and the day"),
        ({"starts_at": {"path": "at", "format": "%Y-%m-%d %"}}, "is not a directive"),
        ({"starts_at": {"path": "at", "zone": "Europe/Zurick"}}, 'did you mean "Europe/Zurich"?'),
        ({"starts_at": {"path": "at", "zone": "Mars"}}, 'there is no time zone "Mars"'),
        ({"starts_at": {"path": "at", "zone": "UTC", "format": "unix"}}, "has no time zone: remove zone"),
        ({"title": {"path": "a", "header": "b"}}, "path and header exclude each other"),
        ({"title": {}}, "name the place of the value"),
        ({"title": {"header": ""}}, "name the place of the value"),
        ({"title": {"header": "X Event"}}, "should match pattern"),
        ({"title": {"body": "a..b"}}, "is not a JMESPath expression"),
        ({"title": 7}, "expected a path"),
        ({"labels": {"a": 7}}, "expected a path"),
        ({"ignore_when": [7]}, "expected a path"),
        ({"ignore_when": {"values": ["x"]}}, "name the place of the value"),
        ({"decode": {"a": "jason"}}, '"jason" is not an encoding; did you mean "json"?'),
        ({"decode": {"a": []}}, "expected the names of encodings: json, base64"),
        ({"decode": {"a.b[?c]": "json"}}, '"a.b[?c]" is not a path of names and positions'),
        ({"decode": {".a": "json"}}, "is not a path of names and positions"),
        ({"decode": ""}, "is not a path of names and positions"),
    ],
)
def test_invalid_setting_is_refused_with_advice(settings, said):
    with pytest.raises(pydantic.ValidationError) as caught:
        source(**settings)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("time", "value", "expected"),
    [
        ({"format": "%d.%m.%Y %H:%M:%S", "zone": "Europe/Zurich"}, "02.03.2026 13:00:00", 1_772_452_800_000_000),
        ({"zone": "Europe/Zurich"}, "2026-03-02 13:00:00", 1_772_452_800_000_000),
        ({"format": "unix_ms"}, 5000, 5_000_000),
        ({"format": "%Y%m%d%H%M%S"}, 20260302120000, 1_772_452_800_000_000),
        ({"format": "unix"}, "1772452800", 1_772_452_800_000_000),
    ],
)
def test_time_is_parsed_in_the_mapped_format(time, value, expected):
    assert parse_one({**GOOD, "at": value}, starts_at={"path": "at", **time}).starts_at == expected


def test_time_outside_the_date_range_never_raises():
    for value in ("9999-12-31T23:59:59-14:00", "9999-12-31T23:59:60Z", 1e300, -1e300, 10**400, "1e400"):
        assert parse_one({**GOOD, "starts_at": value}).starts_at > 0


def test_settings_schema_accepts_a_bare_path():
    schema = json.Config.model_json_schema()
    assert {"type": "string"} in schema["properties"]["title"]["anyOf"]


def test_annotations_include_the_description():
    assert parse_one({**GOOD, "annotations": {"description": "inner"}}).annotations == {"description": "inner"}
    assert parse_one({**GOOD, "description": "outer"}).annotations == {"description": "outer"}


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
def test_invalid_setting_is_refused_on_load(settings, says):
    with pytest.raises(pydantic.ValidationError, match=says):
        source(**settings)


def test_two_sources_do_not_share_their_mappings():
    first, second = json.Config(auth="none"), json.Config(auth="none")
    assert first.annotations == second.annotations
    assert first.annotations is not second.annotations


def test_valid_alerts_of_a_list_are_read():
    body = [GOOD, {"status": "firing"}, "text", {**GOOD, "title": "U"}]
    read = source().parse(standard_json.dumps(body).encode(), {}, NOW)
    assert [alert.title for alert in read.alerts] == ["T", "U"]
    assert read.rejected.where == "[1].title"
    assert "(and 1 more)" in read.rejected.problem
    assert standard_json.loads(read.rejected.body) == [{"status": "firing"}, "text"]


def test_invalid_element_quarantines_the_whole_nested_body():
    raw = standard_json.dumps({"site": "s", "events": [GOOD, 7]}).encode()
    read = source(alerts="events", body_labels={"site": "site"}).parse(raw, {}, NOW)
    assert [alert.labels for alert in read.alerts] == [{"site": "s"}]
    assert (read.rejected.where, read.rejected.body) == ("[1]", raw)


def test_mapped_severities_are_standard_and_others_unchanged():
    ladder = {"path": "level", "map": {"P1": "critical", 5: "major"}, "otherwise": "minor"}
    found = [parse_one({**GOOD, **level}, severity=ladder).severity for level in ({"level": " p1"}, {"level": 5}, {})]
    assert found == ["critical", "major", "minor"]
    assert parse_one({**GOOD, "level": "Odd"}, severity=ladder).severity == "Odd"
    assert parse_one({**GOOD, "level": "P1"}, severity="level").severity == "P1"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcdmkv"), inner, max_size=4),
    max_leaves=15,
)
EVERYTHING = {
    "decode": {"d": ["base64", "json"], "m[].d": "json"},
    "ignore_when": ["a == b", {"header": "x", "values": ["1"]}, {"body": "max(m)"}],
    "title": {"body": "a"},
    "status": {"path": "b", "otherwise": "firing"},
    "fingerprint": "join('/', [k, v])",
    "severity": {"query": "q", "map": {"1": "critical"}},
    "labels": {"*": "a || m", "x": {"header": "x"}, "y": {"body": "sum(m)"}},
    "annotations": {"*": {"body": "d"}, "z": "to_number(a)"},
    "starts_at": {"path": "a", "format": "%Y-%m-%d", "zone": "Europe/Zurich"},
    "ends_at": {"body": "a", "format": "unix_ms"},
    "expires_at": {"header": "x"},
    "link": "a",
}


@given(body=ANYTHING, header=st.binary(max_size=12), query=st.binary(max_size=12))
def test_catch_all_mapping_gives_alerts_or_an_error(body, header, query):
    read = source(**EVERYTHING)
    try:
        parsed = read.parse(standard_json.dumps(body).encode(), {b"x": header, b":query": query}, NOW)
    except base.Unparsable as error:
        assert error.problem  # noqa: PT017 - most bodies raise nothing
        return
    for alert in parsed.alerts:
        assert alert.fingerprint
        assert alert.starts_at > 0
        assert alert.ends_at == 0 or alert.ends_at > NOW or alert.status == "resolved"
        assert {notice.code for notice in parsed.notices} <= {"field_ignored", "time_unreadable"}
