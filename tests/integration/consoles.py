"""Runs the management application with a whole worker, real rules, and signed-in users."""

import asyncio
import contextlib
import itertools
import random
import secrets
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import httpx

from router import configuration
from router.api import app, slack_endpoints
from router.bootstrap import factories, public_pages
from router.console import views
from router.destinations import registry
from router.domain import access, deliveries, identity
from router.domain.alerts import Alert
from router.services import actions, request_bodies
from router.slack.app import SlackApp
from router.web import serve
from router.worker import configured_destinations, reconciler
from tests.integration import vendor, workers

CONFIGURATION = """
sources:
  json: {kind: json, bearer: [{env: WEBHOOK_TOKEN}]}
destinations:
  on-call: {kind: incident-io, api_key: {env: KEY}}
  page: {kind: incident-io-status-page, api_key: {env: KEY}, page: Acme Status}
silences: {}
management: {port: 0, public_url: "%s"}
rules: rules
"""

RULES = """
rules:
  - name: ignored
    when: {labels.noise: "yes"}
    ignore: noise
  - name: beating
    when: {labels.beat: "yes"}
    group_by: [labels.service]
    timing: {heartbeat: 1h}
    open: [{at: on-call, name: It is silent}]
  - name: calm
    when: {labels.calm: "yes"}
    group_by: [labels.service]
    open: [{at: on-call, name: It is calm}]
  - name: down
    when: {source: json}
    group_by: [labels.service]
    severity: {from: labels.severity, map: {info: info, minor: minor, major: major, critical: critical}}
    open:
      - {at: on-call, name: "{{ alert.title }}"}
      - {at: page, publish: review, title: Checkout is unavailable, message: We are investigating.}
"""

ROLES = ("viewer", "responder", "admin")
SECRETS = {"WEBHOOK_TOKEN": "webhook-secret", "KEY": "vendor-secret"}
Play = Callable[["ManagementHarness"], Coroutine[Any, Any, None]]


def firing(service: str = "checkout", **labels: str) -> Alert:
    named = {"service": service, "severity": "major", **labels}
    return Alert("json", f"f-{service}", "firing", workers.LONG_AGO, 0, title=f"{service} is down", labels=named)


def resolved(service: str = "checkout") -> Alert:
    ended = workers.LONG_AGO + 50
    return Alert("json", f"f-{service}", "resolved", workers.LONG_AGO, ended, labels={"service": service})


def key(service: str = "checkout") -> str:
    return f'down{{labels.service="{service}"}}'


class Clock:
    """The clock of the management application: the machine's time plus an offset that a test sets."""

    offset = 0

    def __call__(self) -> int:
        return factories.clock() + self.offset


class ManagementHarness:
    """The management application, a worker, and their clients."""

    slack: SlackApp | None = None

    def __init__(
        self, settings: configuration.Settings, store: Any, url: str, made: app.Dependencies, clock: Clock
    ) -> None:
        self.settings = settings
        self.store = store
        self.url = url
        self.parts = made
        self.page, self.on_call = vendor.Vendor(), vendor.Vendor()
        places = {
            name: configured_destinations.ConfiguredDestination(
                name,
                registry.KINDS[settings.destinations[name].kind],
                at,
                "",
                10.0,
                account=factories.account(settings.destinations[name]),
            )
            for name, at in (("page", self.page), ("on-call", self.on_call))
        }
        self.on = workers.WorkerHarness(store, *places.values())
        self.on.reader = self.on.triage._reader = store.make_inbox_reader("w1", archives=True)
        self.on.reconciler = reconciler.Reconciler(
            self.on.store,
            places,
            self.on.performer,
            public_pages.pages(settings, store),
            ticks=itertools.count().__next__,
            randomness=workers.NoJitter(),
            muting=self.on.mutes,
        )
        self.clock = clock
        self._decide = factories.load_rules(settings).decide
        self._clients = contextlib.AsyncExitStack()

    async def client(self, **headers: str) -> httpx.AsyncClient:
        """Create a client that keeps cookies and follows no redirect."""
        client = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=20.0)
        return await self._clients.enter_async_context(client)

    async def token(self, role: str, seconds: int = 0, name: str = "") -> str:
        me = actions.Caller(access.Person("test", access.Role.ADMIN, "test"))
        token = request_bodies.NewToken(name=name or role, role=role, seconds=seconds)
        return (await self.parts.actions.make_token(actions.ActionContext(me, token.name), token)).token

    async def client_for(self, role: str, name: str = "") -> httpx.AsyncClient:
        """Create a client with a token of the role; without a token if the role is empty."""
        if not role:
            return await self.client()
        return await self.client(authorization=f"Bearer {await self.token(role, name=name)}")

    async def browser(self, role: str, name: str = "") -> tuple[httpx.AsyncClient, str]:
        """Sign in with a token; return the client and the CSRF token of its session."""
        client = await self.client()
        answer = await client.post("/sign-in", data={"token": await self.token(role, name=name)})
        assert answer.status_code == 303, answer.text
        session = await self.store.sessions.find(client.cookies["incident-router-session"])
        return client, session.csrf

    async def deliver(self, *alerts: Alert) -> str:
        """Deliver alerts as the rules decide, fold, and reconcile; return the ID of the delivery."""
        await self.put(*alerts)
        await self.on.turn()
        return self.last

    async def put(self, *alerts: Alert) -> None:
        """Deliver alerts without folding them."""
        now = factories.clock()
        self.last = identity.new_delivery_id(now, random.Random(now))
        packed = deliveries.pack(self.last, "json", now, [(alert, self._decide(alert, now)) for alert in alerts])
        await self.on.inbox.accept(packed, b'{"title": "as it was sent"}')

    async def aclose(self) -> None:
        await self._clients.aclose()


def settings(folder: Any, public_url: str = "", rules: str = RULES) -> configuration.Settings:
    (folder / "rules").mkdir(exist_ok=True)
    (folder / "rules" / "a.yaml").write_text(rules)
    file = folder / "router.yaml"
    file.write_text(CONFIGURATION % public_url)
    return configuration.load(file, SECRETS)


@contextlib.asynccontextmanager
async def serve_console(loaded: configuration.Settings, store: Any) -> AsyncIterator[ManagementHarness]:
    clock = Clock()
    made = app.dependencies(loaded, store, clock, secrets.token_urlsafe)
    routes, feed = views.routes(made, secrets.token_urlsafe)
    slack = SlackApp.from_settings(made.queries, made.actions)
    routes += slack_endpoints.routes(made.queries, slack)
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(serve.serve(app.create_app(made, routes), "127.0.0.1", 0, started.set_result))
    await asyncio.wait([started, task], return_when=asyncio.FIRST_COMPLETED)
    management = ManagementHarness(loaded, store, f"http://127.0.0.1:{started.result()}", made, clock)
    management.slack = slack
    try:
        yield management
    finally:
        await management.aclose()
        feed.close()
        if slack is not None:
            await slack.aclose()
        task.cancel()
        await asyncio.wait([task])


def run(with_redis: Any, folder: Any, play: Play, public_url: str = "", rules: str = RULES) -> None:
    """Run the coroutine function ``play`` with a management harness on an empty server."""

    async def body(store: Any) -> None:
        async with serve_console(settings(folder, public_url, rules), store) as management:
            await play(management)

    with_redis(body)
