"""The limits of one request, each at its bound and just above."""

import contextlib
import gzip
import json
import random
import time
import zlib

import msgspec
import pytest

from router.domain import alerts, notices
from router.sources import base, registry
from router.web import problems, request_limits
from tests.unit.web import asgi_client

BODY = json.dumps({"status": "firing", "title": "t", "dedup_key": "a"}).encode()
ANY = "/v1/webhooks/any"


def make_nested(depth: int, around: str = "[]") -> bytes:
    opening, closing = around[0], around[-1]
    inner = f'"k"{":" if opening == "{" else ""}' if opening == "{" else ""
    text = ""
    for _ in range(depth):
        text = f"{opening}{inner}{text or ('1' if opening == '{' else '')}{closing}"
    return text.encode()


@pytest.mark.parametrize("around", ["[]", "{}"])
def test_json_may_be_nested_up_to_the_limit(around):
    request_limits.check_depth(make_nested(32, around), 32)
    with pytest.raises(base.Unparsable, match="nested more than 32 deep"):
        request_limits.check_depth(make_nested(33, around), 32)


def test_brackets_in_texts_do_not_count_as_nesting():
    request_limits.check_depth(json.dumps({"a": "[" * 500 + '"\\' + "{" * 500, "b": "\\\\", "c": [[1]]}).encode(), 32)


def get_depth(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(get_depth, value.values()), default=0)
    return 1 + max(map(get_depth, value), default=0) if isinstance(value, list) else 0


def test_measured_depth_agrees_with_a_parser():
    chance = random.Random(11)

    def made(room: int) -> object:
        shape = chance.randrange(4) if room else 3
        if shape == 0:
            return [made(room - 1) for _ in range(chance.randrange(4))]
        if shape == 1:
            return {chance.choice(['a"[', "b\\", "c{"]) + str(n): made(room - 1) for n in range(chance.randrange(4))}
        return chance.choice(['x]"', "\\", '\\"[[', 1, None, "{}"])

    refused = 0
    for _ in range(2000):
        value = made(8)
        body = json.dumps(value).encode()
        try:
            request_limits.check_depth(body, 4)
        except base.Unparsable:
            refused += 1
            assert get_depth(value) > 4
        else:
            assert get_depth(value) <= 4
    assert refused > 20


def make_alert(**changes: object) -> alerts.Alert:
    return msgspec.structs.replace(alerts.Alert("s", "f", "firing", 1, 0, "t", {"a": "b"}, {"c": "d"}), **changes)


LARGE = b"x" * 100_000
LIMITS = request_limits.RequestLimits(alerts=3, labels=4, value_bytes=100)


def test_alerts_within_the_limits_are_unchanged():
    parsed = base.Parsed([make_alert(), make_alert(fingerprint="g", labels={str(n): "v" * 100 for n in range(4)})])
    assert request_limits.cut_to_limits(parsed, LARGE, LIMITS) == parsed


def test_alerts_beyond_the_limit_are_dropped_with_notice():
    found = request_limits.cut_to_limits(base.Parsed([make_alert(fingerprint=str(n)) for n in range(5)]), b"", LIMITS)
    assert [alert.fingerprint for alert in found.alerts] == ["0", "1", "2"]
    (notice,) = found.notices
    assert (notice.code, notice.where, notice.fingerprint, notice.count) == ("alerts_truncated", "alerts", "", 2)
    assert "5 alerts arrived, and the first 3 are read (web.max_alerts)" in notice.detail


def test_labels_referenced_by_rules_are_kept_first():
    """Without these labels, no rule would match the alert, or the alert would join another incident."""
    many = {"a": "1", "b": "2", "c": "3", "team": "web", "severity": "critical", "zone": "eu"}
    found = request_limits.cut_to_limits(
        base.Parsed([make_alert(labels=many)]), LARGE, LIMITS, lambda: {"team", "zone"}
    )
    assert found.alerts[0].labels == {"a": "1", "team": "web", "severity": "critical", "zone": "eu"}
    (notice,) = found.notices
    assert (notice.code, notice.where, notice.fingerprint, notice.count) == ("labels_truncated", "labels", "f", 2)
    assert "6 arrived, and 4 are kept (web.max_labels); left out: 'b', 'c'" in notice.detail


