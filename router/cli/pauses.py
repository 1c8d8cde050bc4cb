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
        found = await router.queries.records.pauses()
        if as_json:
            startup.print_items(found)
            return
        rows = [
            (
                one.destination,
                one.kind.replace("_", " "),
                one.endpoint or "the whole account",
                tables.moment(one.ends_at),
                str(one.waiting),
            )
            for one in found
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
        done = await router.actions.lift_pauses(router.act(destination, by, reason))
        print(f"lifted {done.lifted} of {destination}; {done.looked_at} incidents that waited are looked at now")

    router_access.reach(config, server, body)
