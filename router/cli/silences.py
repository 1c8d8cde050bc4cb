"""``silences``: alerts that match one open nothing while it lasts."""

from typing import Annotated

import pydantic
import typer

from router import settings as configuration
from router.cli import reaching, starting
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
        columns = ("id", "state", "until", "by", "matchers", "comment")
        starting.print_table(columns, map(_row, found), "there is no silence")

    reaching.reach(config, server, body)


def _row(one: entries.Silence) -> tuple[str, ...]:
    return one.id, one.state, starting.moment(one.ends_at), one.author, ", ".join(one.matchers), one.comment


@app.command("add")
def add(
    matchers: Annotated[list[str], typer.Argument(help='Which alerts: service="checkout" env=~"prod.*"; all of them.')],
    *,
    comment: Annotated[str, typer.Option("--comment", help="Why.")],
    for_: Annotated[str, typer.Option("--for", help="How long, as 2h or 3d.")] = "1h",
    after: Annotated[str, typer.Option("--in", help="In how long it begins.")] = "0s",
    by: starting.By = "",
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Silence alerts. Incidents that are open already are left alone; within seconds new ones are not opened."""
    begins, lasts = starting.duration(after), starting.duration(for_)
    said = {"matchers": matchers, "comment": comment, "seconds": lasts // 1_000_000}
    try:
        wanted = bodies.AddSilence.model_validate({**said, "begins_in_seconds": begins // 1_000_000})
    except pydantic.ValidationError as error:
        raise starting.usage(reading.wrong("the silence", error)) from error

    async def body(router: reaching.Reached) -> None:
        try:
            made = await router.do.silence(router.act(" ".join(matchers)[:200], by, comment), wanted)
        except actions.Unfit as error:
            raise starting.usage(str(error)) from None
        print(f"{made.id} until {starting.moment(made.ends_at)}")

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
