"""Forms and query strings with a JSON mapping: the fields are members, and the mapping is identical."""

import json as standard_json
import urllib.parse

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import alerts
from router.sources import base, json

NOW = 1_772_450_000_000_000
FIELDS = {"Status": "Down", "Name": "shop é", "TestID": "41", "Tags": '["web", "eu"]', "Odd": "{not json"}
MAPPED = {
    "status": "Status",
    "title": "Name",
    "fingerprint": "TestID",
    "labels": {"first": "Tags[0]", "odd": "Odd"},
}
FORM = {b"content-type": b"application/x-www-form-urlencoded; charset=utf-8"}


def source(**settings) -> json.Json:
    return json.Json("grid", json.Config(auth="none", **settings))


def multipart(fields: dict[str, str]) -> tuple[bytes, dict[bytes, bytes]]:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    return ("".join(parts) + "--b--\r\n").encode(), {b"content-type": b"Multipart/Form-Data; boundary=b"}


ENCODED = {
    "form": (urllib.parse.urlencode(FIELDS).encode(), FORM),
    "multipart": multipart(FIELDS),
    "json that is called a form": (standard_json.dumps({**FIELDS, "Tags": ["web", "eu"]}).encode(), FORM),
}


@pytest.mark.parametrize("name", ENCODED)
def test_every_encoding_uses_the_same_mapping(name):
    body, headers = ENCODED[name]
    (alert,) = source(**MAPPED).parse(body, headers, NOW).alerts
    assert (alert.status, alert.title, alert.fingerprint) == ("firing", "shop é", "41")
    assert alert.labels == {"first": "web", "odd": "{not json"}


def test_field_with_the_whole_payload_is_a_path():
    body = urllib.parse.urlencode({"payload": standard_json.dumps([{"status": "ok", "dedup_key": "a"}])}).encode()
    (alert,) = source(alerts="payload").parse(body, FORM, NOW).alerts
    assert (alert.status, alert.fingerprint) == ("resolved", "a")


def test_query_numbers_match_numeric_status_words():
    settings = {
        "encoding": "query",
        "status": {"path": "alertType", "firing": [1], "resolved": [2]},
        "title": "monitorFriendlyName",
        "fingerprint": "monitorID",
    }
    query = b"monitorID=7&monitorFriendlyName=shop%20front&alertType="
    (down,) = source(**settings).parse(query + b"1", {}, NOW).alerts
    (up,) = source(**settings).parse(query + b"2", FORM, NOW).alerts
    assert (down.status, down.title, down.fingerprint) == ("firing", "shop front", "7")
    assert (up.status, up.identity) == ("resolved", down.identity)


def test_json_like_query_text_is_text_if_invalid():
    deep = "[" * 100_000
    query = urllib.parse.urlencode({"status": "firing", "title": "{", "dedup_key": deep}).encode()
    (alert,) = source(encoding="query").parse(query, {}, NOW).alerts
    assert (alert.title, alert.fingerprint) == ("{", deep)


@pytest.mark.parametrize(
    ("body", "headers", "settings", "where"),
    [
        (b"status=firing&title=t", {}, {}, ""),  # No header identifies the body as a form.
        (b"status=firing", FORM, {}, "title"),
        (b"", FORM, {}, ""),
        (b"%ff=1", FORM, {}, ""),
        (b"", {}, {"encoding": "query"}, "status"),
    ],
)
def test_other_body_or_missing_field_is_reported(body, headers, settings, where):
    with pytest.raises(base.Unparsable) as caught:
        source(**settings).parse(body, headers, NOW)
    assert caught.value.where == where


def test_query_cannot_be_signed():
    with pytest.raises(pydantic.ValidationError, match="covers the body, not the query"):
        json.Config(encoding="query", signature={"scheme": "github", "secrets": ["s"]})


kinds = st.sampled_from(
    [
        b"",
        b"application/json",
        b"application/x-www-form-urlencoded",
        b"multipart/form-data; boundary=b",
        b"application/cloudevents+json",
        b"application/cloudevents-batch+json",
        b"text/plain",
        b"\xff",
    ]
)
attributes = st.dictionaries(
    st.sampled_from([b"ce-specversion", b"ce-id", b"ce-source", b"ce-type", b"ce-time", b"ce-subject", b"ce-status"]),
    st.sampled_from([b"1.0", b"a", b"", b"%ff", b"firing", b"2026-03-02T10:15:30Z", b'"\\', b"\xff"]),
)
bodies = st.one_of(
    st.binary(max_size=100),
    st.builds(
        lambda *fields: b"&".join(fields),
        st.sampled_from([b"status=ok", b"title={}", b"=", b"labels=[1]"]),
        st.binary(),
    ),
    st.lists(
        st.dictionaries(
            st.sampled_from(["specversion", "id", "source", "type", "subject", "data", "data_base64", "status"]),
            st.sampled_from(["1.0", "firing", "YQ==", 7, None, {"status": "ok", "dedup_key": "a"}, [{}]]),
        ),
        max_size=3,
    ).map(lambda found: standard_json.dumps(found[0] if len(found) == 1 else found).encode()),
)


@given(bodies, kinds, attributes, st.sampled_from([{}, {"encoding": "query"}, {"alerts": "data"}]))
def test_any_input_gives_alerts_or_unparsable(body, kind, named, settings):
    try:
        read = source(**settings).parse(body, {b"content-type": kind, **named}, NOW)
    except base.Unparsable as error:
        msgspec.json.encode([error.where, error.problem])
        return
    for alert in read.alerts:
        assert msgspec.msgpack.decode(msgspec.msgpack.encode(alert), type=alerts.Alert) == alert
        assert alert.fingerprint
