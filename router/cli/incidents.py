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
        # Muted alerts may belong to incidents that aren't open, so they are a list of their own.
        if muted:
            await _list_muted(router, as_json=as_json)
            await router_access.warn_of_unreadable(router)
            return
        read_page = functools.partial(
            router.queries.incidents, status="all" if closed else status, severity=severity or "", text=search
        )
        incident_rows = [row async for row in router_access.rows(read_page, _PAGE)]
        if as_json:
            startup.print_items(incident_rows)
        else:
            # With a filter, an empty list doesn't mean that no incident is open.
            none = "no incident is open" if status == "open" and not (closed or severity or search) else "no incidents"
            tables.write(_COLUMNS, map(_row, incident_rows), none)
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
        incident_key = await router.queries.incident(incident)
        if incident_key is None:
            raise startup.not_found(f'there is no incident "{incident}"')
        if as_json:
            startup.print_json(incident_key)
        else:
            _print(incident_key)

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
        request_body = request_bodies.Acknowledge(incident=incident, reason=reason)
        acknowledged = await router.actions.acknowledge(router.act(incident, by, reason), request_body)
        acknowledgement = acknowledged.acknowledgement
        message = (
            "acknowledged by" if acknowledged.is_new else "nothing to do: the incident was already acknowledged by"
        )
        line = f"{acknowledged.reference}: {message} {acknowledgement.by}"
        print(terminal.plain(line if acknowledged.is_new else f"{line} at {tables.moment(acknowledgement.at)}"))

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
    """Withdraw the acknowledgement of an incident, even if another operator made it. Reminders start over."""

    async def body(router: router_access.Reached) -> None:
        request_body = request_bodies.Acknowledge(incident=incident, reason=reason)
        ended = await router.actions.unacknowledge(router.act(incident, by, reason), request_body)
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
    """Take down public posts that are false. No post of this episode is published again unless a reviewer approves it.
    The command also works while public pages are frozen.
    """

    async def body(router: router_access.Reached) -> None:
        subject = f"{incident} at {destination}" if destination else incident
        filters = {"incident": incident, "destination": destination, "reason": reason, "message": message}
        try:
            request_body = request_bodies.Retract.model_validate(filters)
        except pydantic.ValidationError as error:
            raise startup.usage(request_parsing.describe_errors("the retraction", error)) from None
        retracted = await router.actions.retract(router.act(subject, by, reason), request_body)
        for item in retracted.items:
            print(f"{item.destination} ({item.reference}): {_RETRACTED[item.outcome]}")
        for warning in retracted.warnings:
            said = warning.partition(": ")[2]
            print(f"warning: your message has {said}", file=sys.stderr)
        # A script must notice that nothing was retracted, for example because the post is resolved.
        if not any(row.outcome in retractions.DONE for row in retracted.items):
            raise typer.Exit(1)

    router_access.reach(config, server, body)


