"""Runs a simulated Alertmanager, whose API can fail, and a worker that polls it on a simulated clock."""

import asyncio
import contextlib
import datetime as dt
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import msgspec
import uvicorn
from starlette import applications, requests, responses, routing

from router.bootstrap import alertmanager_polls
from router.domain import decisions, severities
from router.domain.alerts import Alert
from router.sources import alertmanager, base, polled
from router.store import inbox, keys
from router.worker import alertmanager_sync
from tests import ports
from tests.integration import workers

MINUTE = 60_000_000
START = 0
"""The start of the current scene in microseconds. It is recent, so that the router still remembers ended alerts."""
BEGAN = 0


def format_time(moment: int) -> str:
    """Format a time as Alertmanager's API does, with whole milliseconds."""
    at = dt.datetime.fromtimestamp(moment // 1000 / 1000, dt.UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Alertmanager:
    """A simulated Alertmanager: its alerts by fingerprint, and the requests that it received."""

    def __init__(self, up_since: int) -> None:
        self.alerts: dict[str, dict[str, Any]] = {}
        self.status = {"cluster": {"status": "ready"}, "uptime": format_time(up_since), "config": {"original": ""}}
        self.fails: dict[str, tuple[int, Any]] = {}
        self.asked: list[requests.Request] = []
        self.meanwhile: list[Callable[[], Coroutine[Any, Any, None]]] = []

    def add_alert(
        self,
        fingerprint: str,
        starts_at: int,
        state: str = "active",
        receivers: tuple[str, ...] = ("router",),
        **labels: str,
    ) -> None:
        """Add an alert."""
        self.alerts[fingerprint] = {
            "fingerprint": fingerprint,
            "labels": {"alertname": "Down", **labels},
            "annotations": {"summary": f"{fingerprint} is down"},
            "startsAt": format_time(starts_at),
            "endsAt": format_time(starts_at + 10**12),
            "updatedAt": format_time(starts_at),
            "generatorURL": "http://prometheus.example/graph",
            "receivers": [{"name": name} for name in receivers],
            "status": {"state": state, "inhibitedBy": [], "silencedBy": [], "mutedBy": []},
        }

    async def _answer(self, request: requests.Request, name: str, content: Any) -> responses.Response:
        self.asked.append(request)
        while self.meanwhile:
            await self.meanwhile.pop()()
        status, said = self.fails.get(name, (200, content))
        return responses.JSONResponse(said, status)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[str]:
        """Serve the API; yield its address, which has a path prefix."""

        async def alerts(request: requests.Request) -> responses.Response:
            return await self._answer(request, "alerts", list(self.alerts.values()))

        async def status(request: requests.Request) -> responses.Response:
            return await self._answer(request, "status", self.status)

        app = applications.Starlette(
            routes=[routing.Route("/am/api/v2/alerts", alerts), routing.Route("/am/api/v2/status", status)]
        )
        port = ports.reserve()
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="error", lifespan="off"))
        task = asyncio.create_task(server.serve())
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{port}/am"
        finally:
            server.should_exit = True
            await task


def decide(alert: Alert, _now: int) -> decisions.Decision:
    if alert.labels.get("noise"):
        return decisions.Decision(ignored="noise")
    response = workers.rule()
    if alert.labels.get("beat"):
        response = msgspec.structs.replace(response, timing=decisions.Timing(heartbeat=workers.HOUR))
    return decisions.Decision(alert.labels.get("key", "down"), severities.Severity.MAJOR, response)


class AlertmanagerHarness:
    """A simulated Alertmanager, a worker, and polls one minute apart on a simulated clock."""

    def __init__(self, on: workers.WorkerHarness, destination: Alertmanager, url: str, **config) -> None:
        self.on = on
        self.inbox = inbox.LimitedInbox(on.inbox)
        self.there = destination
        self.now = START
        self.config = polled.Config(url=url, **config)
        self.http = alertmanager_polls._client("am", self.config)
        self.asked = alertmanager_sync.PolledSource(
            "am", self.config, self.http, self.read, polled.make_selector(self.config)
        )
        self.polls = self.worker()

    def read(self, body: bytes, now: int) -> base.Parsed:
        return alertmanager.Alertmanager("am").parse(body, {}, now)

    def worker(self) -> alertmanager_sync.AlertmanagerSync:
        return alertmanager_sync.AlertmanagerSync(
            [self.asked],
            decide,
            inbox=self.inbox,
            store=self.on.store,
            clock=lambda: self.now,
            randomness=workers.NoJitter(),
        )

    async def poll(self, times: int = 1) -> list[str]:
        """Poll once a minute, fold, and reconcile; return the results of the polls."""
        results = []
        for _ in range(times):
            self.now += MINUTE
            await self.on.store.redis.delete(keys.poll_turn("am"))
            results.append(await self.polls.turn(self.asked))
            await self.on.turn()
        return results

    async def webhook(self, *alerts) -> None:
        await self.on.deliver(*alerts, received_at=self.now)
        await self.on.turn()

    async def timeline_texts(self, key: str = "down") -> list[str]:
        return [event.text for event in await self.on.incidents.timeline(key)]


def run(with_redis, play, *places, **config) -> None:
    """Run ``play`` with a harness on an empty server; ``config`` configures the poll."""

    async def body(on: workers.WorkerHarness) -> None:
        global START, BEGAN  # noqa: PLW0603 - a run of all tests may take longer than ended alerts are remembered
        START = time.time_ns() // 1000 - 100 * MINUTE
        BEGAN = START - workers.HOUR + 123_456
        there = Alertmanager(START - workers.HOUR)
        async with there.serving() as url:
            scene = AlertmanagerHarness(on, there, url, **config)
            try:
                await play(scene)
            finally:
                await scene.http.aclose()

    workers.run(with_redis, body, *places)
