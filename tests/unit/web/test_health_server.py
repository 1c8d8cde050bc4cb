"""Health checks and metrics in a separate thread: a busy event loop doesn't delay them; a stalled one is reported."""

import asyncio
import contextlib
import json
import socket
import urllib.error
import urllib.request

import pytest
import uvloop

from router.web import health, health_server, serve

TIMEOUT_SECONDS = 60


def get(port: int, path: str) -> tuple[int, bytes]:
    """Send a request in the calling thread. In the event loop's thread, this blocks the loop."""
    try:
        url = f"http://127.0.0.1:{port}{path}"
        with contextlib.closing(urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS)) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


async def ready() -> dict[str, health.CheckResult]:
    return {"redis": health.CheckResult(True, "answers")}


def run(body, ask: health.Ask = ready) -> None:
    async def main() -> None:
        listener: socket.socket = serve.listen("127.0.0.1", 0)
        async with health_server.serving(ask, {"web"}, listener) as port:
            await body(port)
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port), 1).close()

    uvloop.run(main())


def test_blocked_event_loop_delays_neither_liveness_nor_metrics():
    async def body(port: int) -> None:
        assert get(port, "/healthz") == (200, b'{"status":"alive"}')
        status, page = get(port, "/metrics")
        assert status == 200
        assert b"incident_router_deliveries_total" in page

    run(body)


def test_readiness_is_checked_in_the_main_event_loop():
    loops = []

    async def ask() -> dict[str, health.CheckResult]:
        loops.append(asyncio.get_running_loop())
        return await ready()

    async def body(port: int) -> None:
        status, page = await asyncio.to_thread(get, port, "/readyz")
        assert (status, json.loads(page)["checks"]) == (200, {"redis": "answers"})
        assert loops == [asyncio.get_running_loop()]

    run(body, ask)


def test_blocked_event_loop_is_not_ready(monkeypatch):
    monkeypatch.setattr(health_server, "_ANSWER_SECONDS", 0.1)

    async def body(port: int) -> None:
        status, page = get(port, "/readyz")
        assert (status, json.loads(page)["checks"]) == (503, {"event loop": "no answer within 0.1 s"})

    run(body)


def test_stalled_event_loop_is_not_alive(monkeypatch):
    async def body(port: int) -> None:
        monkeypatch.setattr(health_server, "STALLED_SECONDS", 0.0)
        status, page = get(port, "/healthz")
        assert status == 503
        assert json.loads(page)["type"] == "urn:incident-router:problem:not-alive"
        assert "the event loop has not run for" in json.loads(page)["detail"]

    run(body)
