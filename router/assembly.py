"""The only wiring: from settings to a running web, a running worker, or both in one process. A function a piece."""

import asyncio
import contextlib
import dataclasses
import random
import secrets
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis.asyncio
from starlette import applications, types

from router import settings as configuration
from router.destinations import registry as destinations
from router.domain import identity
from router.domain import incident as incidents
from router.rules import known, ruleset, template
from router.rules import load as rules
from router.simulator import options as simulator_options
from router.simulator import server as simulator_server
from router.sources import registry as sources
from router.store import client, embedded, health, quarantine, stream
from router.store import errors as store_errors
from router.store import incidents as incident_store
from router.store import publications as publication_store
from router.telemetry import log
from router.web import app as web_app
from router.web import health as web_health
from router.web import serve, webhooks
from router.worker import bound, perform, reconcile, supervise, triage

BEAT_LATE_SECONDS = 15.0  # A worker that has not been heard of for longer is not there.
_WATCH_SECONDS = 1.0


def clock() -> int:
    """The time, in microseconds since the Unix epoch."""
    return time.time_ns() // 1000


def ticks() -> int:
    """Microseconds of a clock that is never set back."""
    return time.monotonic_ns() // 1000


@dataclass(frozen=True)
class Address:
    """Where something listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """The address as a base URL."""
        return f"http://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def known_destinations(settings: configuration.Settings) -> dict[str, known.Known]:
    """What rules have to know of the configured destinations."""
    return {
        name: known.Known(
            destinations.KINDS[config.kind].opening,
            destinations.KINDS[config.kind].public,
            config.kind,
            config.defaults,
        )
        for name, config in settings.destinations.items()
    }


def load_rules(settings: configuration.Settings) -> ruleset.RuleSet:
    """Load the rule folder; ``rules.Refused`` with every problem."""
    return rules.load(settings.rules, known_destinations(settings))


def places(settings: configuration.Settings) -> dict[str, bound.Bound]:
    """The configured destinations, ready to be called."""
    made = {}
    for name, config in settings.destinations.items():
        kind = destinations.KINDS[config.kind]
        connection = kind.connect(name, config, clock)
        destination = kind.make(name, config, connection)
        follows = getattr(config, "follows", "")
        made[name] = bound.Bound(name, kind, destination, follows, config.timeout_seconds)
    return made


def endpoints(settings: configuration.Settings) -> dict[str, sources.Endpoint]:
    """The configured sources, ready to read; one that anybody may post to is named in a warning."""
    for name, config in settings.sources.items():
        if config.auth == "none":
            log.get("web").warning("source_without_authentication", source=name)
    return {name: sources.build(name, config) for name, config in settings.sources.items()}


def render(fields: Mapping[str, Any], incident: incidents.Incident) -> dict[str, Any]:
    """Render a target's templates with what is known of the incident."""
    assert incident.opening_alert is not None  # noqa: S101 - an incident with targets was opened by an alert
    return template.render(
        fields,
        template.context(
            incident.opening_alert,
            key=incident.key,
            severity=incident.severity,
            reference=identity.reference(incident.episode),
            opened_at=incident.opened_at,
        ),
    )


@contextlib.contextmanager
def redis_url(settings: configuration.Settings) -> Iterator[str]:
    """The configured server's address, or that of an embedded one which ends with the block."""
    if settings.redis.url is not None:
        yield settings.redis.url.get_secret_value()
        return
    with embedded.running(settings.data) as server:
        yield server.url


def worker(
    settings: configuration.Settings,
    connection: "redis.asyncio.Redis",
    at: Mapping[str, bound.Bound],
    *,
    passed: perform.Passed = lambda _: None,
) -> supervise.Worker:
    """The worker's loops. ``passed`` is told each point of an operation, for tests that crash there."""
    randomness = random.SystemRandom()
    name = settings.worker.name or socket.gethostname()
    longest = max((place.timeout_seconds for place in at.values()), default=10.0)
    lease_seconds = max(settings.worker.lease_seconds, 4 * longest)
    bell = supervise.Bell()
    reader = stream.Reader(connection, name)
    return supervise.Worker(
        name,
        reader,
        triage.Triage(reader, incident_store.Incidents(connection), clock=clock, randomness=randomness, wake=bell.ring),
        reconcile.Reconciler(
            publication_store.Publications(connection, lease_seconds=lease_seconds),
            at,
            perform.Performer(randomness, most_seconds=lease_seconds / 2, passed=passed),
            render,
            ticks=ticks,
        ),
        health.Health(connection),
        depth=lambda: stream.depth(connection),
        clock=clock,
        bell=bell,
        pace=supervise.Pace(
            incidents_at_once=settings.worker.incidents_at_once,
            take_over_idle_seconds=settings.worker.take_over_idle_seconds,
        ),
    )