def test_annotations_beyond_the_limit_are_dropped():
    found = request_limits.cut_to_limits(
        base.Parsed([make_alert(annotations={str(n): "v" for n in range(9)})]), LARGE, LIMITS
    )
    assert list(found.alerts[0].annotations) == ["0", "1", "2", "3"]
    assert "left out: '4', '5', '6', '7', '8'" in found.notices[0].detail


@pytest.mark.parametrize("place", ["value", "name", "fingerprint"])
def test_identifying_texts_stay_distinct_when_truncated(place):
    """Truncation never makes two fingerprints, or two values that rules group by, equal."""

    def long(ending: str) -> alerts.Alert:
        text = "ü" * 60 + ending
        if place == "fingerprint":
            return make_alert(fingerprint=text)
        return make_alert(labels={"host": text} if place == "value" else {text: "v"})

    first, same, other = request_limits.cut_to_limits(
        base.Parsed([long("a"), long("a"), long("b")]), LARGE, LIMITS
    ).alerts
    assert first == same != other
    texts = [first.fingerprint, *first.labels, *first.labels.values()]
    assert all(len(text.encode()) <= 100 for text in texts)
    assert any(text.startswith("ü" * 32 + "…") for text in texts)


def test_truncated_texts_give_one_notice_per_alert():
    long = make_alert(labels={"host": "v" * 101, "other": "v" * 102}, severity="s" * 200)
    (notice,) = request_limits.cut_to_limits(base.Parsed([long, make_alert(fingerprint="g")]), LARGE, LIMITS).notices
    assert (notice.code, notice.where, notice.fingerprint, notice.count) == ("value_truncated", "labels.host", "f", 3)
    assert notice.detail == "101 bytes, and at most 100 are kept (web.max_value_bytes); and 2 more texts"


def test_notices_are_limited_and_the_rest_counted():
    limits = request_limits.RequestLimits(alerts=1000, labels=1)
    many = [make_alert(fingerprint=str(n), labels={"a": "1", "b": "2"}) for n in range(500)]
    found = request_limits.cut_to_limits(base.Parsed(many), LARGE, limits)
    assert len(found.notices) == notices.MAX_PER_CODE + 1
    assert sum(notice.count for notice in found.notices) == 500
    assert found.notices[-1].detail == f"{500 - notices.MAX_PER_CODE} more changes of this kind"


def test_notices_of_the_source_are_kept():
    notice = notices.Notice("time_unreadable", "starts_at", "the time of receipt is used", "f")
    found = request_limits.cut_to_limits(base.Parsed([make_alert()], notices=(notice,)), b"", LIMITS)
    assert found.notices == (notice,)


def test_long_texts_are_truncated_and_long_links_omitted():
    long = make_alert(annotations={"text": "ü" * 80, "short": "s"}, title="t" * 101, link="https://x/" + "y" * 100)
    (cut,) = request_limits.cut_to_limits(base.Parsed([long]), LARGE, LIMITS).alerts
    assert cut.annotations == {"text": "ü" * 48 + "…", "short": "s"}
    assert len(cut.annotations["text"].encode()) <= 100
    assert (cut.title, cut.link) == ("t" * 97 + "…", "")


def test_values_are_counted_before_parsing():
    request_limits.check_value_count(json.dumps({"a": [{}] * 97}).encode(), 100 + 97)
    request_limits.check_value_count(json.dumps({"a": ',[{"\\' * 1000, "b": "\\", "c": [1, 2]}).encode(), 10)
    with pytest.raises(base.Unparsable, match=r"holds 200 values, and the limit is 199"):
        request_limits.check_value_count(json.dumps([{}] * 100).encode(), 199)


@pytest.mark.parametrize(
    "body",
    [b"[" + b"{}," * 5_000_000 + b"{}]", b'"' + b'\\"' * 8_000_000 + b'"', b'["[",' * 3_000_000, b"[" * 16_000_000],
    ids=["objects", "escapes", "brackets in texts", "depth"],
)
def test_any_16_mib_body_is_measured_quickly(body):
    begun = time.process_time()
    for check in (request_limits.check_value_count, request_limits.check_depth):
        with contextlib.suppress(base.Unparsable):
            check(body, 32 if check is request_limits.check_depth else request_limits.RequestLimits().values)
            continue
        break
    assert time.process_time() - begun < 5


