"""Unreadable bodies and internal errors at the webhook server: deliveries are kept, and responses leak nothing."""

import asyncio
import io
import json
from collections.abc import Iterator

import pytest
import structlog

from router.domain import deliveries
from router.sources import alertmanager
from router.store import errors
from router.telemetry import log, metrics
from router.web import request_limits, webhooks
from tests.unit.web import asgi_client

PROD = "/v1/webhooks/prod"
ANY = "/v1/webhooks/any"
HEADERS = [
    (b"authorization", b"Bearer token"),
    (b"content-type", b"application/json"),
    (b"user-agent", b"agent\xe9"),
    (b"cookie", b"session=hunter2"),
    (b"x-api-key", b"hunter2"),
    (b"x-gitlab-token", b"hunter2"),
    (b"x-hook-signature", b"hunter2"),
]


@pytest.fixture
def log_stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    log.configure(stream=stream)
    yield stream
    structlog.reset_defaults()


def post(store: asgi_client.Recording, body: bytes, path: str, **settings) -> asgi_client.Answer:
    answer = asgi_client.send(asgi_client.web_server(store, **settings), path, chunks=(body,), headers=HEADERS)
    assert answer is not None
    return answer


def count_quarantined(source: str) -> float:
    return metrics.REGISTRY.get_sample_value("incident_router_quarantined_total", {"source": source}) or 0.0


def test_unparsable_body_is_quarantined_with_status_422():
    store = asgi_client.Recording()
    before = count_quarantined("any")
    answer = post(store, b'{"status":"purple"}', ANY)
    assert answer.status == 422
    assert answer.headers[b"content-type"] == b"application/problem+json"
    assert (answer.json["where"], answer.json["quarantined"]) == ("status", "kept-1")
    assert "'purple' isn't a known status" in answer.json["problem"]
    assert count_quarantined("any") == before + 1


def test_alertmanager_gets_202_for_a_quarantined_body():
    store = asgi_client.Recording()
    answer = post(store, b'{"version":"1","alerts":[]}', PROD)
    assert answer.status == 202
    assert answer.json["quarantined"] == "kept-1"
    assert answer.json["where"] == "version"
    assert store.accepted == []


def test_quarantine_keeps_the_body_and_harmless_headers():
    store = asgi_client.Recording()
    post(store, b"\xff not json", ANY)
    ((source, body, headers, problem, now),) = store.kept
    assert (source, body, now) == ("any", b"\xff not json", asgi_client.NOW)
    assert headers == {"content-type": "application/json", "user-agent": "agent\xe9"}
    assert "JSON" in problem


@pytest.mark.parametrize("path", [PROD, ANY])
def test_body_that_cannot_be_stored_is_503(path):
    store = asgi_client.Recording(errors.Unavailable("Redis is out of memory", 30))
    answer = post(store, b"nonsense", path)
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"30")


def test_failing_rule_is_500_and_keeps_the_body(log_stream):
    def broken(_alert, _now):
        raise ZeroDivisionError("a secret detail")

    store = asgi_client.Recording()
    answer = post(store, b'{"status":"firing","title":"t"}', ANY, decide=broken)
    assert (answer.status, answer.json["quarantined"]) == (500, "kept-1")
    assert b"secret detail" not in answer.body
    assert b"ZeroDivisionError" not in answer.body
    events = [json.loads(line) for line in log_stream.getvalue().splitlines()]
    assert events[0]["event"] == "delivery_undecided"
    assert events[0]["exception"][0]["exc_type"] == "ZeroDivisionError"


def test_failing_parser_is_500_and_keeps_the_body(monkeypatch):
    def broken(*_arguments):
        raise LookupError

    monkeypatch.setattr(alertmanager.Alertmanager, "parse", broken)
    store = asgi_client.Recording()
    assert post(store, b"{}", PROD).status == 500
    assert store.kept[0][3] == "the router failed: LookupError"


def test_failing_inbox_is_500_without_a_stack_trace(log_stream):
    answer = post(asgi_client.Recording(RuntimeError("internal detail")), b'{"status":"ok","dedup_key":"a"}', ANY)
    assert (answer.status, answer.json["type"]) == (500, "urn:incident-router:problem:internal")
    assert b"internal detail" not in answer.body
    assert "internal detail" in log_stream.getvalue()


def test_log_has_refusals_and_no_secrets(log_stream):
    web_server = asgi_client.web_server(asgi_client.Recording())
    asgi_client.send(web_server, PROD, headers=[(b"authorization", b"Bearer hunter2")])
    asgi_client.send(web_server, ANY, chunks=(b"nonsense",), headers=HEADERS)
    events = [json.loads(line) for line in log_stream.getvalue().splitlines()]
    assert [(event["event"], event.get("status")) for event in events] == [
        ("delivery_refused", 401),
        ("delivery_quarantined", None),
        ("delivery_refused", 422),
    ]
    assert "hunter2" not in log_stream.getvalue()


class BlockingInbox(asgi_client.Recording):
    """An inbox that waits before it stores."""

    def __init__(self) -> None:
        super().__init__()
        self.has_two = asyncio.Event()
        self.may_go_on = asyncio.Event()

    async def accept(self, entry: deliveries.Delivery, body: bytes) -> None:
        self.accepted.append((entry, body))
        if len(self.accepted) > 1:
            self.has_two.set()
        await self.may_go_on.wait()


async def post_body(
    web_server: webhooks.WebhookHandler, body: bytes = b'{"status":"ok","dedup_key":"a"}'
) -> asgi_client.Answer:
    answer = await asgi_client.send_chunks(web_server, ANY, chunks=(body,), headers=HEADERS)
    assert answer is not None
    return answer


def test_requests_in_flight_are_limited():
    async def main() -> None:
        store = BlockingInbox()
        web_server = asgi_client.web_server(store, limits=request_limits.RequestLimits(in_flight=2))
        first = [asyncio.create_task(post_body(web_server)) for _ in range(2)]
        await store.has_two.wait()
        refused = await post_body(web_server)
        assert (refused.status, refused.headers[b"retry-after"]) == (503, b"1")
        store.may_go_on.set()
        assert [answer.status for answer in await asyncio.gather(*first)] == [202, 202]
        assert (await post_body(web_server)).status == 202

    asyncio.run(main())
