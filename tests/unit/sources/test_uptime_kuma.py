"""Uptime Kuma's notifications in each encoding, beyond the contract's cases."""

import json
import urllib.parse

import pytest

from router.sources import base, reading, registry, uptime_kuma

NOW = 1_772_450_000_000_000
SOURCE = registry.build("here", uptime_kuma.Config(auth="none")).source
BODY = {"heartbeat": {"monitorID": 7, "status": 0}, "monitor": {"id": 7, "name": "m"}, "msg": 'it is "down" \u2013 🔴'}


def parse_one(monitor: dict | None = None, **heartbeat):
    whole = {"heartbeat": {"status": 0, **heartbeat}, "monitor": {"id": 7, **(monitor or {})}, "msg": "g"}
    return uptime_kuma.read(reading.Reading("here", NOW), whole).alerts[0]


def multipart(**fields: str) -> tuple[bytes, dict[bytes, bytes]]:
    parts = [f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n' for name, text in fields.items()]
    return ("".join(parts) + "--b--\r\n").encode(), {b"content-type": b"multipart/form-data; boundary=b"}


def form(**fields: str) -> tuple[bytes, dict[bytes, bytes]]:
    return urllib.parse.urlencode(fields).encode(), {b"content-type": b"application/x-www-form-urlencoded"}


def make_members() -> dict[str, str]:
    return {"msg": BODY["msg"], "heartbeat": json.dumps(BODY["heartbeat"]), "monitor": json.dumps(BODY["monitor"])}


ENCODINGS = {
    "json": (json.dumps(BODY).encode(), {b"content-type": b"application/json"}),
    "json without a type": (b" \n" + json.dumps(BODY).encode(), {}),
    "json that is called a form": (json.dumps(BODY).encode(), form()[1]),
    "a field of a multipart form": multipart(data=json.dumps(BODY)),
    "a field of a form": form(data=json.dumps(BODY)),
    "a form of members": form(**make_members()),
    "a multipart form of members": multipart(**make_members()),
}


@pytest.mark.parametrize("encoded", ENCODINGS.values(), ids=ENCODINGS)
def test_every_encoding_is_the_same_alert(encoded):
    assert SOURCE.parse(*encoded, NOW) == uptime_kuma.read(reading.Reading("here", NOW), BODY)


@pytest.mark.parametrize(
    "encoded",
    [
        form(msg="t", heartbeat="null", monitor="null"),
        form(msg="t", heartbeat="", monitor=""),
        multipart(data='{"heartbeat":null,"monitor":null,"msg":"t"}'),
    ],
)
def test_test_message_makes_no_alert_in_any_encoding(encoded):
    parsed = SOURCE.parse(*encoded, NOW)
    assert parsed.alerts == []
    assert parsed.about["message"] == "t"


@pytest.mark.parametrize(
    ("encoded", "problem"),
    [
        (form(text="x"), "neither JSON, nor a form"),
        ((b"hello", {}), "neither JSON, nor a form"),
        (multipart(text="x"), "neither JSON, nor a form"),
        (multipart(data="x"), "the body has to be JSON"),
        (form(heartbeat="[]", monitor="{}"), "Expected `object`, got `array`"),
        ((b"[]", {}), "Expected `object`, got `array`"),
        ((multipart(data="{}")[0], {b"content-type": b"multipart/form-data"}), "names no boundary"),
        ((b"--x", multipart()[1]), "the form is malformed"),
    ],
)
def test_body_in_unknown_encoding_is_refused(encoded, problem):
    with pytest.raises(base.Unparsable, match=problem.replace("[", "\\[")):
        SOURCE.parse(*encoded, NOW)


@pytest.mark.parametrize(
    ("body", "where", "problem"),
    [
        ({"msg": "x"}, "heartbeat", "set the preset application/json"),
        ({"heartbeat": 7}, "heartbeat", "an object"),
        ({"heartbeat": {"status": 4}}, "heartbeat.status", "'4' is not 0"),
        ({"heartbeat": {}}, "heartbeat.status", "'' is not 0"),
        ({"heartbeat": {"status": 0}}, "monitor.id", "missing or empty"),
    ],
)
def test_invalid_body_is_refused_with_its_field(body, where, problem):
    with pytest.raises(base.Unparsable) as caught:
        uptime_kuma.read(reading.Reading("here", NOW), body)
    assert caught.value.where == where
    assert problem in caught.value.problem


@pytest.mark.parametrize(
    ("status", "expected"), [(0, ["firing"]), ("0", ["firing"]), (1, ["resolved"]), (2, []), (3, [])]
)
def test_down_fires_and_up_resolves_the_alert(status, expected):
    body = {"heartbeat": {"status": status, "monitorID": 7}}
    assert [alert.status for alert in uptime_kuma.read(reading.Reading("here", NOW), body).alerts] == expected


def test_times_without_zone_are_utc():
    alert = parse_one(time="2026-03-02 09:15:30.500", timezone="Asia/Tokyo", localDateTime="2026-03-02 18:15:30")
    assert alert.starts_at == 1_772_442_930_500_000


def test_repeat_while_down_is_older_than_the_end():
    repeat = parse_one(time="2026-03-02 09:20:00.000")
    over = parse_one(status=1, time="2026-03-02 09:30:00.000", lastDownTime="2026-03-02 09:15:00.000")
    assert over.starts_at > repeat.starts_at


def test_tags_are_labels_and_set_the_severity():
    tags = [{"name": "severity", "value": "p1"}, {"name": "public", "value": ""}, {"name": "a", "value": "1"}]
    labels = parse_one(
        {"tags": [*tags, {"name": "a", "value": "2"}, {"value": "x"}, None], "name": "n", "type": "port"}
    )
    assert labels.labels == {"severity": "p1", "public": "true", "a": "1,2", "monitor": "n", "type": "port"}
    assert labels.severity == "p1"


@pytest.mark.parametrize(
    ("url", "link"), [("https://", ""), ("", ""), (None, ""), ("https://x.example", "https://x.example")]
)
def test_placeholder_url_is_not_a_link(url, link):
    assert parse_one({"url": url}).link == link


def test_monitor_without_name_is_named_by_its_message():
    assert (parse_one().title, parse_one({"name": "n"}).title) == ("g", "n")
