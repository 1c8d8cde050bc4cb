"""``dead-letters``: operations that a vendor has refused, and deliveries that could not be processed."""

import getpass
import sys
from typing import Annotated

import redis.asyncio
import typer
from rich import markup, table

from router import settings as configuration
from router.assembly import dead_letters, parts
from router.cli import starting

app = typer.Typer(help="What can't succeed without a person.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(help="Its id, as `dead-letters list` shows it.")]


@app.command("list")
def show_all(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List all of them with what is wrong."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        found = await dead_letters.DeadLetters(settings, connection).read()
        if not found:
            print("there are no dead letters")
            return
        grid = table.Table(table.Column("id", no_wrap=True), "since", "what", "problem", box=None, header_style="bold")
        for one in found:
            grid.add_row(*map(markup.escape, (one.id, starting.moment(one.since), one.what, one.problem)))
        starting.printer().print(grid)

    starting.with_store(config, body)


@app.command("show")
def show(identity: Identity, *, config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Show one of them whole; of a delivery, the body as it was received. Status 1 where there is none of this id."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        one = await _found(dead_letters.DeadLetters(settings, connection), identity)
        print(f"{one.id}  {one.what}, since {starting.moment(one.since)}\n{one.problem}\n")
        sys.stdout.flush()
        sys.stdout.buffer.write(one.body)

    starting.with_store(config, body)


@app.command("redrive")
def redrive(identity: Identity, *, by: starting.By = "", config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """Try it again, after whatever was wrong has been put right."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        letters = dead_letters.DeadLetters(settings, connection)
        one = await _found(letters, identity)
        await letters.redrive(one, by or getpass.getuser(), parts.clock())
        print(f"{one.id} is tried again")

    starting.with_store(config, body)


@app.command("discard")
def discard(
    identity: Identity,
    *,
    by: starting.By = "",
    why: starting.Why = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Let it go for good."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        letters = dead_letters.DeadLetters(settings, connection)
        one = await _found(letters, identity)
        await letters.discard(one, by or getpass.getuser(), why, parts.clock())
        print(f"discarded {one.id}")

    starting.with_store(config, body)


async def _found(letters: dead_letters.DeadLetters, identity: str) -> dead_letters.DeadLetter:
    one = next((one for one in await letters.read() if one.id == identity), None)
    if one is None:
        print(f"incident-router: there is no dead letter {identity} (any more)", file=sys.stderr)
        raise typer.Exit(1)
    return one
