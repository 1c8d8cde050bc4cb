"""``simulate``: simulates both vendors' APIs and status pages."""

from typing import Annotated

import typer

from router.bootstrap import listeners, processes
from router.cli import startup, terminal


def simulate(
    *,
    host: Annotated[str, typer.Option("--host", help="Listen on this address.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", parser=startup.PORT, help="Listen on this port; 0 for a free one.")
    ] = 8090,
) -> None:
    """Run only the simulated vendors, to try settings against them."""
    startup.run_until_stopped(_simulate(host, port))


async def _simulate(host: str, port: int) -> None:
    async with processes.simulating(listeners.simulator(host, port, listeners.SIMULATOR_ALONE)) as url:
        out = terminal.console()
        out.print(f"status pages  {url}/")
        out.print(f"incident.io   {url}/incident-io   as base_url, with any api_key")
        out.print(f"DevHelm       {url}/devhelm   as base_url, with any api_key")
        out.print(f"faults        POST {url}/faults   calls GET {url}/calls")
        await startup.wait_for_stop()
