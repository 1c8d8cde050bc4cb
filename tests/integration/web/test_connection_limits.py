"""The webhook server limits the duration and number of connections, and deduplicates deliveries by ID."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import random
import time
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pagerduty
import pytest
import uvloop

from router.domain import decisions, severities
from router.sources import registry
from router.store import keys
from router.store.store import Store
from router.web import app, connections, request_limits, webhooks
from tests.integration import servers

NOW = 1_772_450_000_000_000
RESPONSE = decisions.Response("r", "a.yaml:1", "v1", (decisions.Target("on-call"),))
SECRET = base64.b64encode(b"a key of the standard's").decode()
BODY = b'{"status":"firing","title":"t","dedup_key":"a"}'
SOURCES: dict[str, tuple[str, dict[str, Any]]] = {
    "any": ("json", {"auth": "none"}),
    "signed": ("json", {"signature": {"scheme": "standard-webhooks", "secrets": [SECRET]}}),
    "pagerduty": ("pagerduty", {"auth": "none"}),
    "pages": ("pagerduty-events", {"token": {"member": "routing_key", "values": ["R0UT1NG"]}}),
    "rulers": ("prometheus", {"bearer": ["token"]}),
}


@contextlib.asynccontextmanager
async def serve(
    url: str, limits: request_limits.RequestLimits, patience: connections.ConnectionLimits
) -> AsyncIterator[tuple[int, Any]]:
    store = Store.connect(url)
    web_server = webhooks.WebhookHandler(
        {name: registry.build(name, registry.KINDS[kind].config(**own)) for name, (kind, own) in SOURCES.items()},
        lambda alert, _: decisions.Decision(f"k/{alert.fingerprint}", severities.Severity.MAJOR, RESPONSE),
        inbox=store.inbox,
        quarantine=store.quarantine,
        clock=lambda: NOW,
        randomness=random.Random(3),
        seen=store.delivery_ids,
        limits=limits,
    )
    try:
        async with servers.run_server(app.create_app(web_server, checks={}), patience) as (port, _):
            yield port, store
    finally:
        await store.aclose()


def run(url: str, body: Any, limits: request_limits.RequestLimits | None = None, **patience: Any) -> None:
    async def main() -> None:
        given = connections.ConnectionLimits(**patience) if patience else connections.ConnectionLimits()
        async with (
            asyncio.timeout(30),
            serve(url, limits or request_limits.RequestLimits(), given) as (port, store),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
        ):
            await body(port, http, store)

    uvloop.run(main())


HEAD = b"POST /v1/webhooks/any HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"


async def send_start(port: int, start: bytes) -> tuple[bytes, float]:
    """Send only the start of a request. Return the response and the seconds until the connection ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began = time.monotonic()
    writer.write(start)
    answer = await reader.read()
    writer.close()
    return answer, time.monotonic() - began


def test_incomplete_request_is_answered_408(redis_url):
    """The server also closes the connection."""

    async def body(port: int, http: httpx.AsyncClient, _: Any) -> None:
        for start in (HEAD[:30], HEAD[:-2], HEAD, HEAD + b'{"status"'):
            answer, seconds = await send_start(port, start)
            assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
            assert b"application/problem+json" in answer
            assert 0.2 <= seconds < 5
        assert (await http.post("/v1/webhooks/any", content=BODY)).status_code == 202

    run(redis_url, body, request_timeout_seconds=0.3)


def test_each_request_restarts_the_connection_timeout(redis_url):
    async def body(port: int, _: httpx.AsyncClient, __: Any) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(3):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b'"alive"}')).startswith(b"HTTP/1.1 200")
        writer.write(HEAD[:20])
        assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()

    run(redis_url, body, request_timeout_seconds=0.3)


class Dawdler(asyncio.Protocol):
    """Sends one byte per second until the server closes the connection."""

    def __init__(self) -> None:
        self.answer = b""
        self.cut_off = asyncio.get_running_loop().create_future()
        self.place = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.send_on()

    def send_on(self) -> None:
        if not self.transport.is_closing():
            self.transport.write(HEAD[self.place : self.place + 1])
            self.place += 1
            asyncio.get_running_loop().call_later(1, self.send_on)

    def data_received(self, data: bytes) -> None:
        self.answer += data

    def connection_lost(self, _: Exception | None) -> None:
        self.cut_off.set_result(self.answer)


