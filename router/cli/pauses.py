"""``pauses``: what vendors asked the router to wait for, and an operator's way to end it."""

from typing import Annotated

import typer

from router import settings as configuration
from router.cli import reaching, starting, tables

app = typer.Typer(help="Pauses that vendors asked for by answering 429.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    as_json: starting.AsJson = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the pauses that hold now."""

    async def body(router: reaching.Reached) -> None:
        found = await router.ask.ledgers.pauses()
        if as_json:
            starting.print_items(found)
            return
        rows = [(one.destination, one.endpoint or "the whole account", tables.moment(one.ends_at)) for one in found]
        tables.write(("destination", "calls", "until"), rows, "no vendor has asked for a pause")

    reaching.reach(config, server, body)


@app.command("lift")
def lift(
    destination: Annotated[str, typer.Argument(help="The destination, as `pauses list` shows it.")],
    *,
    by: starting.By = "",
    why: starting.Why = "",
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """End all pauses of a destination's account, and try what waits there again."""

    async def body(router: reaching.Reached) -> None:
        done = await router.do.lift(router.act(destination, by, why))
        print(f"lifted {done.lifted} of {destination}; {done.looked_at} incidents that waited are looked at now")

    reaching.reach(config, server, body)