@pytest.mark.parametrize(("name", "pack"), [(b"gzip", gzip.compress), (b"deflate", zlib.compress)])
def test_compressed_body_is_decompressed_and_accepted(name, pack):
    store = asgi_client.Recording()
    headers = [(b"authorization", b"Bearer token"), (b"content-encoding", name)]
    answer = asgi_client.send(asgi_client.web_server(store), ANY, chunks=(pack(BODY),), headers=headers)
    assert answer.status == 202
    assert store.accepted[0][1] == BODY


@pytest.mark.parametrize(
    ("encoding", "body", "status"),
    [
        (b"gzip", gzip.compress(b" " * 100_001), 413),
        (b"gzip", gzip.compress(b" " * 100_000)[:-9], 400),
        (b"gzip", b"no gzip at all", 400),
        (b"br", BODY, 415),
    ],
)
def test_body_that_cannot_be_decompressed_is_refused(encoding, body, status):
    store = asgi_client.Recording()
    headers = [(b"authorization", b"Bearer token"), (b"content-encoding", encoding)]
    web_server = asgi_client.web_server(store, limits=request_limits.RequestLimits(100_000))
    answer = asgi_client.send(web_server, ANY, chunks=(body,), headers=headers)
    assert (answer.status, store.accepted, store.kept) == (status, [], [])
    assert answer.json["detail"]


def test_every_member_of_a_gzip_body_is_read():
    """Compression programs write several members. The router once dropped all but the first, and returned 202."""
    first, second = BODY[:20], BODY[20:]
    members = gzip.compress(first) + gzip.compress(second)
    assert request_limits.inflate(members + b"\0" * 100, b"gzip", 1000) == BODY
    with pytest.raises(problems.Problem, match="longer than the"):
        request_limits.inflate(members, b"gzip", len(BODY) - 1)
    with pytest.raises(problems.Problem, match="does not match its content encoding"):
        request_limits.inflate(members + b"rest", b"gzip", 1000)
    with pytest.raises(problems.Problem, match="more than 100 members"):
        request_limits.inflate(gzip.compress(b"") * 200, b"gzip", 1000)


def test_only_a_single_content_encoding_is_supported():
    assert request_limits.inflate(BODY, b"identity", 1000) == BODY
    with pytest.raises(problems.Problem, match="content encoding is not supported"):
        request_limits.inflate(gzip.compress(gzip.compress(BODY)), b"gzip, gzip", 1000)


def test_decompression_stops_at_the_size_limit():
    bomb = gzip.compress(b"\0" * 50_000_000)
    with pytest.raises(problems.Problem, match="longer than the limit of 1000 bytes"):
        request_limits.inflate(bomb, b"gzip", 1000)


def test_body_nested_too_deeply_is_quarantined():
    store = asgi_client.Recording()
    body = b'{"status": "firing", "labels": ' + make_nested(40, "{}") + b"}"
    answer = asgi_client.send(asgi_client.web_server(store), ANY, chunks=(body,))
    assert answer.status == 422
    assert "max_depth" in answer.json["detail"]
    assert store.kept[0][1] == body


WRONG = [b"NaN", b"Infinity", b"-Infinity", b'"\\ud800"', b'"\xed\xa0\x80"', b'"\xe9"', b'"a\nb"', b"1e999"]


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_invalid_value_is_repaired_or_quarantined(kind, value):
    store = asgi_client.Recording()
    endpoint = registry.build("here", registry.KINDS[kind].config(auth="none"))
    body = b'{"status": "firing", "title": ' + value + b"}"
    answer = asgi_client.send(
        asgi_client.web_server(store, endpoints={"here": endpoint}), "/v1/webhooks/here", chunks=(body,)
    )
    if store.accepted:
        assert answer.status == 202
        assert store.accepted[0][0].notices[0].code == "body_repaired"
    else:
        assert answer.status == registry.KINDS[kind].unparsable_status
        assert store.kept[0][1] == body


@pytest.mark.parametrize("value", WRONG)
def test_invalid_unused_value_does_not_lose_alerts(value):
    store = asgi_client.Recording()
    body = b'{"status": "firing", "title": "a", "dedup_key": "a", "output": ' + value + b"}"
    assert asgi_client.send(asgi_client.web_server(store), ANY, chunks=(body,)).status == 202
    (notice,) = store.accepted[0][0].notices
    assert (notice.code, notice.where) == ("body_repaired", "body")