def test_slow_senders_do_not_delay_other_senders(redis_url):
    """500 senders send slowly."""

    async def body(port: int, http: httpx.AsyncClient, store: Any) -> None:
        loop = asyncio.get_running_loop()
        dawdling = [(await loop.create_connection(Dawdler, "127.0.0.1", port))[1] for _ in range(500)]
        slowest = 0.0
        for _ in range(100):
            began = time.monotonic()
            assert (await http.post("/v1/webhooks/any", content=BODY)).status_code == 202
            slowest = max(slowest, time.monotonic() - began)
        answers = [await one.cut_off for one in dawdling]
        assert {answer[:12] for answer in answers} == {b"HTTP/1.1 408"}
        assert slowest < 5.0
        assert await store.redis.xlen(keys.INBOX) == 100

    run(redis_url, body, request_timeout_seconds=2.5)


Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]
ALIVE = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"


async def open_connection(stack: contextlib.AsyncExitStack, port: int, start: bytes) -> Connected:
    """Open a connection for the duration of the test, and send the start of a request."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(start)
    return reader, writer


async def send_request(connection: Connected) -> bytes:
    """Send a complete request on a connection. Return the status line, or an empty one if the connection is closed."""
    reader, writer = connection
    with contextlib.suppress(ConnectionError):
        writer.write(ALIVE)
        line = await reader.readline()
        if line:
            await reader.readuntil(b"OK")
        return line
    return b""


def test_new_connection_replaces_the_longest_idle_one(redis_url):
    async def body(port: int, _: httpx.AsyncClient, __: Any) -> None:
        async with contextlib.AsyncExitStack() as stack:
            kept = await open_connection(stack, port, b"")
            assert (await send_request(kept)).startswith(b"HTTP/1.1 200")
            silent = await open_connection(stack, port, b"")
            incomplete = await open_connection(stack, port, HEAD[:-2])
            assert (await send_request(kept)).startswith(
                b"HTTP/1.1 200"
            )  # The other connections have been idle for longer.
            for evicted in (silent, incomplete):
                new = await open_connection(stack, port, b"")
                assert (await send_request(new)).startswith(b"HTTP/1.1 200")
                assert await evicted[0].read() == b""
            assert (await send_request(kept)).startswith(b"HTTP/1.1 200")

    run(redis_url, body, max_connections=3)


def test_idle_connections_do_not_block_other_senders(redis_url):
    """There are 1,000 idle connections."""

    async def body(port: int, http: httpx.AsyncClient, store: Any) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(1000):
                await open_connection(stack, port, b"")
            for _ in range(20):
                assert (await http.post("/v1/webhooks/any", content=BODY)).status_code == 202
        assert await store.redis.xlen(keys.INBOX) == 20

    run(redis_url, body, max_connections=100)


def test_incomplete_bodies_do_not_block_other_senders(redis_url):
    async def body(port: int, http: httpx.AsyncClient, store: Any) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(1000):
                await open_connection(stack, port, HEAD + BODY[:10])
            for _ in range(20):
                assert (await http.post("/v1/webhooks/any", content=BODY)).status_code == 202
        assert await store.redis.xlen(keys.INBOX) == 20

    run(redis_url, body, request_limits.RequestLimits(in_flight=2), max_connections=100)


def test_too_many_pipelined_requests_are_refused(redis_url):
    async def body(port: int, http: httpx.AsyncClient, _: Any) -> None:
        answer, _seconds = await send_start(port, ALIVE * 3 * connections.MAX_PIPELINED)
        assert answer.count(b"HTTP/1.1 400") == 1
        assert answer.count(b"HTTP/1.1 200") <= connections.MAX_PIPELINED + 1
        assert (await http.get("/-/healthy")).status_code == 200

    run(redis_url, body)


def sign(name: str, body: bytes = BODY) -> dict[str, str]:
    at = str(NOW // 1_000_000)
    key = base64.b64decode(SECRET)
    made = base64.b64encode(hmac.new(key, f"{name}.{at}.".encode() + body, hashlib.sha256).digest()).decode()
    return {"webhook-id": name, "webhook-timestamp": at, "webhook-signature": f"v1,{made}"}


def test_repeated_delivery_is_accepted_once_a_day(redis_url):
    async def body(_: int, http: httpx.AsyncClient, store: Any) -> None:
        first = (await http.post("/v1/webhooks/signed", content=BODY, headers=sign("msg_1"))).json()
        again = await http.post("/v1/webhooks/signed", content=BODY, headers=sign("msg_1"))
        assert (again.status_code, again.json()) == (
            202,
            {"delivery": first["delivery"], "duplicate": True, "alerts": []},
        )
        other = (await http.post("/v1/webhooks/signed", content=BODY, headers=sign("msg_2"))).json()
        assert other["delivery"] != first["delivery"]
        assert await store.redis.xlen(keys.INBOX) == 2
        (name, *_rest) = [key async for key in store.redis.scan_iter("ir:{inbox}:seen:*")]
        assert 86_000 < await store.redis.ttl(name) <= 86_400

    run(redis_url, body)


def test_unsigned_delivery_id_is_ignored(redis_url):
    """The ID of a refused delivery isn't recorded either."""

    async def body(_: int, http: httpx.AsyncClient, store: Any) -> None:
        forged = {**sign("msg_1"), "webhook-id": "msg_9"}
        assert (await http.post("/v1/webhooks/signed", content=BODY, headers=forged)).status_code == 401
        refused = await http.post("/v1/webhooks/signed", content=b"{", headers=sign("msg_3", b"{"))
        assert refused.status_code == 422
        fixed = await http.post("/v1/webhooks/signed", content=BODY, headers=sign("msg_3"))
        assert "duplicate" not in fixed.json()
        assert await store.redis.xlen(keys.INBOX) == 1

    run(redis_url, body)


