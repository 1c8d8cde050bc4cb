"""``incidents``: lists and shows incidents, acknowledges them, and corrects or retracts their posts."""

import functools
import sys
from collections.abc import Sequence
from typing import Annotated, Literal

import pydantic
import typer
from rich import console as consoles
from rich import text

from router import configuration
from router.api import request_parsing
from router.cli import completion, router_access, startup, tables, terminal
from router.domain import messages
from router.services import actions, models, request_bodies
from router.worker import retractions

_PAGE = 500  # Incidents per request.

app = typer.Typer(help="Incidents and their timelines.", no_args_is_help=True)

Name = Annotated[
    str,
    typer.Argument(
        metavar="INCIDENT",
        help="The incident: its reference (IR-…), its key, or the beginning of either if no other incident has it.",
        autocompletion=completion.incidents,
    ),
]
Status = Literal["open", "pending", "closed", "all"]
Severity = Literal["info", "minor", "major", "critical"]
_COLUMNS = (
    tables.Column("reference", shrinks=True),
    tables.Column("severity", style=tables.severity_style),
    "status",
    "firing",
    tables.Column("muted", spare=True),
    "since",
    tables.Column("problem", shrinks=True, spare=True, style=tables.problem_style),
    tables.Column("acknowledged", shrinks=True, spare=True),
    tables.Column("title", shrinks=True),
    tables.Column("rule", wide=True),
    tables.Column("key", wide=True),
)
_MUTED = (
    tables.Column("incident", shrinks=True),
    tables.Column("severity", style=tables.severity_style),
    "since",
    tables.Column("muted by", shrinks=True),
    tables.Column("title", shrinks=True),
)


