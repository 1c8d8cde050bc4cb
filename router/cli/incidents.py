"""``incidents``: what is open, and what happened to one incident, in order and with the reasons."""

import sys
from typing import Annotated

import msgspec
import redis.asyncio
import typer
from rich import markup, table

from router import settings as configuration
from router.assembly import pages
from router.cli import starting
from router.domain import identity
from router.domain import incident as incidents
from router.store import incidents as incident_store

app = typer.Typer(help="What is open, and what happened to it.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    closed: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the incidents that are open or held back, the worst first."""

    async def body(_: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        store = incident_store.Incidents(connection)
        held = (await store.read(await store.names())).values()
        found = [one.incident for one in held if closed or one.incident.status != "closed"]
        found.sort(key=lambda one: (one.status == "closed", -one.severity, one.opened_at, one.key))
        if not found:
            print("no incident is open")
            return
        columns = ["incident", "reference", "status", "severity", "fire", "since", "rule"]
        grid = table.Table(*columns, box=None, header_style="bold")
        for one in found:
            grid.add_row(*map(markup.escape, _row(one)))
        starting.printer().print(grid)

    starting.with_store(config, body)


@app.command("show")
def show(
    incident: Annotated[str, typer.Argument(help="The incident's key, as `incidents list` shows it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known as JSON.")] = False,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show an incident's timeline and where it appears. Status 1 where there is none of this key."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        story = await pages.told(settings, connection, incident)
        if story is None:
            print(f'incident-router: there is no incident "{incident}"', file=sys.stderr)
            raise typer.Exit(1)
        if as_json:
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(story)) + b"\n")
            return
        _print(story)

    starting.with_store(config, body)


def _row(one: incidents.Incident) -> list[str]:
    return [
        one.key,
        identity.reference(one.episode) if one.episode else "",
        one.status,
        one.severity.word,
        str(one.still_fires),
        starting.moment(one.opened_at or one.pending_since),
        one.response.rule if one.response is not None else "",
    ]


def _print(story: pages.Story) -> None:
    out = starting.printer()
    one = story.incident
    out.print(f"[bold]{markup.escape(one.key)}[/]  {one.status}, {one.severity.word}, {one.still_fires} alerts fire")
    for publication in story.publications:
        line = f"{publication.destination}: {publication.state} {publication.url or publication.vendor_id}"
        problem = publication.dead or publication.problem or publication.taken_over
        out.print(f"  {markup.escape(line)}" + (f"  [red]{markup.escape(problem)}[/]" if problem else ""))
    if story.timeline:
        out.print()
    for event in story.timeline:
        out.print(f"  [dim]{starting.moment(event.at)}[/]  {markup.escape(event.text)}")
