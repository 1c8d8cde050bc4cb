"""``run``, ``web`` and ``worker``: the three ways to start the router."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from router import settings as configuration
from router.assembly import listeners, running
from router.cli import announce, consoles, endings, starting
from router.store import private_folder
from router.telemetry import registries

Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Simulate the vendors whose keys are not set, and make up a webhook token."),
]
Host = Annotated[str | None, typer.Option("--host", help="Listen on this address instead of the configured one.")]
Port = Annotated[
    int | None, typer.Option("--port", parser=starting.PORT, help="Listen on this port; 0 takes a free one.")
]
SimulatorPort = Annotated[
    int, typer.Option("--simulator-port", parser=starting.PORT, help="Where simulated vendors listen.")
]
ConsolePort = Annotated[
    int | None,
    typer.Option("--console-port", parser=starting.PORT, help="Where the console is; 0 takes a free one."),
]
At = tuple[str | None, int | None, int | None, int | None]
"""Another host, port, console port, and health port than the configured ones."""
HealthHost = Annotated[str | None, typer.Option("--health-host", help="Serve /healthz, /readyz, and /metrics here.")]
HealthPort = Annotated[
    int | None,
    typer.Option(
        "--health-port",
        parser=starting.PORT,
        help="Serve /healthz, /readyz, and /metrics on this port; 0 for a free one.",
    ),
]


def run(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    simulate: Simulate = False,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
    health_port: HealthPort = None,
    simulator_port: SimulatorPort = 8090,
) -> None:
    """Run web and worker in one process. Without REDIS_URL, an embedded Valkey starts."""
    ending = endings.TEXT if simulate else endings.of_process(config)
    main = _run(config, (host, port, console_port, health_port), simulator_port if simulate else None, ending)
    starting.until_stopped(main, ending)


def web(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
    health_port: HealthPort = None,
) -> None:
    """Run the webhook server and the console, without a worker."""
    ending = endings.of_process(config)
    starting.until_stopped(_web(config, (host, port, console_port, health_port), ending), ending)


def worker(
    config: starting.Config = configuration.DEFAULT_FILE,
    *,
    name: Annotated[str, typer.Option("--name", help="This worker's name, the same after a restart.")] = "",
    health_host: HealthHost = None,
    health_port: HealthPort = None,
) -> None:
    """Run a worker."""
    ending = endings.of_process(config)
    starting.until_stopped(_worker(config, name, (health_host, health_port), ending), ending)


async def _run(config: Path, at: At, simulator_port: int | None, ending: endings.Ending) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        lock, simulator, stop = None, None, asyncio.Event()
        # Simulated parts need a port and a token from the data folder. Both are known only after the folder is locked.
        simulated = configuration.StandIn("not-made-yet", {}) if simulator_port is not None else None
        settings = running.listening(starting.settings(config, simulated, ending=ending), *at)
        if simulated is not None or running.uses_data_folder(settings):
            lock = stack.enter_context(private_folder.locked(settings.data))
        sockets = stack.enter_context(listeners.opened(settings))
        if simulator_port is not None:
            listener = listeners.simulator("127.0.0.1", simulator_port, listeners.SIMULATOR)
            simulator = await stack.enter_async_context(running.simulating(listener, settings.data))
            settings = running.listening(starting.settings(config, _stand_in(settings.data, simulator)), *at)
        server = stack.enter_context(running.redis_server(settings, lock))
        connection = await stack.enter_async_context(running.connected(server, patient=True))
        async with (
            running.working(settings, connection, group, stop=stop),
            running.door(settings, connection, group, sockets, stop=stop, roles=registries.ROLES) as router,
            consoles.serving(router, connection, group, sockets.console, stop) as console,
        ):
            token = await consoles.first_token(router, connection, settings.data) if simulator else ""
            announce.started("run", router, console, announce.Trial(simulator, token) if simulator else None)
            announce.stopping(await starting.stopped())
            stop.set()  # All parts stop at the same time. One after the other would exceed a pod's grace period.


async def _web(config: Path, at: At, ending: endings.Ending) -> None:
    settings = running.listening(starting.settings(config, needs={"sources", "slack_app"}, ending=ending), *at)
    with listeners.opened(settings) as sockets:
        await _serve(settings, sockets)


async def _serve(settings: configuration.Settings, sockets: listeners.Listeners) -> None:
    stop = asyncio.Event()
    async with (
        asyncio.TaskGroup() as group,
        running.connected(running.outside_redis(settings), patient=True) as connection,
        running.door(settings, connection, group, sockets, stop=stop) as router,
        consoles.serving(router, connection, group, sockets.console, stop) as console,
    ):
        announce.started("web", router, console)
        announce.stopping(await starting.stopped())
        stop.set()


async def _worker(config: Path, name: str, at: tuple[str | None, int | None], ending: endings.Ending) -> None:
    settings = running.named(starting.settings(config, needs={"destinations", "notifiers"}, ending=ending), name)
    host = at[0] or settings.worker.health_host
    port = settings.worker.health_port if at[1] is None else at[1]
    with listeners.listening(host, port, listeners.WORKER_HEALTH) as listener:
        async with (
            asyncio.TaskGroup() as group,
            running.connected(running.outside_redis(settings), patient=True) as connection,
            running.working(settings, connection, group),
            running.probed(connection, listener) as health_port,
        ):
            announce.working(settings, running.Address(host, health_port))
            announce.stopping(await starting.stopped())


def _stand_in(folder: Path, simulator: str) -> configuration.StandIn:
    """Return the stand-ins for unset secrets: the simulated vendors, and a token stored in the data folder."""
    vendors = {name: f"{simulator}/{name}" for name in ("incident-io", "devhelm")}
    vendors["slack"] = f"{simulator}/slack/api"
    return configuration.StandIn(running.webhook_token(folder), vendors)