def test_pagerduty_event_is_deduplicated_by_its_id(redis_url):
    incident = {"id": "Q1", "type": "incident", "title": "t", "status": "triggered"}
    event = {"id": "01E", "event_type": "incident.triggered", "occurred_at": "2026-03-02T09:20:30Z", "data": incident}

    async def body(_: int, http: httpx.AsyncClient, store: Any) -> None:
        sent = {"content": json.dumps({"event": event}), "headers": {"x-webhook-subscription": "s"}}
        assert "duplicate" not in (await http.post("/v1/webhooks/pagerduty", **sent)).json()
        assert (await http.post("/v1/webhooks/pagerduty", **sent)).json()["duplicate"]
        assert await store.redis.xlen(keys.INBOX) == 1

    run(redis_url, body)


def test_pagerduty_client_authenticates_by_routing_key(redis_url):
    """The routing key is not stored."""

    def page(port: int, key: str) -> str:
        with pagerduty.EventsApiV2Client(key) as sender:
            # The client's setter accepts HTTPS only, which a proxy terminates in production.
            sender._url = f"http://127.0.0.1:{port}/v1/webhooks/pages"
            return sender.trigger("Tank 7 leaks", "aquarium", severity="critical", dedup_key="tank/7")

    async def body(port: int, _: httpx.AsyncClient, store: Any) -> None:
        assert await asyncio.to_thread(page, port, "R0UT1NG") == "tank/7"
        with pytest.raises(pagerduty.Error):
            await asyncio.to_thread(page, port, "another")
        ((_, entry),) = await store.redis.xrange(keys.INBOX)
        assert b"R0UT1NG" not in entry[b"b"] + entry[b"h"]
        assert b'"routing_key":"***"' in entry[b"b"].replace(b": ", b":")

    run(redis_url, body)


def test_alertmanager_api_uses_the_only_alertmanager_source(redis_url):
    alerts = json.dumps([{"labels": {"alertname": "Up"}}])
    token = {"authorization": "Bearer token"}

    async def body(_: int, http: httpx.AsyncClient, store: Any) -> None:
        for path in ("/api/v2/alerts", "/v1/webhooks/rulers/api/v2/alerts", "/v1/webhooks/rulers"):
            assert (await http.post(path, content=alerts, headers=token)).status_code == 202
            assert (await http.post(path, content=alerts)).status_code == 401
        assert (await http.get("/-/healthy")).text == "OK"
        assert (await http.post("/v1/webhooks/any/api/v2/alerts", content=alerts)).status_code == 404
        assert await store.redis.xlen(keys.INBOX) == 3

    run(redis_url, body)
