"""``heartbeats``: what has to be heard of every so often, and when it last was."""

import sys
from typing import Annotated

import redis.asyncio
import typer
from rich import markup, table

from router import settings as configuration
from router.assembly import parts
from router.cli import starting
from router.documents import quantities
from router.domain import heartbeat, timing
from router.store import incidents as incident_store

app = typer.Typer(help="What has to be heard of every so often.", no_args_is_help=True)


@app.command("list")
def show_all(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List all heartbeats, those that were heard of longest ago first."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        store = incident_store.Incidents(connection)
        held = (await store.read(await store.names())).values()
        found = sorted((one.incident for one in held if one.incident.beat_at), key=lambda one: one.beat_at)
        if not found:
            print("no heartbeat was ever heard of")
            return
        grid = table.Table("incident", "every", "last heard of", "state", box=None, header_style="bold")
        for one in found:
            state = "silent" if one.status == "open" else "alive"
            every = quantities.shown(timing.of(one).heartbeat)
            grid.add_row(*map(markup.escape, (one.key, every, starting.moment(one.beat_at), state)))
        starting.printer().print(grid)

    starting.with_store(config, body)


@app.command("forget")
def forget(
    incident: Annotated[str, typer.Argument(help="The incident's key, as `heartbeats list` shows it.")],
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Wait for a heartbeat no more, until it is heard of again. Status 1 where there is none."""

    def make(held: incident_store.Held) -> incident_store.Change | None:
        if not held.incident.beat_at:
            return None
        return incident_store.Change(heartbeat.forgotten(held.incident, parts.clock()), held.version, wake=True)

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        if not await incident_store.Incidents(connection).change(incident, make):
            print(f'incident-router: there is no heartbeat "{incident}"', file=sys.stderr)
            raise typer.Exit(1)
        print(f"{incident} is not waited for any more")

    starting.with_store(config, body)
