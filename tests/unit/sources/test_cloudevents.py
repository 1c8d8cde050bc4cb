"""CloudEvents with a JSON mapping, sent by the CloudEvents package in each of its modes."""

import datetime as dt
import json as standard_json

import pytest
from cloudevents.core.bindings import http
from cloudevents.core.formats import json as event_format
from cloudevents.core.v1 import event as v1

from router.sources import base, cloudevents, json

NOW = 1_772_450_000_000_000
TIME = dt.datetime(2026, 3, 2, 10, 15, 30, tzinfo=dt.UTC)
DATA = {"status": "firing", "title": "disk is full", "labels": {"host": "ci-3"}}
BATCH = {b"content-type": b"application/cloudevents-batch+json; charset=utf-8"}
EVENT = {"specversion": "1.0", "id": "1", "source": "/probes", "type": "probe.state", "subject": "disk é/ci-3"}
BINARY = {b"ce-specversion": b"1.0", b"ce-id": b"1", b"ce-source": b"/probes", b"ce-type": b"probe.state"}


def parse(body: bytes, headers: dict[bytes, bytes], **settings) -> base.Parsed:
    return json.Json("grid", json.Config(auth="none", **settings)).parse(body, headers, NOW)


def encode(mode, data=DATA, **attributes) -> tuple[bytes, dict[bytes, bytes]]:
    """Encode an event with the package. Header names are in the form that a server receives."""
    known = {name: text for name, text in EVENT.items() if name != "specversion"}
    event = v1.CloudEvent({**known, "time": TIME, "datacontenttype": "application/json", **attributes}, data)
    message = mode(event, event_format.JSONFormat())
    return message.body, {name.lower().encode(): value.encode() for name, value in message.headers.items()}


MODES = {"structured": http.to_structured, "binary": http.to_binary}


@pytest.mark.parametrize("mode", MODES)
def test_event_is_read_in_any_mode_without_mapping(mode):
    (alert,) = parse(*encode(MODES[mode])).alerts
    assert (alert.status, alert.title, alert.labels) == ("firing", "disk is full", {"host": "ci-3"})
    assert alert.fingerprint == "/probes disk é/ci-3"
    assert alert.starts_at == TIME.timestamp() * 1_000_000


@pytest.mark.parametrize("mode", MODES)
def test_firing_and_resolved_event_share_a_fingerprint(mode):
    (fired,) = parse(*encode(MODES[mode])).alerts
    later = {"id": "2", "time": TIME + dt.timedelta(minutes=5)}
    (over,) = parse(*encode(MODES[mode], {"status": "ok"}, **later)).alerts
    assert (over.status, over.identity) == ("resolved", fired.identity)
    assert over.starts_at > fired.starts_at


@pytest.mark.parametrize("mode", MODES)
def test_mapping_reads_attributes_and_data_in_both_modes(mode):
    settings = {
        "title": "data.title",
        "status": {"path": "type", "firing": ["probe.state"]},
        "severity": "severitytext",
        "fingerprint": "data.key || join('/', [source, subject])",
        "body_labels": {"origin": "source"},
    }
    (alert,) = parse(*encode(MODES[mode], severitytext="ERROR"), **settings).alerts
    assert (alert.title, alert.severity, alert.fingerprint) == ("disk is full", "ERROR", "/probes/disk é/ci-3")
    assert alert.labels == {"host": "ci-3", "origin": "/probes"}


def test_key_in_the_data_overrides_source_and_subject():
    (alert,) = parse(*encode(http.to_binary, {**DATA, "dedup_key": "k"})).alerts
    assert alert.fingerprint == "k"


def test_attribute_overrides_a_member_of_its_name():
    opened = cloudevents.flatten({**EVENT, "time": "t", "data": {"id": 7, "starts_at": "s", "more": 1}})
    assert (opened["id"], opened["data"]["id"], opened["starts_at"], opened["more"]) == ("1", 7, "s", 1)


