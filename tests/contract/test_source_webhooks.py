"""Deliveries of every kind at the webhook server are accepted or quarantined, and never cause an internal error."""

import json
from pathlib import Path

import pytest

from router.sources import registry
from router.store import errors
from router.telemetry import metrics
from tests.unit.web import asgi_client

DATA = Path(__file__).parent.parent / "data" / "sources"
CASES = sorted(DATA.glob("*/*.json"))
KINDS = sorted(registry.KINDS)
SEVERAL = ["alertmanager", "grafana"]  # These kinds put several alerts into one delivery.


def count_quarantined() -> float:
    return metrics.REGISTRY.get_sample_value("incident_router_quarantined_total", {"source": "here"}) or 0.0


def post(
    kind: str, body: bytes, settings: dict | None = None, query: bytes = b"explain=true"
) -> tuple[asgi_client.Answer, asgi_client.Recording]:
    store = asgi_client.Recording()
    config = registry.KINDS[kind].config(auth="none", **(settings or {}))
    web_server = asgi_client.web_server(store, endpoints={"here": registry.build("here", config)})
    answer = asgi_client.send(web_server, "/v1/webhooks/here", chunks=(body,), headers=(), query=query)
    assert answer is not None
    return answer, store


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_delivery_s_alerts_reach_the_inbox(path):
    case = json.loads(path.read_text())
    answer, store = post(path.parent.name, json.dumps(case["body"]).encode(), case.get("settings"))
    assert answer.status == 202
    assert store.kept == []
    arrived = [row.alert.fingerprint for entry, _ in store.accepted for row in entry.rows]
    assert arrived == [alert["fingerprint"] for alert in case["alerts"]]


@pytest.mark.parametrize("kind", KINDS)
def test_unreadable_body_is_quarantined_with_the_kind_s_status(kind):
    answer, store = post(kind, b'{"cannot": ["be", "read"]}')
    assert answer.status == registry.KINDS[kind].unparsable_status
    assert answer.json["quarantined"] == "kept-1"
    assert answer.json["problem"]
    ((source, body, *_),) = store.kept
    assert (source, body) == ("here", b'{"cannot": ["be", "read"]}')
    assert store.accepted == []


WITHOUT_ALERTS = [path for path in CASES if not json.loads(path.read_text())["alerts"]]


@pytest.mark.parametrize("path", WITHOUT_ALERTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_delivery_without_alerts_gets_the_reason(path):
    case = json.loads(path.read_text())
    answer, store = post(path.parent.name, json.dumps(case["body"]).encode(), case.get("settings"))
    assert answer.json["about"]["no_alert"]
    assert store.accepted == []


@pytest.mark.parametrize("action", ["trigger", "acknowledge", "resolve"])
def test_pagerduty_client_gets_pagerduty_s_response(action):
    event = {"event_action": action, "dedup_key": "k", "payload": {"summary": "s", "source": "h", "severity": "info"}}
    answer, _ = post("pagerduty-events", json.dumps(event).encode(), query=b"")
    assert answer.status == 202
    assert answer.headers[b"content-type"] == b"application/json"
    assert answer.json == {"status": "success", "message": "Event processed", "dedup_key": "k"}


def test_pagerduty_client_without_key_gets_its_derived_key():
    event = {"event_action": "trigger", "payload": {"summary": "s", "source": "h", "severity": "info"}}
    answer, store = post("pagerduty-events", json.dumps(event).encode(), query=b"")
    ((entry, _),) = store.accepted
    assert answer.json["dedup_key"] == entry.rows[0].alert.fingerprint


def test_incident_io_client_gets_incident_io_s_response():
    event = {"title": "t", "status": "firing", "deduplication_key": "k"}
    answer, _ = post("incident-io-alerts", json.dumps(event).encode(), query=b"")
    assert answer.status == 202
    assert answer.json == {"status": "success", "message": "Event accepted for processing", "deduplication_key": "k"}


def test_explain_request_overrides_the_kind_s_response():
    event = {"event_action": "resolve", "dedup_key": "k"}
    answer, _ = post("pagerduty-events", json.dumps(event).encode())
    assert [alert["fingerprint"] for alert in answer.json["alerts"]] == ["k"]


def make_mixed_delivery(kind: str) -> bytes:
    """Return a valid delivery of the kind that contains one unreadable alert."""
    body = json.loads((DATA / kind / "firing.json").read_text())["body"]
    return json.dumps({**body, "alerts": [{"status": "neither"}, *body["alerts"]]}).encode()


@pytest.mark.parametrize("kind", SEVERAL)
def test_valid_alerts_are_accepted_and_invalid_ones_quarantined(kind):
    before = count_quarantined()
    answer, store = post(kind, make_mixed_delivery(kind), query=b"")
    ((entry, _),) = store.accepted
    ((source, body, _, problem, _),) = store.kept
    assert (answer.status, answer.json["quarantined"]) == (202, "kept-1")
    assert (answer.json["where"], source) == ("alerts[0].status", "here")
    assert answer.json["problem"] in problem
    assert [row["fingerprint"] for row in answer.json["alerts"]] == [row.alert.fingerprint for row in entry.rows]
    assert json.loads(body)["alerts"] == [{"status": "neither"}]
    assert count_quarantined() == before + 1
    explained, _ = post(kind, make_mixed_delivery(kind))
    assert explained.json["quarantined"] == "kept-1"


@pytest.mark.parametrize("kind", SEVERAL)
def test_replayed_invalid_alert_gives_the_same_error(kind):
    _, store = post(kind, make_mixed_delivery(kind), query=b"")
    again, kept = post(kind, store.kept[0][1], query=b"")
    assert (again.status, again.json["where"]) == (202, "alerts[0].status")
    assert len(kept.kept) == 1


@pytest.mark.parametrize("kind", SEVERAL)
def test_delivery_is_retried_while_quarantine_is_full(kind):
    class Full(asgi_client.Recording):
        async def add(self, *_: object) -> str:
            raise errors.Unavailable("the quarantine is full", 5)

    store = Full()
    config = registry.KINDS[kind].config(auth="none")
    web_server = asgi_client.web_server(store, endpoints={"here": registry.build("here", config)})
    answer = asgi_client.send(web_server, "/v1/webhooks/here", chunks=(make_mixed_delivery(kind),), headers=())
    assert answer is not None
    assert answer.status == 503
    assert b"retry-after" in answer.headers
