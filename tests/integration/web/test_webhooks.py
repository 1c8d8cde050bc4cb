"""The webhook server over real HTTP: uvicorn on uvloop with a real Valkey."""

import asyncio
import contextlib
import errno
import json
import os
import random
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, NamedTuple

import httpx
import pytest
import uvloop

from router.domain import decisions, severities
from router.sources import registry
from router.store import codec, embedded, keys
from router.store.store import Store
from router.telemetry import registries
from router.web import app, health, request_limits, serve, webhooks
from tests.integration import servers

NOW = 1_772_450_000_000_000
LIMIT = 200_000
RESPONSE = decisions.Response("checkout-down", "a.yaml:1", "v1", (decisions.Target("on-call"),))
TOKEN = {"authorization": "Bearer token"}


class Service(NamedTuple):
    port: int
    http: httpx.AsyncClient
    store: Store
    serving: "asyncio.Task[None]"

    async def entries(self) -> list[tuple[bytes, bytes]]:
        """Return the packed deliveries and their bodies, oldest first."""
        return [(fields[b"h"], codec.unpack_body(fields)) for _, fields in await self.store.redis.xrange(keys.INBOX)]


def application(store: Any) -> app.App:
    settings = {"prod": ("alertmanager", {"bearer": ["token"]}), "any": ("json", {"bearer": ["token"]})}
    web_server = webhooks.WebhookHandler(
        {name: registry.build(name, registry.KINDS[kind].config(**own)) for name, (kind, own) in settings.items()},
        lambda alert, _: decisions.Decision(f"k/{alert.labels.get('region', '')}", severities.Severity.MAJOR, RESPONSE),
        inbox=store.inbox,
        quarantine=store.quarantine,
        clock=lambda: NOW,
        randomness=random.Random(3),
        limits=request_limits.RequestLimits(LIMIT),
    )

    async def redis() -> health.CheckResult:
        await store.health.ping()
        return health.CheckResult(True, "answers")

    return app.create_app(web_server, checks={"redis": redis})


@contextlib.asynccontextmanager
async def serve_web(url: str) -> AsyncIterator[Service]:
    store = Store.connect(url)
    try:
        async with (
            servers.run_server(application(store)) as (port, server),
            httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=TOKEN) as http,
        ):
            yield Service(port, http, store, server)
    finally:
        await store.aclose()
    assert server.cancelled()


@pytest.fixture
def with_service(redis_url: str) -> Callable[[Callable[[Service], Coroutine[Any, Any, None]]], None]:
    def run(body: Callable[[Service], Coroutine[Any, Any, None]]) -> None:
        async def main() -> None:
            async with asyncio.timeout(20), serve_web(redis_url) as service:
                await body(service)

        uvloop.run(main())

    return run


def group(*names: str, **labels: str) -> bytes:
    alerts = [{"status": "firing", "labels": labels, "fingerprint": name} for name in names]
    return json.dumps({"version": "4", "alerts": alerts}).encode()