_RETRACTED = {
    "retracting": "the post is taken down",
    "repeated": "the post was retracted before, but is still public; the router tries again",
    "searching": "the post is being published; the router takes it down afterwards",
    "dismissed": "the post awaited a review and is dismissed",
    "withheld": "the post was never public, and won't be published",
    "withdrawn": "the approval to publish it again is withdrawn; a started post is taken down",
    "resolved": "nothing to do: the post is resolved",
    "retracted": "nothing to do: the post was retracted before",
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
        key, posted_update = await _find_update(router, incident, destination, update)
        selection = {
            "incident": key,
            "destination": destination,
            "update": posted_update.id,
            # Without --if-match, the update must not change between this command's own read and the correction.
            "seen": seen or posted_update.seen,
        }
        try:
            request_body = request_bodies.Correct.model_validate(selection | {"body": body, "status": status})
        except pydantic.ValidationError as error:
            raise startup.usage(request_parsing.describe_errors("the correction", error)) from None
        try:
            corrected = await router.actions.correct(router.act(f"{key} at {destination}", by, reason), request_body)
        except actions.SubjectChanged:
            print("incident-router: the update has changed since you looked at it; review it again", file=sys.stderr)
            raise typer.Exit(3) from None
        print(f"{destination}: the update {posted_update.id} will be corrected")
        for warning in corrected.warnings:
            print(f"warning: your text has {warning.partition(': ')[2]}", file=sys.stderr)

    router_access.reach(config, server, act)


async def _find_update(
    router: router_access.Reached, incident: str, destination: str, update: str
) -> tuple[str, models.PostedUpdate]:
    """Return the incident's key, and the current state of the selected update."""
    row = await router.queries.incident(incident)
    if row is None:
        raise startup.not_found(f'there is no incident "{incident}"')
    at = [publication for publication in row.publications if publication.destination == destination]
    posted_updates = [posted for publication in at for posted in publication.posted if posted.id.startswith(update)]
    if not posted_updates:
        # The API reports the reason: the vendor can't change the update, or the router has posted no such update.
        return row.key, models.PostedUpdate(id=update or "(none)", status="", text="", seen="none")
    # Correcting the wrong update would be public, so an ambiguous prefix is refused.
    if update and len(posted_updates) > 1:
        raise startup.usage(f"{len(posted_updates)} updates begin with {update}")
    # The newest update is the last one.
    return row.key, posted_updates[-1]


async def _list_muted(router: router_access.Reached, *, as_json: bool) -> None:
    muteds = await router.queries.records.muted_alerts()
    if as_json:
        startup.print_items(muteds)
        return
    rows = [
        (muted.incident, muted.severity, tables.age(muted.starts_at), muted.muted_by, muted.title or muted.alert)
        for muted in muteds
    ]
    tables.write(_MUTED, rows, "no alert is muted")


def _row(incident_row: models.IncidentRow) -> list[str]:
    # A pending incident has no reference yet. In a terminal its key is shown instead, because the column ``key`` may be
    # omitted.
    name = incident_row.reference or (incident_row.key if tables.is_terminal() else "")
    problem = ", ".join(incident_row.problems).replace("_", " ")
    counts = (str(incident_row.firing), str(incident_row.muted or ""))
    since = tables.age(incident_row.opened_at)
    acknowledgement = incident_row.acknowledgement
    reviewer_text = f"{acknowledgement.by}, {tables.age(acknowledgement.at)}" if acknowledgement is not None else ""
    return [
        name,
        incident_row.severity,
        incident_row.status,
        *counts,
        since,
        problem,
        reviewer_text,
        _title(incident_row),
        incident_row.rule,
        incident_row.key,
    ]


def _acknowledgement(acknowledgement: models.Acknowledgement | None) -> str:
    if acknowledgement is None:
        return ""
    reason = f": {acknowledgement.reason}" if acknowledgement.reason else ""
    stale = f" (stale at {tables.moment(acknowledgement.stale_at)})" if acknowledgement.stale_at is not None else ""
    return f"by {acknowledgement.by} at {tables.moment(acknowledgement.at)}{stale}{reason}"


def _title(incident_row: models.IncidentRow) -> str:
    return f"[TEST] {incident_row.title}" if incident_row.test else incident_row.title


def _print(incident: models.Incident) -> None:
    out = terminal.console(soft_wrap=True)
    out.print(f"[bold]{terminal.markup(_title(incident) or incident.key)}[/]")
    firing = f"{incident.firing} alert{'s' * (incident.firing != 1)} firing" + (
        f", {incident.muted} muted" if incident.muted else ""
    )
    facts = [
        ("reference", incident.reference),
        ("key", incident.key),
        ("status", f"{incident.status}, {incident.severity}, {firing}"),
        # A pending incident has no reference, and its time is the start of its hold.
        ("opened" if incident.reference else "pending since", tables.moment(incident.opened_at)),
        ("closed", tables.moment(incident.closed_at)),
        ("rule", f"{incident.rule} ({incident.place})" if incident.rule else ""),
        ("owner", incident.owner),
        ("runbook", incident.runbook),
        ("problem", ", ".join(incident.problems).replace("_", " ")),
        ("acknowledged", _acknowledgement(incident.acknowledgement)),
    ]
    for name, value in facts:
        if value:
            _print_behind(out, f"  {name + ':':<14}", value)
    for publication in incident.publications:
        _print_publication(out, publication)
    _print_coming(out, incident.coming)
    if incident.timeline:
        out.print("\nTimeline")
    for event in incident.timeline:
        _print_behind(out, f"  {tables.moment(event.at)}  ", event.text)
        if event.what == "correction" and "before" in event.detail:
            _print_behind(out, "    before: ", str(event.detail.get("before", "")))
            _print_behind(out, "    after:  ", str(event.detail.get("body", "")))


def _print_coming(out: consoles.Console, coming: Sequence[models.Coming]) -> None:
    """Print when each upcoming step is due."""
    if coming:
        out.print("\nNext")
    for row in coming:
        place = f"{row.destination}: " if row.destination else ""
        _print_behind(out, f"  {tables.moment(row.at) or 'now'}  ", f"{place}{row.what}")


def _print_publication(out: consoles.Console, publication: models.Publication) -> None:
    out.print(
        f"\n{terminal.markup(publication.destination)}: {publication.state}  "
        f"{terminal.markup(publication.url or publication.vendor_id)}".rstrip()
    )
    problem = publication.refused or publication.problem or messages.describe_edit(publication.taken_over)
    if problem:
        out.print(terminal.hanging("  ", problem), style="yellow", markup=False)
    if publication.stands_in_for:
        out.print(terminal.hanging("  ", f"stands in for {publication.stands_in_for}"), style="dim", markup=False)
    if publication.next:
        out.print(terminal.hanging("  ", publication.next), style="dim", markup=False)
    for update in publication.posted:
        _print_behind(out, f"  update {update.id} --if-match {update.seen} {update.status}: ", update.text)


def _print_behind(out: consoles.Console, head: str, words: str) -> None:
    """Print a dimmed heading, followed by words."""
    line = terminal.hanging(head, words)
    visible = text.Text(line)
    if line.startswith(head):  # A heading that is wider than the terminal is wrapped, too.
        visible.stylize("dim", 0, len(head))
    out.print(visible)
