"""``silences``: alerts that match one open nothing while it lasts."""

from typing import Annotated

import pydantic
import typer

from router import settings as configuration
from router.cli import reaching, starting, tables
from router.management import actions, bodies, entries, reading

app = typer.Typer(help="Alerts that are not to be heard of for a while.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    over: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the silences that hold or are still to come."""

    async def body(router: reaching.Reached) -> None:
        found = await router.ask.ledgers.silences(over=over)
        columns = ("id", "state", "until", "window", "by", "matchers", "comment")
        tables.write(columns, map(_row, found), "there is no silence")

    reaching.reach(config, server, body)


def _row(one: entries.Silence) -> tuple[str, ...]:
    until = tables.moment(one.ends_at)
    return one.id, one.state, until, _window(one), one.author, ", ".join(one.matchers), one.comment


def _window(one: entries.Silence) -> str:
    """The windows of a recurring silence, and when it mutes next."""
    if not one.during:
        return ""
    which, at = ("now, until", one.window_ends_at) if one.state == "active" else ("next", one.window_starts_at)
    return "; ".join(one.during) + (f" ({which} {tables.moment(at)})" if at is not None else "")


@app.command("add")
def add(
    matchers: Annotated[list[str], typer.Argument(help='Which alerts: service="checkout" env=~"prod.*"; all of them.')],
    *,
    comment: Annotated[str, typer.Option("--comment", help="Why.")],
    during: Annotated[
        list[str] | None,
        typer.Option("--during", help="Only in this weekly window: 'mon-fri 22:00-06:00 Europe/Zurich'. Repeatable."),
    ] = None,
    for_: Annotated[
        str, typer.Option("--for", help="How long, such as 2h or 3d (default: 1h; with --during: 365d).")
    ] = "",
    after: Annotated[str, typer.Option("--in", help="In how long it begins.")] = "0s",
    by: starting.By = "",
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Silence alerts. Incidents that are open already are left alone; within seconds new ones are not opened."""
    begins, lasts = starting.duration(after), starting.duration(for_ or ("365d" if during else "1h"))
    said = {"matchers": matchers, "comment": comment, "seconds": lasts // 1_000_000, "during": during or []}
    try:
        wanted = bodies.AddSilence.model_validate({**said, "begins_in_seconds": begins // 1_000_000})
    except pydantic.ValidationError as error:
        raise starting.usage(reading.wrong("the silence", error)) from error

    async def body(router: reaching.Reached) -> None:
        try:
            made = await router.do.silence(router.act(" ".join(matchers)[:200], by, comment), wanted)
        except actions.Unfit as error:
            raise starting.usage(str(error)) from None
        print(f"{made.id} until {tables.moment(made.ends_at)}")

    reaching.reach(config, server, body)


@app.command("expire")
def expire(
    identity: Annotated[str, typer.Argument(help="Its id, as `silences list` shows it.")],
    *,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """End a silence now: what still fires is heard of within a quarter of a minute. Status 1 where there is none."""

    async def body(router: reaching.Reached) -> None:
        try:
            await router.do.expire(router.act(identity))
        except actions.NotThere:
            print(f"there is no silence {identity} (any more)")
            raise typer.Exit(1) from None
        print(f"ended {identity}")

    reaching.reach(config, server, body)