async def raw(port: int, request: bytes, *, eof: bool = False) -> bytes:
    """Send unmodified bytes, and read until the server closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    if eof:
        writer.close()
        return b""
    answer = await reader.read()
    writer.close()
    return answer


def test_accepted_delivery_is_in_redis_with_its_body(with_service):
    """The router returns 202 only after it has stored the delivery."""

    async def body(service: Service) -> None:
        sent = group("a", "b", region="eu")
        answer = await service.http.post("/v1/webhooks/prod", content=sent)
        assert answer.status_code == 202
        ((packed, kept),) = await service.entries()
        entry = codec.unpack_delivery(packed)
        assert kept == sent
        assert entry.id == answer.json()["delivery"]
        assert [row.alert.fingerprint for row in entry.rows] == ["a", "b"]
        assert answer.json()["alerts"] == [
            {"fingerprint": name, "decided_incident_key": "k/eu", "rule": "checkout-down"} for name in ("a", "b")
        ]

    with_service(body)


def test_concurrent_deliveries_are_stored_and_answered_separately(with_service):
    async def body(service: Service) -> None:
        names = [f"f{number}" for number in range(100)]
        answers = await asyncio.gather(*(service.http.post("/v1/webhooks/prod", content=group(name)) for name in names))
        assert [answer.json()["alerts"][0]["fingerprint"] for answer in answers] == names
        entries = [codec.unpack_delivery(packed) for packed, _ in await service.entries()]
        assert sorted(entry.rows[0].alert.fingerprint for entry in entries) == sorted(names)
        assert {entry.id for entry in entries} == {answer.json()["delivery"] for answer in answers}

    with_service(body)


def test_unparsable_body_is_quarantined_without_secret(with_service):
    async def body(service: Service) -> None:
        answer = await service.http.post("/v1/webhooks/any", content=b'{"status":')
        assert answer.status_code == 422
        assert answer.headers["content-type"] == "application/problem+json"
        (kept,) = await service.store.quarantine.read()
        assert (kept.id, kept.source, kept.body) == (answer.json()["quarantined"], "any", b'{"status":')
        assert "authorization" not in kept.headers
        assert kept.kept_at == NOW
        told = await service.http.post("/v1/webhooks/prod", content=b"{}")
        assert (told.status_code, "quarantined" in told.json()) == (202, True)
        assert await service.entries() == []

    with_service(body)


def test_connection_survives_every_kind_of_refusal(with_service):
    async def body(service: Service) -> None:
        async def statuses() -> list[int]:
            path = "/v1/webhooks/any"
            answers = [
                await service.http.post(path, content=b"{}", headers={"authorization": "Bearer x"}),
                await service.http.get(path),
                await service.http.post("/v1/webhooks/none", content=b"x" * 100_000),
                await service.http.post(path, content=b"x" * (LIMIT + 1)),
                await service.http.post(path, content=b"{}"),
                await service.http.post(path, content=b'{"status":"ok","dedup_key":"a"}'),
            ]
            return [answer.status_code for answer in answers]

        assert await statuses() == [401, 405, 404, 413, 422, 202]

    with_service(body)


def test_chunked_body_is_cut_off_at_limit(with_service):
    async def body(service: Service) -> None:
        async def pieces(size: int) -> AsyncIterator[bytes]:
            for _ in range(0, size, 10_000):
                yield b" " * 10_000
            yield b'{"status":"ok","dedup_key":"a"}'

        assert (await service.http.post("/v1/webhooks/any", content=pieces(100_000))).status_code == 202
        assert (await service.http.post("/v1/webhooks/any", content=pieces(2_000_000))).status_code == 413
        assert len(await service.entries()) == 1
        page = registries.render()[0].decode()
        assert 'incident_router_deliveries_total{outcome="accepted",source="any"}' in page

    with_service(body)


def test_oversized_body_is_refused_before_it_is_sent(with_service):
    """The sender uses `Expect: 100-continue`."""

    async def body(service: Service) -> None:
        head = (
            b"POST /v1/webhooks/any HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n"
            b"Content-Length: 999999999\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
        )
        answer = await raw(service.port, head)
        assert answer.startswith(b"HTTP/1.1 413")

    with_service(body)


def test_aborted_request_stores_nothing(with_service):
    async def body(service: Service) -> None:
        head = (
            b"POST /v1/webhooks/any HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\nContent-Length: 100\r\n\r\n"
        )
        await raw(service.port, head + b'{"status":"ok"', eof=True)
        assert (await service.http.get("/healthz")).status_code == 200
        assert await service.entries() == []
        assert await service.store.quarantine.read() == []

    with_service(body)


def test_headers_without_end_are_cut_off(with_service):
    async def body(service: Service) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        writer.write(b"GET /healthz HTTP/1.1\r\n")
        for number in range(40):
            writer.write(b"x-%d: " % number + b"y" * 4096 + b"\r\n")
            with contextlib.suppress(ConnectionError):
                await writer.drain()
        answer = b""
        with contextlib.suppress(ConnectionError):
            answer = await reader.read()
        writer.close()
        assert answer == b"" or answer.startswith(b"HTTP/1.1 400")
        assert (await service.http.get("/healthz", headers={"x-long": "y" * 50_000})).status_code == 200

    with_service(body)


def test_redis_outage_turns_202_into_503(tmp_path):
    server = embedded.EmbeddedServer(tmp_path)
    server.start()

    async def main() -> None:
        async with serve_web(server.url) as service:
            sent = {"content": b'{"status":"ok","dedup_key":"a"}'}
            assert (await service.http.post("/v1/webhooks/any", **sent)).status_code == 202
            assert (await service.http.get("/readyz")).status_code == 200
            server._guard.stdin.close()
            await asyncio.to_thread(server._guard.wait)
            answer = await service.http.post("/v1/webhooks/any", **sent)
            assert (answer.status_code, int(answer.headers["retry-after"]) > 0) == (503, True)
            assert (await service.http.post("/v1/webhooks/prod", content=b"nonsense")).status_code == 503
            ready = await service.http.get("/readyz")
            assert (ready.status_code, list(ready.json()["checks"])) == (503, ["redis"])
            assert (await service.http.get("/healthz")).status_code == 200
            server.start()
            assert (await service.http.post("/v1/webhooks/any", **sent)).status_code == 202
            assert len(await service.entries()) == 2

    try:
        uvloop.run(main())
    finally:
        server.stop()


def test_address_in_use_is_a_clear_error(with_service):
    async def body(service: Service) -> None:
        with pytest.raises(OSError, match="in use"):
            await serve.serve(application(service.store), "127.0.0.1", service.port)

    with_service(body)


async def refuses_connections(port: int) -> None:
    """Wait until the port refuses connections."""
    async with asyncio.timeout(5):
        with contextlib.suppress(ConnectionError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                await asyncio.sleep(0.01)


def test_request_in_flight_is_answered_before_shutdown(with_service):
    async def body(service: Service) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
        sent = b'{"status":"ok","dedup_key":"a"}'
        head = b"POST /v1/webhooks/any HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer token\r\n"
        writer.write(head + b"Content-Length: %d\r\n\r\n" % len(sent) + sent[:5])
        await service.http.get("/healthz")
        service.serving.cancel()
        await refuses_connections(service.port)
        writer.write(sent[5:])
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 202")
        assert len(await service.entries()) == 1

    with_service(body)


def test_server_listens_on_ipv6_if_configured():
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listener = serve.listen("::", 0)
    except OSError as error:
        pytest.skip(f"this machine has no IPv6: {error}")
    with listener, socket.create_connection(("127.0.0.1", listener.getsockname()[1])):
        assert listener.family == socket.AF_INET6


def test_unspecified_address_is_ipv4_without_ipv6_kernel(monkeypatch):
    """The chart's default is `::`; some nodes boot with `ipv6.disable=1`."""

    class WithoutIPv6(socket.socket):
        def __init__(self, family: int = -1, *arguments: Any, **options: Any) -> None:
            if family == socket.AF_INET6:
                raise OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
            super().__init__(family, *arguments, **options)

    monkeypatch.setattr(socket, "socket", WithoutIPv6)
    with serve.listen("::", 0) as listener:
        assert listener.family == socket.AF_INET
        assert listener.getsockname()[0] == "0.0.0.0"
