"""``incidents``: what is open, and what happened to one incident, in order and with the reasons."""

import functools
import sys
from typing import Annotated

import msgspec
import typer

from router import settings as configuration
from router.cli import reaching, starting, terminal
from router.management import models

_PAGE = 500  # Incidents that are asked for at once.

app = typer.Typer(help="What is open, and what happened to it.", no_args_is_help=True)


@app.command("list")
def show_all(
    *,
    closed: Annotated[bool, typer.Option("--all", help="Those that are over, too.")] = False,
    muted: Annotated[bool, typer.Option("--muted", help="List the muted alerts, and what mutes each.")] = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the incidents that are open or pending, the worst first; with --muted, the alerts that open nothing now."""

    async def body(router: reaching.Reached) -> None:
        if muted:
            await _print_muted(router)
            return
        ask = functools.partial(router.ask.incidents, status="all" if closed else "open")
        rows = [_row(one) async for one in reaching.rows(ask, _PAGE)]
        columns = ("incident", "reference", "status", "severity", "fire", "since", "rule")
        starting.print_table(columns, rows, "no incident is open")

    reaching.reach(config, server, body)


@app.command("show")
def show(
    incident: Annotated[str, typer.Argument(help="The incident's key, as `incidents list` shows it.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all that is known as JSON.")] = False,
    server: starting.Server = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show an incident's timeline and where it appears. Status 1 where there is none of this key."""

    async def body(router: reaching.Reached) -> None:
        story = await (router.ask.story(incident) if as_json else router.ask.incident(incident))
        if story is None:
            print(f'incident-router: there is no incident "{incident}"', file=sys.stderr)
            raise typer.Exit(1)
        if isinstance(story, models.Story):
            terminal.write_json(msgspec.json.format(msgspec.json.encode(story.model_dump())))
            return
        _print(story)

    reaching.reach(config, server, body)


async def _print_muted(router: reaching.Reached) -> None:
    rows = [
        [one.title or one.alert, one.severity, one.muted_by, starting.moment(one.starts_at), one.incident]
        for one in await router.ask.ledgers.muted()
    ]
    columns = ("alert", "severity", "muted by", "since", "incident")
    starting.print_table(columns, rows, "no alert is muted")


def _row(one: models.IncidentRow) -> list[str]:
    since = starting.moment(one.opened_at)
    return [one.key, one.reference, one.status, one.severity, str(one.firing), since, one.rule]


def _print(one: models.Incident) -> None:
    out = terminal.console(soft_wrap=True)
    out.print(f"[bold]{terminal.markup(one.key)}[/]  {one.status}, {one.severity}, {one.firing} alerts fire")
    for publication in one.publications:
        line = f"{publication.destination}: {publication.state} {publication.url or publication.vendor_id}"
        problem = publication.refused or publication.problem or publication.taken_over
        said = f"[red]{terminal.markup(problem)}[/]" if problem else f"[dim]{terminal.markup(publication.next)}[/]"
        out.print(f"  {terminal.markup(line)}  {said}")
    if one.timeline:
        out.print()
    for event in one.timeline:
        out.print(f"  [dim]{starting.moment(event.at)}[/]  {terminal.markup(event.text)}")
