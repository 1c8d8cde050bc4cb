"""``run``, ``web`` and ``worker``: the three ways to start the router."""

import asyncio
import contextlib
import os
from pathlib import Path
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import parts, running
from router.cli import announce, consoles, starting

Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Simulate the vendors whose keys are not set, and make up a webhook token."),
]
Host = Annotated[str | None, typer.Option("--host", help="Listen on this address instead of the configured one.")]
Port = Annotated[int | None, typer.Option("--port", help="Listen on this port; 0 takes a free one.")]
SimulatorPort = Annotated[int, typer.Option("--simulator-port", help="Where simulated vendors listen.")]
ConsolePort = Annotated[int | None, typer.Option("--console-port", help="Where the console is; 0 takes a free one.")]
At = tuple[str | None, int | None, int | None]
"""Another host, port and console port than the configured ones."""
HealthHost = Annotated[str | None, typer.Option("--health-host", help="Where /healthz, /readyz and /metrics are.")]
HealthPort = Annotated[int | None, typer.Option("--health-port", help="Their port; 0 takes a free one.")]


def run(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    simulate: Simulate = False,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
    simulator_port: SimulatorPort = 8090,
) -> None:
    """Start web and worker in one process, on an embedded Valkey where no REDIS_URL is set."""
    starting.until_stopped(_run(config, (host, port, console_port), simulator_port if simulate else None))


def web(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
) -> None:
    """Start the door for webhooks and the console, without a worker."""
    starting.until_stopped(_web(config, (host, port, console_port)))


def worker(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    name: Annotated[str, typer.Option("--name", help="This worker's name, the same after a restart.")] = "",
    health_host: HealthHost = None,
    health_port: HealthPort = None,
) -> None:
    """Start a worker alone."""
    starting.until_stopped(_worker(config, name, health_host, health_port))


async def _run(config: Path, at: At, simulator_port: int | None) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        simulator = None
        if simulator_port is not None:
            memory = _data_folder(config)
            simulator = await stack.enter_async_context(running.simulating(simulator_port, memory=memory))
        settings = starting.settings(config, _stand_in(config, simulator))
        settings = running.listening(settings, *at)
        server = stack.enter_context(running.redis_server(settings))
        connection = await stack.enter_async_context(running.connected(server, patient=True))
        async with (
            running.working(settings, connection, group),
            running.door(settings, connection, group, works=True) as router,
            consoles.serving(router, connection, group) as console,
        ):
            token = await consoles.first_token(router, connection, _data_folder(config)) if simulator else ""
            announce.started(router, simulator, console, token)
            await starting.stopped()


async def _web(config: Path, at: At) -> None:
    settings = running.listening(starting.settings(config, needs={"sources"}), *at)
    async with (
        asyncio.TaskGroup() as group,
        running.connected(running.outside_redis(settings), patient=True) as connection,
        running.door(settings, connection, group) as router,
        consoles.serving(router, connection, group) as console,
    ):
        announce.started(router, None, console)
        await starting.stopped()


async def _worker(config: Path, name: str, health_host: str | None, health_port: int | None) -> None:
    settings = running.named(starting.settings(config, needs={"destinations"}), name)
    host = health_host or settings.worker.health_host
    port = settings.worker.health_port if health_port is None else health_port
    async with (
        asyncio.TaskGroup() as group,
        running.connected(running.outside_redis(settings), patient=True) as connection,
        running.working(settings, connection, group),
        running.serving(parts.health_app(connection), host, port, group) as address,
    ):
        announce.working(address)
        await starting.stopped()


def _data_folder(config: Path) -> Path:
    """Where a first try keeps what it remembers; the configuration cannot be read without it."""
    return Path(os.environ.get("INCIDENT_ROUTER_DATA") or config.parent / "data")


def _stand_in(config: Path, simulator: str | None) -> configuration.StandIn | None:
    if simulator is None:
        return None
    vendors = {"incident-io": f"{simulator}/incident-io", "devhelm": f"{simulator}/devhelm"}
    return configuration.StandIn(running.webhook_token(_data_folder(config)), vendors)
