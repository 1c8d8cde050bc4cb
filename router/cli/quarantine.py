"""``quarantine``: shows, retries, and discards authentic bodies that could not be read."""

import sys
from typing import Annotated

import typer

from router import configuration
from router.cli import router_access, startup, tables, terminal
from router.services import models, resources

_PAGE = 20  # Bodies per request. Each may be as large as a delivery.

app = typer.Typer(help="Authentic bodies that could not be parsed.", no_args_is_help=True)

Identity = Annotated[str, typer.Argument(help="The body's ID, as `quarantine list` shows it.")]


@app.command("list")
def show_all(
    *,
    limit: startup.Limit = 20,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the newest bodies with the problem of each."""

    async def body(router: router_access.Reached) -> None:
        quarantineds = [row async for row in router_access.rows(router.queries.records.quarantine, _PAGE, limit)]
        if as_json:
            startup.print_items(quarantineds)
            return
        rows = [
            (quarantined.id, tables.age(quarantined.kept_at), quarantined.source, quarantined.problem)
            for quarantined in quarantineds
        ]
        columns = ("id", "kept", "source", tables.Column("problem", shrinks=True))
        tables.write(columns, rows, "nothing is in quarantine")

    router_access.reach(config, server, body)


@app.command("show")
def show(
    identity: Identity,
    *,
    payload: Annotated[bool, typer.Option("--body", help="Print only the body, exactly as received.")] = False,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one body with its headers, without secrets, and its problem."""
    if payload and as_json:
        raise startup.usage("--body and --json can't be combined")

    async def body(router: router_access.Reached) -> None:
        quarantined = await _find_body(router, identity)
        if as_json:
            startup.print_json(quarantined)
            return
        if not payload:
            out = terminal.console(soft_wrap=True)
            out.print(
                f"{quarantined.id} from {terminal.markup(quarantined.source)}, "
                f"kept {tables.moment(quarantined.kept_at)}"
            )
            out.print(f"[red]{terminal.markup(quarantined.problem)}[/]\n")
            for name, value in quarantined.headers.items():
                out.print(terminal.markup(f"{name}: {value}"), style="dim")
            out.print()
        terminal.write_body(models.raw(quarantined.body, quarantined.body_base64))

    router_access.reach(config, server, body)


@app.command("retry")
def retry(
    identity: Identity,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Process a body again, with the current configuration and rules."""

    async def body(router: router_access.Reached) -> None:
        act = router.act(identity, by, reason)
        await _find_body(router, identity)
        reprocessed = await router.actions.retry_quarantined(act)
        print(f"processed as delivery {reprocessed.delivery} with {reprocessed.alerts} alerts")

    router_access.reach(config, server, body)


@app.command("discard")
def discard(
    identity: Identity,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Discard a body. It can't be restored."""

    async def body(router: router_access.Reached) -> None:
        act = router.act(identity, by, reason)
        quarantined = await _find_body(router, identity)
        await router.actions.discard_quarantined(act)
        print(f"discarded {quarantined.id}")

    router_access.reach(config, server, body)


async def _find_body(router: router_access.Reached, identity: str) -> resources.Quarantined:
    quarantined = await router.queries.records.quarantined_body(identity)
    if quarantined is None:
        print(f"incident-router: the quarantine has no body {identity}", file=sys.stderr)
        raise typer.Exit(1)
    return quarantined