def checks(connection: "redis.asyncio.Redis", version: str = "") -> dict[str, web_health.Check]:
    """What ``/readyz`` asks: the store, that a worker was heard of lately, and which rules are in force."""
    condition = health.Health(connection)

    async def redis_answers() -> web_health.State:
        await condition.ping()
        return web_health.State(True, "answers")

    async def worker_lives() -> web_health.State:
        silent = (clock() - await condition.last_beat()) / 1_000_000
        if silent > BEAT_LATE_SECONDS:
            return web_health.State(False, "no worker has been heard of lately; deliveries are kept until one is")
        return web_health.State(True, "alive")

    async def rules_in_force() -> web_health.State:
        return web_health.State(True, f"version {version}")

    asked: dict[str, web_health.Check] = {"redis": redis_answers, "worker": worker_lives}
    return asked | ({"rules": rules_in_force} if version else {})


@dataclass(frozen=True)
class Running:
    """What runs: where webhooks are taken, under which rules, and with how many of them."""

    settings: configuration.Settings
    address: Address
    rules: ruleset.RuleSet


@contextlib.asynccontextmanager
async def serving(app: types.ASGIApp, host: str, port: int, group: asyncio.TaskGroup) -> AsyncIterator[Address]:
    """Serve an application for the length of the block; requests in flight are answered before it ends."""
    started: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    task = group.create_task(serve.serve(app, host, port, started.set_result))
    await asyncio.wait({started, task}, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        await task
    try:
        yield Address(host, started.result())
    finally:
        task.cancel()
        await asyncio.wait({task})


@contextlib.asynccontextmanager
async def door(
    settings: configuration.Settings, connection: "redis.asyncio.Redis", group: asyncio.TaskGroup
) -> AsyncIterator[Running]:
    """The web part, serving for the length of the block."""
    loaded = load_rules(settings)
    inbox = stream.Inbox(connection, replicas=settings.redis.replicas, wait_seconds=settings.redis.wait_seconds)
    taker = webhooks.Door(
        endpoints(settings),
        loaded.decide,
        inbox=inbox,
        quarantine=quarantine.Quarantine(connection),
        clock=clock,
        randomness=random.SystemRandom(),
        max_body_bytes=settings.web.max_body_bytes,
    )
    watching = group.create_task(_watch_fullness(health.Health(connection), inbox))
    app = web_app.create(taker, checks=checks(connection, loaded.version))
    try:
        async with serving(app, settings.web.host, settings.web.port, group) as address:
            yield Running(settings, address, loaded)
    finally:
        watching.cancel()


@contextlib.asynccontextmanager
async def bench(
    settings: configuration.Settings,
    connection: "redis.asyncio.Redis",
    group: asyncio.TaskGroup,
    *,
    passed: perform.Passed = lambda _: None,
) -> AsyncIterator[None]:
    """The worker part, working for the length of the block; what is under way is finished before it ends."""
    at = places(settings)
    stop = asyncio.Event()
    task = group.create_task(worker(settings, connection, at, passed=passed).run(stop))
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait({task})
        for place in at.values():
            await place.destination.aclose()


async def _watch_fullness(condition: health.Health, inbox: stream.Inbox) -> None:
    """Stop accepting before the store is full: what was accepted needs room to be processed."""
    while True:
        try:
            full = await condition.fullness()
            inbox.refusing = f"Redis is over {health.FULL_AT:.0%} of its memory" if full > health.FULL_AT else ""
        except store_errors.Unavailable:
            inbox.refusing = ""  # Every accept finds out for itself.
        await asyncio.sleep(_WATCH_SECONDS)


def webhook_token(folder: Path) -> str:
    """The token of a first try: made once, and kept in the data folder for the next time."""
    kept = folder / "webhook-token"
    if not kept.exists():
        folder.mkdir(parents=True, exist_ok=True)
        kept.touch(mode=0o600)
        kept.write_text(secrets.token_urlsafe(18), encoding="utf-8")
    return kept.read_text(encoding="utf-8").strip()


@contextlib.asynccontextmanager
async def connected(url: str) -> AsyncIterator["redis.asyncio.Redis"]:
    """A connection pool to the store, for the length of the block."""
    connection = client.connect(url)
    try:
        yield connection
    finally:
        await connection.aclose()


def outside_redis(settings: configuration.Settings) -> str:
    """The configured server's address; ``Unavailable`` where none is, since web and worker need the same one."""
    if settings.redis.url is None:
        raise store_errors.Unavailable("set REDIS_URL: web and worker share one Redis; only `run` starts its own")
    return settings.redis.url.get_secret_value()


def listening(settings: configuration.Settings, host: str | None, port: int | None) -> configuration.Settings:
    """The settings with another address for the door."""
    said = {"host": host, "port": port}
    web = settings.web.model_copy(update={key: value for key, value in said.items() if value is not None})
    return dataclasses.replace(settings, web=web)


def named(settings: configuration.Settings, name: str) -> configuration.Settings:
    """The settings with another name for the worker."""
    if not name:
        return settings
    return dataclasses.replace(settings, worker=settings.worker.model_copy(update={"name": name}))


def health_app(connection: "redis.asyncio.Redis") -> applications.Starlette:
    """What a worker answers over HTTP: its health and its metrics."""
    return applications.Starlette(routes=web_health.routes(checks(connection)))


@contextlib.asynccontextmanager
async def simulating(port: int, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The simulated vendors for the length of the block; yields their base URL."""
    async with simulator_server.running(simulator_options.Options(), host, port) as url:
        yield url
