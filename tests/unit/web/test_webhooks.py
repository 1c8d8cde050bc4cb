"""The webhook server: accepted deliveries, refused deliveries, and the response to each sender."""

import json

import pytest

from router.domain import severities
from router.store import errors
from router.telemetry import metrics
from router.web import request_limits
from tests.unit.web import asgi_client

PROD = "/v1/webhooks/prod"
ANY = "/v1/webhooks/any"


def alert(fingerprint: str = "f1", status: str = "firing", **labels: str) -> dict:
    return {"status": status, "labels": labels, "fingerprint": fingerprint, "startsAt": "2026-03-02T10:15:30Z"}


def group(*alerts: dict, **top) -> bytes:
    return json.dumps({"version": "4", "status": "firing", "alerts": alerts, **top}).encode()


def post(store: asgi_client.Recording, body: bytes, path: str = PROD, **request) -> asgi_client.Answer:
    answer = asgi_client.send(asgi_client.web_server(store), path, chunks=(body,), **request)
    assert answer is not None
    return answer


def count(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(f"incident_router_{name}_total", labels) or 0.0


def test_delivery_response_lists_its_alerts_incidents():
    store = asgi_client.Recording()
    answer = post(store, group(alert("f1", region="eu"), alert("f2", env="staging"), alert("f3", "resolved")))
    ((entry, _),) = store.accepted
    assert answer.status == 202
    assert answer.headers[b"content-type"] == b"application/json"
    assert answer.json == {
        "delivery": entry.id,
        "alerts": [
            {"fingerprint": "f1", "decided_incident_key": "checkout/eu", "rule": "checkout-down"},
            {"fingerprint": "f2", "ignored": "no rule matches"},
            {"fingerprint": "f3", "decided_incident_key": "checkout/", "rule": "checkout-down"},
        ],
    }


def test_inbox_gets_alerts_decisions_and_the_original_body():
    store = asgi_client.Recording()
    body = group(alert("f1", region="eu"), alert("f2", env="staging"))
    post(store, body)
    ((entry, kept),) = store.accepted
    assert kept == body
    assert (entry.source, entry.received_at) == ("prod", asgi_client.NOW)
    assert entry.responses == [asgi_client.RESPONSE]
    assert [(row.alert.fingerprint, row.response, row.ignored) for row in entry.rows] == [
        ("f1", 0, ""),
        ("f2", -1, "no rule matches"),
    ]
    assert entry.rows[0].severity == severities.Severity.MAJOR


def test_every_delivery_has_its_own_id():
    store = asgi_client.Recording()
    web_server = asgi_client.web_server(store)
    for _ in range(3):
        asgi_client.send(web_server, PROD, chunks=(group(alert()),))
    assert len({entry.id for entry, _ in store.accepted}) == 3


def test_explanation_adds_severity_targets_and_position():
    answer = post(
        asgi_client.Recording(), group(alert(), alert("f2", env="staging"), receiver="r"), query=b"a=b&explain=true"
    )
    first, second = answer.json["alerts"]
    assert first["severity"] == "major"
    assert first["place"] == "a.yaml:3"
    assert first["rules_version"] == "v7"
    assert (first["owner"], first["runbook"]) == ("team-checkout", "look at the provider")
    assert first["targets"] == [{"destination": "on-call", "publish": "auto", "public": False}]
    assert first["because"] == [
        {"rule": "checkout-down", "place": "a.yaml:3", "asked": ['labels.service = "checkout"', "expr true"]}
    ]
    told = {"fingerprint": "f2", "status": "firing", "title": "", "test": False}
    assert second == {**told, "ignored": "no rule matches"}
    assert answer.json["about"]["receiver"] == "r"


@pytest.mark.parametrize("query", [b"explain=false", b"xexplain=true", b"explain=true1", b"explain"])
def test_only_explain_true_requests_an_explanation(query):
    assert "about" not in post(asgi_client.Recording(), group(alert()), query=query).json


def test_truncated_parts_are_reported_and_counted():
    before = count("truncated_alerts", source="prod")
    assert post(asgi_client.Recording(), group(alert(), truncatedAlerts=41)).json["truncated"] == 41
    assert count("truncated_alerts", source="prod") == before + 41


def test_delivery_without_alerts_is_accepted_without_entry():
    store = asgi_client.Recording()
    answer = post(store, group())
    assert (answer.status, answer.json["alerts"], store.accepted) == (202, [], [])


def test_rules_may_be_replaced_between_two_deliveries():
    store = asgi_client.Recording()
    web_server = asgi_client.web_server(store)
    web_server.decide = lambda alert, now: asgi_client.decide(alert, now).__class__(ignored="new rules")
    answer = asgi_client.send(web_server, PROD, chunks=(group(alert()),))
    assert answer.json["alerts"] == [{"fingerprint": "f1", "ignored": "new rules"}]


def test_alerts_and_decisions_are_counted_by_outcome():
    names = [("firing", 2), ("resolved", 1), ("ignored", 1)]
    before = {name: count("alerts", source="prod", outcome=name) for name, _ in names}
    ruled, unruled = count("decisions", rule="checkout-down"), count("decisions", rule="")
    accepted = count("deliveries", source="prod", outcome="accepted")
    post(asgi_client.Recording(), group(alert(), alert("f2"), alert("f3", "resolved"), alert("f4", env="staging")))
    assert [(name, count("alerts", source="prod", outcome=name) - before[name]) for name, _ in names] == names
    assert count("decisions", rule="checkout-down") == ruled + 3
    assert count("decisions", rule="") == unruled + 1
    assert count("deliveries", source="prod", outcome="accepted") == accepted + 1


@pytest.mark.parametrize("path", ["/v1/webhooks/", "/v1/webhooks/nope", "/v1/webhooks/prod/", "/v1/webhooks/PROD"])
def test_unknown_source_is_404_without_naming_sources(path):
    answer = post(asgi_client.Recording(), group(alert()), path)
    assert answer.status == 404
    assert answer.json["type"] == "urn:incident-router:problem:unknown-source"
    assert answer.json["instance"] == path
    assert not any(name in answer.json["detail"] for name in ("prod", "any", "open"))


@pytest.mark.parametrize(
    "header", [(), ((b"authorization", b"Bearer wrong"),), ((b"authorization", b"Basic dG9rZW4="),)]
)
def test_wrong_credentials_are_401_before_body_is_read(header):
    store = asgi_client.Recording()
    answer = asgi_client.send(asgi_client.web_server(store), PROD, chunks=(), headers=header)
    assert answer.status == 401
    assert answer.headers[b"www-authenticate"].startswith(b"Bearer, Basic realm=")
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert b"token" not in answer.body
    assert (store.accepted, store.kept) == ([], [])


def test_basic_credentials_and_open_sources_are_accepted():
    assert (
        post(asgi_client.Recording(), group(alert()), headers=[(b"authorization", b"Basic YW5uOndvcmQ=")]).status == 202
    )
    assert (
        post(asgi_client.Recording(), b'{"status":"ok","dedup_key":"a"}', "/v1/webhooks/open", headers=[]).status == 202
    )


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_other_method_is_405_naming_the_right_one(method):
    answer = asgi_client.send(asgi_client.web_server(asgi_client.Recording()), PROD, method=method)
    assert (answer.status, answer.headers[b"allow"]) == (405, b"POST")


def test_body_may_arrive_in_several_chunks():
    store = asgi_client.Recording()
    body = group(alert())
    answer = asgi_client.send(asgi_client.web_server(store), PROD, chunks=(body[:5], b"", body[5:20], body[20:]))
    assert (answer.status, store.accepted[0][1]) == (202, body)


@pytest.mark.parametrize("length", [b"101", b"9" * 18, b"9" * 5000])
def test_announced_oversize_body_is_413_before_reading(length):
    headers = [(b"authorization", b"Bearer token"), (b"content-length", length)]
    answer = asgi_client.send(
        asgi_client.web_server(asgi_client.Recording(), limits=request_limits.RequestLimits(100)),
        PROD,
        chunks=(),
        headers=headers,
    )
    assert (answer.status, answer.json["limit_bytes"]) == (413, 100)


@pytest.mark.parametrize("chunks", [(b"x" * 101,), (b"x" * 60, b"x" * 41, None), (b"", b"x" * 101, None)])
def test_growing_oversize_body_is_413_immediately(chunks):
    assert (
        asgi_client.send(
            asgi_client.web_server(asgi_client.Recording(), limits=request_limits.RequestLimits(100)),
            PROD,
            chunks=chunks,
        ).status
        == 413
    )


def test_body_of_exactly_the_limit_is_accepted():
    body = group(alert())
    assert (
        asgi_client.send(
            asgi_client.web_server(asgi_client.Recording(), limits=request_limits.RequestLimits(len(body))),
            PROD,
            chunks=(body,),
        ).status
        == 202
    )
    assert (
        asgi_client.send(
            asgi_client.web_server(asgi_client.Recording(), limits=request_limits.RequestLimits(len(body) - 1)),
            PROD,
            chunks=(body,),
        ).status
        == 413
    )


@pytest.mark.parametrize("chunks", [(None,), (b"{", None), (group(alert())[:30], b"", None)])
def test_delivery_of_a_disconnected_sender_is_not_accepted(chunks):
    store = asgi_client.Recording()
    before = count("deliveries", source="prod", outcome="disconnected")
    assert asgi_client.send(asgi_client.web_server(store), PROD, chunks=chunks) is None
    assert (store.accepted, store.kept) == ([], [])
    assert count("deliveries", source="prod", outcome="disconnected") == before + 1


def test_unavailable_redis_is_503_with_retry_after():
    store = asgi_client.Recording(errors.Unavailable("Redis cannot be reached", 7))
    answer = post(store, group(alert()))
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"7")
    assert "Redis cannot be reached" in answer.json["detail"]