@app.command("list")
def show_all(
    *,
    status: Annotated[
        Status, typer.Option("--status", help="Incidents of this status; open includes pending ones.")
    ] = "open",
    closed: Annotated[bool, typer.Option("--all", help="Include closed incidents: short for --status all.")] = False,
    severity: Annotated[Severity | None, typer.Option("--severity", help="Incidents of this severity.")] = None,
    search: Annotated[
        str, typer.Option("--search", help="Incidents whose reference, key, title, rule, or labels contain this text.")
    ] = "",
    muted: Annotated[bool, typer.Option("--muted", help="List the muted alerts, and what mutes each.")] = False,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List open and pending incidents, the worst and newest first."""

    async def body(router: router_access.Reached) -> None:
        if muted:
            await _list_muted(router, as_json=as_json)
            await router_access.warn_of_unreadable(router)
            return
        ask = functools.partial(
            router.queries.incidents, status="all" if closed else status, severity=severity or "", text=search
        )
        found = [one async for one in router_access.rows(ask, _PAGE)]
        if as_json:
            startup.print_items(found)
        else:
            none = "no incident is open" if status == "open" and not (closed or severity or search) else "no incidents"
            tables.write(_COLUMNS, map(_row, found), none)
        await router_access.warn_of_unreadable(router)

    router_access.reach(config, server, body)


@app.command("show")
def show(
    incident: Name,
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one incident: where it appears, what comes next, and its timeline."""

    async def body(router: router_access.Reached) -> None:
        found = await router.queries.incident(incident)
        if found is None:
            raise startup.not_there(f'there is no incident "{incident}"')
        if as_json:
            startup.print_json(found)
        else:
            _print(found)

    router_access.reach(config, server, body)


@app.command("ack")
def acknowledge(
    incident: Name,
    *,
    reason: startup.Reason = "",
    by: startup.By = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Acknowledge an open incident: others see who works on it, and reminders stop.

    The acknowledgement ends if the severity is raised, or if the incident ends. If the incident is acknowledged
    already, the command says by whom, and changes nothing.
    """

    async def body(router: router_access.Reached) -> None:
        asked = request_bodies.Acknowledge(incident=incident, reason=reason)
        done = await router.actions.acknowledge(router.act(incident, by, reason), asked)
        given = done.acknowledgement
        said = "acknowledged by" if done.is_new else "nothing to do, it was acknowledged before by"
        line = f"{done.reference}: {said} {given.by}"
        print(terminal.plain(line if done.is_new else f"{line} at {tables.moment(given.at)}"))

    router_access.reach(config, server, body)


@app.command("unack")
def unacknowledge(
    incident: Name,
    *,
    reason: startup.Reason = "",
    by: startup.By = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Withdraw the acknowledgement of an incident, also that of another operator. Reminders start over."""

    async def body(router: router_access.Reached) -> None:
        asked = request_bodies.Acknowledge(incident=incident, reason=reason)
        ended = await router.actions.unacknowledge(router.act(incident, by, reason), asked)
        print(terminal.plain(f"{incident}: the acknowledgement by {ended.by} is withdrawn"))

    router_access.reach(config, server, body)


@app.command("retract")
def retract(
    incident: Name,
    *,
    destination: Annotated[
        str,
        typer.Option(
            "--destination",
            help="The public page (default: all pages of the incident).",
            autocompletion=completion.destinations,
        ),
    ] = "",
    reason: Annotated[
        str,
        typer.Option("--reason", callback=startup.not_blank, help="Why the post is false; it is kept in the timeline."),
    ],
    message: Annotated[
        str,
        typer.Option(
            "--message",
            callback=startup.not_blank,
            help="The public text on a page that can't take posts down (default: the destination's text).",
        ),
    ] = "",
    by: startup.By = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Take down public posts that are false. Nothing of this episode is published again, unless a reviewer approves it.

    It works while public pages are frozen, too.
    """

    async def body(router: router_access.Reached) -> None:
        subject = f"{incident} at {destination}" if destination else incident
        wanted = {"incident": incident, "destination": destination, "reason": reason, "message": message}
        try:
            asked = request_bodies.Retract.model_validate(wanted)
        except pydantic.ValidationError as error:
            raise startup.usage(request_parsing.describe_errors("the retraction", error)) from None
        done = await router.actions.retract(router.act(subject, by, reason), asked)
        for one in done.items:
            print(f"{one.destination} ({one.reference}): {_RETRACTED[one.outcome]}")
        for warning in done.warnings:
            said = warning.partition(": ")[2]
            print(f"warning: your message has {said}", file=sys.stderr)
        if not any(one.outcome in retractions.DONE for one in done.items):
            raise typer.Exit(1)

    router_access.reach(config, server, body)


_RETRACTED = {
    "retracting": "the post is taken down",
    "repeated": "it was retracted before, but the post is still public; it is tried again",
    "searching": "its publishing is under way; what comes of it is taken down",
    "dismissed": "it waited for review and is dismissed",
    "withheld": "nothing of it was shown, and nothing will be",
    "withdrawn": "the approval to publish it again is withdrawn; what was begun is taken down",
    "resolved": "nothing to do, the post is over",
    "retracted": "nothing to do, it was retracted before",
}


@app.command("correct")
def correct(
    incident: Name,
    destination: Annotated[
        str,
        typer.Argument(help="The page where the update is posted.", autocompletion=completion.destinations),
    ],
    *,
    body: Annotated[str, typer.Option("--body", callback=startup.not_blank, help="The new text of the update.")],
    update: Annotated[
        str, typer.Option("--update", help="The update's ID, or the beginning of it (default: the newest update).")
    ] = "",
    status: Annotated[
        str,
        typer.Option(
            "--status",
            help="The vendor's status, not to or from RESOLVED (default: unchanged).",
        ),
    ] = "",
    seen: Annotated[
        str,
        typer.Option(
            "--if-match",
            help="The version that `incidents show` prints beside the update (default: the newest).",
        ),
    ] = "",
    reason: Annotated[
        str, typer.Option("--reason", callback=startup.not_blank, help="The reason; it is kept in the timeline.")
    ] = "",
    by: startup.By = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Correct an update that the router has posted at a page of DevHelm.

    A worker makes the call, and the incident's timeline has the result. incident.io can't change posted updates.
    """

    async def act(router: router_access.Reached) -> None:
        key, found = await _posted(router, incident, destination, update)
        wanted = {"incident": key, "destination": destination, "update": found.id, "seen": seen or found.seen}
        try:
            asked = request_bodies.Correct.model_validate(wanted | {"body": body, "status": status})
        except pydantic.ValidationError as error:
            raise startup.usage(request_parsing.describe_errors("the correction", error)) from None
        try:
            done = await router.actions.correct(router.act(f"{key} at {destination}", by, reason), asked)
        except actions.Conflict:
            print("incident-router: the update has changed since you looked; look at it again", file=sys.stderr)
            raise typer.Exit(3) from None
        print(f"{destination}: the update {found.id} is corrected next")
        for warning in done.warnings:
            print(f"warning: your text has {warning.partition(': ')[2]}", file=sys.stderr)

    router_access.reach(config, server, act)


async def _posted(
    router: router_access.Reached, incident: str, destination: str, update: str
) -> tuple[str, models.PostedUpdate]:
    """Return the incident's key, and the current state of the selected update."""
    one = await router.queries.incident(incident)
    if one is None:
        raise startup.not_there(f'there is no incident "{incident}"')
    at = [publication for publication in one.publications if publication.destination == destination]
    found = [posted for publication in at for posted in publication.posted if posted.id.startswith(update)]
    if not found:
        # The API reports the reason: the vendor can't change the update, or the router has posted no such update.
        return one.key, models.PostedUpdate(id=update or "(none)", status="", text="", seen="none")
    if update and len(found) > 1:
        raise startup.usage(f"{len(found)} updates begin with {update}")
    return one.key, found[-1]


async def _list_muted(router: router_access.Reached, *, as_json: bool) -> None:
    found = await router.queries.records.muted()
    if as_json:
        startup.print_items(found)
        return
    rows = [
        (one.incident, one.severity, tables.age(one.starts_at), one.muted_by, one.title or one.alert) for one in found
    ]
    tables.write(_MUTED, rows, "no alert is muted")


def _row(one: models.IncidentRow) -> list[str]:
    # A pending incident has no reference yet. In a terminal its key is shown instead, because the column ``key`` may be
    # omitted.
    name = one.reference or (one.key if tables.is_terminal() else "")
    problem = ", ".join(one.problems).replace("_", " ")
    counts = (str(one.firing), str(one.muted or ""))
    since = tables.age(one.opened_at)
    held = one.acknowledgement
    taken = f"{held.by}, {tables.age(held.at)}" if held is not None else ""
    return [name, one.severity, one.status, *counts, since, problem, taken, _title(one), one.rule, one.key]


def _acknowledgement(held: models.Acknowledgement | None) -> str:
    if held is None:
        return ""
    reason = f": {held.reason}" if held.reason else ""
    stale = f" (stale at {tables.moment(held.stale_at)})" if held.stale_at is not None else ""
    return f"by {held.by} at {tables.moment(held.at)}{stale}{reason}"


def _title(one: models.IncidentRow) -> str:
    return f"[TEST] {one.title}" if one.test else one.title


def _print(one: models.Incident) -> None:
    out = terminal.console(soft_wrap=True)
    out.print(f"[bold]{terminal.markup(_title(one) or one.key)}[/]")
    firing = f"{one.firing} alert{'s' * (one.firing != 1)} firing" + (f", {one.muted} muted" if one.muted else "")
    facts = [
        ("reference", one.reference),
        ("key", one.key),
        ("status", f"{one.status}, {one.severity}, {firing}"),
        ("opened" if one.reference else "pending since", tables.moment(one.opened_at)),
        ("closed", tables.moment(one.closed_at)),
        ("rule", f"{one.rule} ({one.place})" if one.rule else ""),
        ("owner", one.owner),
        ("runbook", one.runbook),
        ("problem", ", ".join(one.problems).replace("_", " ")),
        ("acknowledged", _acknowledgement(one.acknowledgement)),
    ]
    for name, value in facts:
        if value:
            _print_behind(out, f"  {name + ':':<14}", value)
    for publication in one.publications:
        _print_publication(out, publication)
    _print_coming(out, one.coming)
    if one.timeline:
        out.print("\nTimeline")
    for event in one.timeline:
        _print_behind(out, f"  {tables.moment(event.at)}  ", event.text)
        if event.what == "correction" and "before" in event.detail:
            _print_behind(out, "    before: ", str(event.detail.get("before", "")))
            _print_behind(out, "    after:  ", str(event.detail.get("body", "")))


def _print_coming(out: consoles.Console, coming: Sequence[models.Coming]) -> None:
    """Print when each upcoming step is due."""
    if coming:
        out.print("\nNext")
    for one in coming:
        place = f"{one.destination}: " if one.destination else ""
        _print_behind(out, f"  {tables.moment(one.at) or 'now'}  ", f"{place}{one.what}")


def _print_publication(out: consoles.Console, one: models.Publication) -> None:
    out.print(
        f"\n{terminal.markup(one.destination)}: {one.state}  {terminal.markup(one.url or one.vendor_id)}".rstrip()
    )
    problem = one.refused or one.problem or messages.describe_edit(one.taken_over)
    if problem:
        out.print(terminal.hanging("  ", problem), style="yellow", markup=False)
    if one.stands_in_for:
        out.print(terminal.hanging("  ", f"stands in for {one.stands_in_for}"), style="dim", markup=False)
    if one.next:
        out.print(terminal.hanging("  ", one.next), style="dim", markup=False)
    for update in one.posted:
        _print_behind(out, f"  update {update.id} --if-match {update.seen} {update.status}: ", update.text)


def _print_behind(out: consoles.Console, head: str, words: str) -> None:
    """Print a dimmed heading, followed by words."""
    whole = terminal.hanging(head, words)
    shown = text.Text(whole)
    if whole.startswith(head):  # A heading that is wider than the terminal is wrapped, too.
        shown.stylize("dim", 0, len(head))
    out.print(shown)
