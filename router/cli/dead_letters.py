"""``dead-letters``: operations that a vendor has refused, and deliveries that could not be processed."""

import sys
from collections.abc import AsyncIterator
from typing import Annotated

import typer

from router import configuration
from router.cli import completion, router_access, startup, tables, terminal
from router.services import models, request_bodies, resources

_PAGE = 500  # Dead letters per request.

app = typer.Typer(help="Operations and deliveries that need an operator.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(help="The dead letter's ID, as `dead-letters list` shows it.")]


@app.command("list")
def show_all(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the dead letters with the problem of each."""

    async def body(router: router_access.Reached) -> None:
        dead_letters = [dead_letter async for dead_letter in _all(router)]
        await router_access.warn_of_unreadable(router)
        if as_json:
            startup.print_items(dead_letters)
            return
        rows = [
            (dead_letter.id, tables.age(dead_letter.since), dead_letter.what, dead_letter.problem)
            for dead_letter in dead_letters
        ]
        columns = ("id", "since", tables.Column("what", shrinks=True), tables.Column("problem", shrinks=True))
        tables.write(columns, rows, "there are no dead letters")

    router_access.reach(config, server, body)


@app.command("show")
def show(
    identity: Identity,
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one dead letter in full: an operation's content, or a delivery's body as it was received."""

    async def body(router: router_access.Reached) -> None:
        dead_letter = await _find_dead_letter(router, identity)
        if as_json:
            startup.print_json(dead_letter)
            return
        print(
            f"{dead_letter.id}  {terminal.plain(dead_letter.what)}, "
            f"since {tables.moment(dead_letter.since)}\n{terminal.lines(dead_letter.problem)}\n"
        )
        terminal.write_body(models.raw(dead_letter.body, dead_letter.body_base64))

    router_access.reach(config, server, body)


@app.command("redrive")
def redrive(
    identity: Annotated[str, typer.Argument(help="The dead letter's ID, as `dead-letters list` shows it.")] = "",
    *,
    every: Annotated[bool, typer.Option("--all", help="Retry all dead letters that match the filters.")] = False,
    destination: Annotated[
        str,
        typer.Option(help="With --all: only operations at this destination.", autocompletion=completion.destinations),
    ] = "",
    operation: Annotated[str, typer.Option(help="With --all: only this operation, such as `open` or `resolve`.")] = "",
    problem: Annotated[str, typer.Option(help="With --all: only dead letters whose problem contains this text.")] = "",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Retry one dead letter, or all of them, after you have fixed the problem."""
    operation_filter = request_bodies.Redrive(destination=destination, operation=operation, problem=problem)
    # Neither would retry nothing, and both could retry more than the operator intended.
    if every == bool(identity):
        raise startup.usage("give either an ID or --all")
    # A filter has no effect on a single ID, so the operator must not believe that it was applied.
    if identity and operation_filter != request_bodies.Redrive():
        raise startup.usage("--destination, --operation, and --problem need --all")

    async def all_of_them(router: router_access.Reached) -> None:
        redriven = await router.actions.redrive_all(router.act(operation_filter.subject, by, reason), operation_filter)
        print(f"{redriven.redriven} {'is' if redriven.redriven == 1 else 'are'} tried again")

    async def body(router: router_access.Reached) -> None:
        act = router.act(identity, by, reason)
        dead_letter = await _find_dead_letter(router, identity)
        await router.actions.redrive(act)
        print(f"{dead_letter.id} is tried again")

    router_access.reach(config, server, all_of_them if every else body)


@app.command("discard")
def discard(
    identity: Identity,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Discard a dead letter. It can't be restored."""

    async def body(router: router_access.Reached) -> None:
        act = router.act(identity, by, reason)
        dead_letter = await _find_dead_letter(router, identity)
        await router.actions.discard_dead_letter(act)
        print(f"discarded {dead_letter.id}")

    router_access.reach(config, server, body)


def _all(router: router_access.Reached) -> AsyncIterator[resources.DeadLetter]:
    return router_access.rows(router.queries.records.dead_letters, _PAGE)


async def _find_dead_letter(router: router_access.Reached, identity: str) -> resources.DeadLetter:
    # The API has no resource for a single dead letter, and there are rarely many.
    async for dead_letter in _all(router):
        if dead_letter.id == identity:
            return dead_letter
    print(f"incident-router: there is no dead letter {identity}", file=sys.stderr)
    raise typer.Exit(1)
