"""``orphans``: lists and resolves open items at vendors that belong to no known incident after data was lost."""

from typing import Annotated

import typer

from router import configuration
from router.cli import router_access, startup, tables
from router.services import actions

app = typer.Typer(
    help="Open items at vendors that belong to no known incident since data was lost.", no_args_is_help=True
)


@app.command("list")
def show_all(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List orphans, oldest first. An alert of its incident adopts or resolves an orphan."""

    async def body(router: router_access.Reached) -> None:
        orphans = await router.queries.records.orphans()
        if as_json:
            startup.print_items(orphans)
            return
        rows = [
            (
                orphan.id,
                orphan.destination,
                tables.age(orphan.opened_at),
                orphan.reference or "none",
                orphan.title,
                orphan.url,
            )
            for orphan in orphans
        ]
        title, link = tables.Column("title", shrinks=True), tables.Column("link", wide=True)
        columns = ("id", "destination", "opened", "reference", title, link)
        tables.write(columns, rows, "every open item belongs to a known incident")

    router_access.reach(config, server, body)


@app.command("resolve")
def resolve(
    identity: Annotated[str, typer.Argument(metavar="ID", help="The ID, as `orphans list` shows it.")],
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Have a worker resolve an item at its vendor. A draft is dismissed."""

    async def body(router: router_access.Reached) -> None:
        try:
            orphan = await router.actions.resolve_orphan(router.act(identity, by, reason))
        except actions.SubjectNotFound:
            raise startup.not_found(f'there is no orphan "{identity}"') from None
        print(f"{orphan.id} at {orphan.destination} will be resolved")
        # The command succeeds although the item stays open, so it says what the worker waits for.
        if (await router.queries.records.publishing()).freeze == "frozen":
            print("publishing is frozen: an item on a public page is resolved after `publishing unfreeze`")

    router_access.reach(config, server, body)