def test_every_event_of_a_batch_is_a_body():
    hosts = [{"alerts": [{**DATA, "title": name}, {"status": "ok", "dedup_key": name}]} for name in ("a", "b")]
    events = [{**EVENT, "source": f"/{number}", "data": data} for number, data in enumerate(hosts)]
    settings = {"alerts": "data.alerts", "body_labels": {"origin": "source"}}
    read = parse(standard_json.dumps(events).encode(), BATCH, **settings)
    assert [(alert.status, alert.labels["origin"]) for alert in read.alerts] == [
        ("firing", "/0"), ("resolved", "/0"), ("firing", "/1"), ("resolved", "/1"),
    ]  # fmt: skip


def test_invalid_events_of_a_batch_are_quarantined():
    bad = [{"id": "3"}, {**EVENT, "data": {"status": "purple"}}]
    events = [bad[0], {**EVENT, "data": DATA}, bad[1]]
    read = parse(standard_json.dumps(events).encode(), BATCH)
    assert [alert.title for alert in read.alerts] == ["disk is full"]
    assert (read.rejected.where, "and 1 more" in read.rejected.problem) == ("[0].specversion", True)
    assert standard_json.loads(read.rejected.body) == bad
    with pytest.raises(base.Unparsable) as caught:
        parse(read.rejected.body, BATCH)
    assert caught.value.where == "[0].specversion"


def test_batch_may_be_empty():
    assert parse(b"[]", BATCH) == base.Parsed([])


def test_base64_data_is_decoded_by_its_content_type():
    packed = {"data_base64": "eyJzdGF0dXMiOiAib2sifQ=="}
    assert cloudevents.flatten({**EVENT, **packed})["status"] == "ok"
    assert cloudevents.flatten({**EVENT, **packed, "datacontenttype": "text/plain"})["data"] == '{"status": "ok"}'


@pytest.mark.parametrize(
    ("kind", "body", "data"),
    [
        (b"application/problem+json", b"[1]", [1]),
        (b"", b"7", 7),
        (b"text/plain; charset=utf-8", "é".encode(), "é"),
        (b"application/x-www-form-urlencoded", b"a=1&b=%7B%7D", {"a": "1", "b": {}}),
        (b"application/json", b"", None),
    ],
)
def test_data_of_binary_event_follows_its_content_type(kind, body, data):
    headers = {**BINARY, b"content-type": kind} if kind else BINARY
    event = cloudevents.read(body, headers)
    assert event.get("data") == data
    assert cloudevents.flatten(event)["source"] == "/probes"


@pytest.mark.parametrize(
    ("value", "text"),
    [(b"Euro%20%E2%82%AC", "Euro €"), (b"%2541", "%41"), (b'"a \\"b\\""', 'a "b"'), (b" x ", "x"), (b"100%", "100%")],
)
def test_header_value_is_unquoted_and_decoded_once(value, text):
    assert cloudevents.read(b"", {**BINARY, b"ce-subject": value})["subject"] == text


def test_only_attribute_headers_are_read():
    headers = {**BINARY, b"ce-data": b"x", b"ce-datacontenttype": b"x", b"ce-a-b": b"x", b"cecil": b"x"}
    assert sorted(cloudevents.read(b"", headers)) == ["id", "source", "specversion", "type"]


@pytest.mark.parametrize(
    ("body", "headers", "where", "problem"),
    [
        (b"{}", {b"content-type": b"application/cloudevents+json"}, "specversion", "is not 1.0"),
        (b"7", {b"content-type": b"application/cloudevents"}, "", "expected an object"),
        (b"x", {b"content-type": b"application/cloudevents+avro"}, "", "are not supported: send JSON"),
        (b"7", BATCH, "", "expected an object"),
        (b"{}", {**BINARY, b"ce-specversion": b"0.3"}, "specversion", "'0.3' is not 1.0"),
        (b"{}", {**BINARY, b"ce-id": b""}, "id", "missing or empty"),
        (b"{}", {**BINARY, b"ce-subject": b"%C0%A0"}, "ce-subject", "not UTF-8"),
        (b"\xff", {**BINARY, b"content-type": b"text/plain"}, "data", "not UTF-8"),
        (b"{", BINARY, "", "has to be JSON"),
    ],
)
def test_invalid_event_is_refused_with_its_field(body, headers, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        parse(body, headers)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize("wrong", ["%%%", "é", 7, ["a"]])
def test_invalid_base64_data_is_refused(wrong):
    with pytest.raises(base.Unparsable):
        cloudevents.flatten({**EVENT, "data_base64": wrong})
