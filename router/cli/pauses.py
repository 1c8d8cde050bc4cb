"""``pauses``: lists and lifts the pauses of calls to vendors."""

from typing import Annotated

import typer

from router import configuration
from router.cli import router_access, startup, tables

app = typer.Typer(help="Pauses of calls to vendors: rate limits, circuit breakers, and quotas.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the active pauses."""

    async def body(router: router_access.Reached) -> None:
        pauses = await router.queries.records.pauses()
        if as_json:
            startup.print_items(pauses)
            return
        rows = [
            (
                pause.destination,
                pause.kind.replace("_", " "),
                pause.endpoint or "the whole account",
                tables.moment(pause.ends_at),
                str(pause.waiting),
            )
            for pause in pauses
        ]
        tables.write(("destination", "why", "calls", "until", "waiting"), rows, "nothing is paused")

    router_access.reach(config, server, body)


@app.command("lift")
def lift(
    destination: Annotated[str, typer.Argument(help="The destination, as `pauses list` shows it.")],
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """End all pauses of a destination's account, and retry its waiting operations."""

    async def body(router: router_access.Reached) -> None:
        lifted = await router.actions.lift_pauses(router.act(destination, by, reason))
        print(f"lifted {lifted.lifted} of {destination}; {lifted.looked_at} incidents are reconciled now")

    router_access.reach(config, server, body)