def test_repair_keeps_the_depth_limit():
    store = asgi_client.Recording()
    body = b'{"status": "firing", "title": "a", "x": "\xe9", "labels": ' + make_nested(40, "{}") + b"}"
    assert asgi_client.send(asgi_client.web_server(store), ANY, chunks=(body,)).status == 422
    assert store.kept[0][1] == body


def test_last_of_duplicate_keys_applies():
    store = asgi_client.Recording()
    body = b'{"status": "firing", "title": "first", "dedup_key":"a", "title": "last"}'
    assert asgi_client.send(asgi_client.web_server(store), ANY, chunks=(body,)).status == 202
    assert store.accepted[0][0].rows[0].alert.title == "last"


@pytest.mark.parametrize(
    ("path", "headers", "body", "counted"),
    [
        (ANY, [(b"authorization", b"Bearer token")], b" " * 101_000, 1),
        (ANY, [(b"authorization", b"Bearer token"), (b"content-encoding", b"br")], BODY, 1),
        (ANY, [(b"authorization", b"Bearer wrong")], b" " * 101_000, 0),
        ("/v1/webhooks/pages", [], b" " * 101_000, 0),
        ("/v1/webhooks/signed", [], b" " * 101_000, 0),
    ],
    ids=["too large", "encoding", "not authenticated", "token in the body", "unsigned"],
)
def test_refused_authentic_deliveries_count_as_unreadable(path, headers, body, counted):
    """The worker opens an incident about them. Unauthenticated senders can't cause one."""
    store = asgi_client.Recording()
    kinds = registry.KINDS
    secret = {"scheme": "github", "secrets": ["word"]}
    endpoints = {
        "any": registry.build("any", kinds["json"].config(bearer=["token"])),
        "pages": registry.build("pages", kinds["json"].config(token={"member": "key", "values": ["word"]})),
        "signed": registry.build("signed", kinds["json"].config(signature=secret)),
    }
    web_server = asgi_client.web_server(store, limits=request_limits.RequestLimits(100_000), endpoints=endpoints)
    assert asgi_client.send(web_server, path, chunks=(body,), headers=headers).status in {401, 413, 415}
    assert len(store.refusals) == counted


ALERT = '{"status":"firing","title":"t%d","dedup_key":"k%d","labels":{"alertname":"a%d"},"annotations":{}}'
FORMS = {
    "json": "[%s]",
    "prometheus": "[%s]",
    "alertmanager": '{"version":"4","alerts":[%s]}',
    "grafana": '{"version":"1","alerts":[%s]}',
}


@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize("bad", ["", ",{}", ",7"])
def test_alerts_beyond_the_limit_are_only_counted(kind, bad):
    endpoint = registry.build("s", registry.KINDS[kind].config.model_validate({"kind": kind, "auth": "none"}))
    items = ",".join(ALERT.replace("%d", str(number)) for number in range(6))
    body = (FORMS[kind] % (items + bad * 2)).encode()
    found = request_limits.read(endpoint, body, {}, 1_772_450_000_000_000, bounds=LIMITS)
    assert [alert.labels["alertname"] for alert in found.alerts] == ["a0", "a1", "a2"]
    (notice,) = (each for each in found.notices if each.code == "alerts_truncated")
    assert notice.count == (5 if bad else 3)


def test_million_unreadable_values_are_refused_quickly():
    endpoint = registry.build("s", registry.KINDS["json"].config.model_validate({"kind": "json", "auth": "none"}))
    wide = request_limits.RequestLimits(bytes_in_flight=256 * 1024 * 1024)
    body = b"[" + ALERT.replace("%d", "1").encode() + b",{}" * 500_000 + b"]"
    before = time.process_time()
    found = request_limits.read(endpoint, body, {}, 1_772_450_000_000_000, bounds=wide)
    assert len(found.alerts) == 1
    assert found.rejected is not None
    assert len(found.rejected.body) < 100_000
    assert time.process_time() - before < 30


def test_value_limit_follows_the_body_memory():
    mib = 1024 * 1024
    assert request_limits.RequestLimits().values == 64 * mib // 100
    assert request_limits.RequestLimits(bytes_in_flight=256 * mib).values == mib
    assert request_limits.RequestLimits(bytes_in_flight=mib).values == 65_536
