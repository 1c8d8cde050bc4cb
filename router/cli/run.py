"""``run``, ``web`` and ``worker``: the three ways to start the router."""

import asyncio
import contextlib
from pathlib import Path
from typing import Annotated

import typer

from router import configuration
from router.bootstrap import factories, listeners, processes
from router.cli import banner, console_server, failures, startup
from router.store import private_folder
from router.telemetry import registries

Simulate = Annotated[
    bool,
    typer.Option("--simulate", help="Simulate the vendors whose keys are not set, and generate a webhook token."),
]
Host = Annotated[str | None, typer.Option("--host", help="Listen on this address instead of the configured one.")]
Port = Annotated[int | None, typer.Option("--port", parser=startup.PORT, help="Listen on this port; 0 for a free one.")]
SimulatorPort = Annotated[
    int, typer.Option("--simulator-port", parser=startup.PORT, help="The port of the simulated vendors.")
]
ConsolePort = Annotated[
    int | None,
    typer.Option("--console-port", parser=startup.PORT, help="The port of the console; 0 for a free one."),
]
At = tuple[str | None, int | None, int | None, int | None]
"""Another host, port, console port, and health port than the configured ones."""
HealthHost = Annotated[
    str | None, typer.Option("--health-host", help="Serve /healthz, /readyz, and /metrics on this address.")
]
HealthPort = Annotated[
    int | None,
    typer.Option(
        "--health-port",
        parser=startup.PORT,
        help="Serve /healthz, /readyz, and /metrics on this port; 0 for a free one.",
    ),
]


def run(
    config: startup.Config = configuration.DEFAULT_FILE,
    *,
    simulate: Simulate = False,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
    health_port: HealthPort = None,
    simulator_port: SimulatorPort = 8090,
) -> None:
    """Run web and worker in one process. Without REDIS_URL, an embedded Valkey starts."""
    # A trial is started by a person, who reads errors as text.
    ending = failures.TEXT if simulate else failures.of_process(config)
    main = _run(config, (host, port, console_port, health_port), simulator_port if simulate else None, ending)
    startup.run_until_stopped(main, ending)


def web(
    config: startup.Config = configuration.DEFAULT_FILE,
    *,
    host: Host = None,
    port: Port = None,
    console_port: ConsolePort = None,
    health_port: HealthPort = None,
) -> None:
    """Run the webhook server and the console, without a worker."""
    ending = failures.of_process(config)
    startup.run_until_stopped(_web(config, (host, port, console_port, health_port), ending), ending)


def worker(
    config: startup.Config = configuration.DEFAULT_FILE,
    *,
    name: Annotated[str, typer.Option("--name", help="The worker's name, unchanged across restarts.")] = "",
    health_host: HealthHost = None,
    health_port: HealthPort = None,
) -> None:
    """Run a worker."""
    ending = failures.of_process(config)
    startup.run_until_stopped(_worker(config, name, (health_host, health_port), ending), ending)


async def _run(config: Path, at: At, simulator_port: int | None, ending: failures.FailureOutput) -> None:
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        lock, simulator, stop = None, None, asyncio.Event()
        # Simulated parts need a port and a token from the data folder. Both are known only after the folder is locked.
        simulated = configuration.StandIn("not-made-yet", {}) if simulator_port is not None else None
        settings = processes.with_addresses(startup.settings(config, simulated, ending=ending), *at)
        if simulated is not None or processes.uses_data_folder(settings):
            lock = stack.enter_context(private_folder.hold_lock(settings.data))
        # Ports are opened before anything is started, so a port in use is reported immediately.
        sockets = stack.enter_context(listeners.open_all(settings))
        if simulator_port is not None:
            listener = listeners.simulator("127.0.0.1", simulator_port, listeners.SIMULATOR)
            simulator = await stack.enter_async_context(processes.simulating(listener, settings.data))
            settings = processes.with_addresses(startup.settings(config, _stand_in(settings.data, simulator)), *at)
        # The embedded Valkey writes into the data folder, so it gets the lock that this process already holds.
        server = stack.enter_context(processes.redis_server(settings, lock))
        store = await stack.enter_async_context(
            processes.connect(settings, server, patient=True, cached_alerts=factories.CACHED_BY_WORKER)
        )
        async with (
            processes.working(settings, store, group, stop=stop),
            processes.webhook_server(settings, store, group, sockets, stop=stop, roles=registries.ROLES) as router,
            console_server.serving(router, store, group, sockets.console, stop) as console,
        ):
            token = await console_server.first_token(router, store, settings.data) if simulator else ""
            banner.print_started("run", router, console, banner.Trial(simulator, token) if simulator else None)
            banner.log_stopping(await startup.wait_for_stop())
            stop.set()  # All parts stop at the same time. One after the other would exceed a pod's grace period.


async def _web(config: Path, at: At, ending: failures.FailureOutput) -> None:
    # This process calls no vendor, so it starts without their keys.
    settings = processes.with_addresses(startup.settings(config, needs={"sources", "slack_app"}, ending=ending), *at)
    with listeners.open_all(settings) as sockets:
        await _serve(settings, sockets)


async def _serve(settings: configuration.Settings, sockets: listeners.Listeners) -> None:
    stop = asyncio.Event()
    async with (
        asyncio.TaskGroup() as group,
        processes.connect(settings, patient=True, cached_alerts=factories.CACHED_BY_WEB) as store,
        processes.webhook_server(settings, store, group, sockets, stop=stop) as router,
        console_server.serving(router, store, group, sockets.console, stop) as console,
    ):
        banner.print_started("web", router, console)
        banner.log_stopping(await startup.wait_for_stop())
        stop.set()


async def _worker(config: Path, name: str, at: tuple[str | None, int | None], ending: failures.FailureOutput) -> None:
    # A worker receives no deliveries, so it starts without the secrets of sources.
    settings = processes.with_worker_name(
        startup.settings(config, needs={"destinations", "notifiers"}, ending=ending), name
    )
    host = at[0] or settings.worker.health_host
    # Port 0 is a valid choice, so only an absent option selects the configured port.
    port = settings.worker.health_port if at[1] is None else at[1]
    with listeners.listening(host, port, listeners.WORKER_HEALTH) as listener:
        async with (
            asyncio.TaskGroup() as group,
            processes.connect(settings, patient=True, cached_alerts=factories.CACHED_BY_WORKER) as store,
            processes.working(settings, store, group),
            processes.serve_probes(store, listener) as health_port,
        ):
            banner.print_worker_started(settings, processes.Address(host, health_port))
            banner.log_stopping(await startup.wait_for_stop())


def _stand_in(folder: Path, simulator: str) -> configuration.StandIn:
    """Return the stand-ins for unset secrets: the simulated vendors, and a token stored in the data folder."""
    vendors = {name: f"{simulator}/{name}" for name in ("incident-io", "devhelm")}
    vendors["slack"] = f"{simulator}/slack/api"
    return configuration.StandIn(processes.webhook_token(folder), vendors)
