"""``heartbeats``: what has to be heard of every so often, and when it last was."""

import sys
from typing import Annotated

import typer

from router import settings as configuration
from router.cli import reaching, starting
from router.documents import quantities
from router.management import actions, entries

app = typer.Typer(help="What has to be heard of every so often.", no_args_is_help=True)


@app.command("list")
def show_all(*, server: starting.Server = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List all heartbeats, those that were heard of longest ago first."""

    async def body(router: reaching.Reached) -> None:
        found = await router.ask.ledgers.heartbeats()
        columns = ("incident", "every", "last heard of", "state")
        starting.print_table(columns, map(_row, found), "no heartbeat was ever heard of")

    reaching.reach(config, server, body)


def _row(one: entries.Heartbeat) -> tuple[str, ...]:
    every = quantities.shown(round(one.every_seconds * 1_000_000))
    return one.incident, every, starting.moment(one.last_heard_at), "silent" if one.silent else "alive"


@app.command("forget")
def forget(
    incident: Annotated[str, typer.Argument(help="The incident's key, as `heartbeats list` shows it.")],
    *,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Wait for a heartbeat no more, until it is heard of again. Status 1 where there is none."""

    async def body(router: reaching.Reached) -> None:
        try:
            await router.do.forget(router.act(incident))
        except actions.NotThere:
            print(f'incident-router: there is no heartbeat "{incident}"', file=sys.stderr)
            raise typer.Exit(1) from None
        print(f"{incident} is not waited for any more")

    reaching.reach(config, server, body)
