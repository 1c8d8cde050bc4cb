"""``demo``: runs the router, an embedded Valkey, and both simulated vendors through a scenario in the terminal."""

import asyncio
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich import console, live

from router import configuration
from router.bootstrap import factories, listeners, processes, public_pages
from router.cli import demo_scenario, startup, terminal
from router.outbound import client
from router.telemetry import log

_TOKEN = "demo"  # noqa: S105 - good for one minute, on a port of this machine
_FOLDER = Path(__file__).parent / "demo_files"


def demo(
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Run for a minute, or as fast as possible.")] = True,
) -> None:
    """Run a demo: an alert storm becomes one incident, escalates, is published, and resolves."""
    # Log lines would break the live table.
    log.configure("console", "error")
    startup.run_until_stopped(_demo(wait))


async def _demo(wait: bool) -> None:
    out = terminal.console(wide=False)
    with tempfile.TemporaryDirectory(prefix="incident-router-demo-") as folder:
        async with processes.simulating() as simulator, asyncio.TaskGroup() as group:
            vendors = {"incident-io": f"{simulator}/incident-io", "devhelm": f"{simulator}/devhelm"}
            stand_in = configuration.StandIn(_TOKEN, vendors)
            # The environment has nothing else, so the keys of the person who runs the demo are never used.
            environment = {"INCIDENT_ROUTER_DATA": folder}
            settings = configuration.load(_FOLDER / "incident-router.yaml", environment, stand_in)
            with processes.redis_server(settings) as server, listeners.open_all(settings) as sockets:
                async with (
                    processes.connect(settings, server) as store,
                    processes.working(settings, store, group),
                    processes.webhook_server(settings, store, group, sockets) as router,
                ):
                    player = demo_scenario.DemoPlayer(
                        sender=_caller("demo", router.address.url, {"authorization": f"Bearer {_TOKEN}"}),
                        vendors=_caller("simulator", simulator, {}),
                        store=store,
                        reviews=public_pages.reviews(settings, store, factories.clock),
                        clock=factories.clock,
                        pace=1.0 if wait else 0.0,
                    )
                    await _show(player, out, simulator)


async def _show(player: demo_scenario.DemoPlayer, out: console.Console, simulator: str) -> None:
    """Show the scenario as a live table, and its summary at the end."""
    out.print(f"\nThe simulated status pages: [bold]{simulator}/[/]\n")
    with live.Live(player, console=out, refresh_per_second=8):
        await player.play()
    out.print()
    out.print(player.summary())


def _caller(name: str, url: str, headers: dict[str, str]) -> client.Client:
    return client.Client(name=name, base_url=url, headers=headers, timeout_seconds=10.0, now=factories.clock)
