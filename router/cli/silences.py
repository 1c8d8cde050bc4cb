"""``silences``: alerts that match one open nothing while it lasts."""

import getpass
from typing import Annotated

import redis.asyncio
import typer
from rich import markup, table

from router import settings as configuration
from router.assembly import parts
from router.cli import starting
from router.domain import silence as silencing
from router.store import silences

app = typer.Typer(help="Alerts that are not to be heard of for a while.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    over: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the silences that hold or are still to come."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        now = parts.clock()
        found = [one for one in await silences.Silences(connection).read() if over or one.state(now) != "expired"]
        if not found:
            print("there is no silence")
            return
        grid = table.Table("id", "state", "until", "by", "matchers", "comment", box=None, header_style="bold")
        for one in found:
            matchers = ", ".join(map(str, one.matchers))
            cells = (one.id, one.state(now), starting.moment(one.ends_at), one.author, matchers, one.comment)
            grid.add_row(*map(markup.escape, cells))
        starting.printer().print(grid)

    starting.with_store(config, body)


@app.command("add")
def add(
    matchers: Annotated[list[str], typer.Argument(help='Which alerts: service="checkout" env=~"prod.*"; all of them.')],
    *,
    comment: Annotated[str, typer.Option("--comment", help="Why.")],
    for_: Annotated[str, typer.Option("--for", help="How long, as 2h or 3d.")] = "1h",
    after: Annotated[str, typer.Option("--in", help="In how long it begins.")] = "0s",
    by: starting.By = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Silence alerts. Incidents that are open already are left alone; within seconds new ones are not opened."""
    read = tuple(_matcher(text) for text in matchers)
    if all(one.operator in {"=", "=~"} and one.value in {"", ".*"} for one in read):
        raise starting.usage("it would silence everything: at least one matcher has to want some text")
    begins, lasts = starting.duration(after), starting.duration(for_)

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        starts_at = parts.clock() + begins
        made = silencing.Silence(
            parts.new_id()[:12], read, starts_at, starts_at + lasts, by or getpass.getuser(), comment
        )
        await silences.Silences(connection).write(made)
        print(f"{made.id} until {starting.moment(made.ends_at)}")

    starting.with_store(config, body)


@app.command("expire")
def expire(
    identity: Annotated[str, typer.Argument(help="Its id, as `silences list` shows it.")],
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """End a silence now: what still fires is heard of within a quarter of a minute. Status 1 where there is none."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        ended = await silences.Silences(connection).expire(identity, parts.clock())
        if ended is None:
            print(f"there is no silence {identity} (any more)")
            raise typer.Exit(1)
        print(f"ended {identity}")

    starting.with_store(config, body)


def _matcher(text: str) -> silencing.Matcher:
    try:
        return silencing.matcher(text)
    except silencing.Unreadable as error:
        raise starting.usage(str(error)) from error
