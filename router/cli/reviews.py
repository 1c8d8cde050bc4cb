"""``reviews``: lists the posts that wait for a reviewer, and decides on them."""

import shlex
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal

import typer

from router import configuration
from router.cli import completion, incidents, router_access, startup, tables, terminal
from router.domain import visible
from router.services import actions, models, request_bodies
from router.worker import review_takes

app = typer.Typer(help="Posts that wait for a review before they are published.", no_args_is_help=True)

Page = Annotated[
    str,
    typer.Argument(
        metavar="DESTINATION", help="The destination of the review.", autocompletion=completion.destinations
    ),
]
Seen = Annotated[
    str,
    typer.Option(
        "--if-match",
        help="The version that you reviewed, as `reviews show` prints it. Fails if it has changed since.",
    ),
]
_CHANGED = 3
_WHAT = {
    "opening": "",
    "update": "the update of ",
    "monitoring": "the monitoring of ",
    "resolution": "the resolution of ",
    "retraction": "the retraction of ",
    "retrospective": "the retrospective incident ",
}
_WOULD = {
    "opening": "would be shown",
    "update": "would be changed",
    "monitoring": "would be set to monitoring",
    "resolution": "would be resolved",
    "retraction": "would be retracted",
    "retrospective": "would be published as a retrospective incident",
}


@app.command("list")
def show_all(
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the posts that wait for a reviewer, with their texts as customers would see them."""

    async def body(router: router_access.Reached) -> None:
        found = await router.queries.reviews()
        await router_access.warn_of_unreadable(router)
        if as_json:
            startup.print_items(found)
            return
        if not found:
            print("nothing waits for review")
        for one in found:
            _show(one)

    router_access.reach(config, server, body)


@app.command("show")
def show(
    incident: incidents.Name,
    page: Page,
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one review in full."""

    async def body(router: router_access.Reached) -> None:
        one = await _found(router, incident, page)
        if as_json:
            startup.print_json(one)
            return
        _show(one)
        for name, value in one.shown.items():
            if name not in {"title", "message", "components"} and value not in (None, "", [], {}, ()):
                print(f"  {terminal.plain(name)}: {terminal.plain(plain_value(value))}")

    router_access.reach(config, server, body)


@app.command("approve")
def approve(
    incident: incidents.Name,
    page: Page,
    *,
    seen: Seen = "",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Approve the post that waits for one page."""
    router_access.reach(config, server, _deciding((incident, page, seen), "approve", (by, reason)))


@app.command("edit")
def edit(
    incident: incidents.Name,
    page: Page,
    *,
    title: Annotated[str, typer.Option("--title", help="Your title in place of the rule's.")] = "",
    message: Annotated[str, typer.Option("--message", help="Your text in place of the rule's.")] = "",
    other: Annotated[list[str] | None, typer.Option("--set", help="Another field, as NAME=VALUE.")] = None,
    seen: Seen = "",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Approve the post with your own texts. All other fields keep the rule's values."""
    fields: dict[str, Any] = {name: text for name, text in (("title", title), ("message", message)) if text}
    for pair in other or ():
        name, found, value = pair.partition("=")
        if not found:
            raise startup.usage(f'"{pair}" is not of the form NAME=VALUE')
        fields[name] = {"true": True, "false": False}.get(value, value)
    if not fields:
        raise startup.usage("say what to change: --title, --message or --set")
    router_access.reach(config, server, _deciding((incident, page, seen), "approve", (by, reason), fields))


@app.command("dismiss")
def dismiss(
    incident: incidents.Name,
    page: Page,
    *,
    seen: Seen = "",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Dismiss the post or change that waits for one page. A published post stays unchanged."""
    router_access.reach(config, server, _deciding((incident, page, seen), "dismiss", (by, reason)))


@app.command("take")
def take(
    incident: incidents.Name,
    page: Page,
    *,
    duration: Annotated[
        str, typer.Option("--for", help="How long to pause reminders and the escalation, at most 4h.")
    ] = "15m",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Take a review: others see that you work on it. They may still decide.

    Reminders and the escalation pause until the time is up, or until the review is released or decided. The deadline
    doesn't change.
    """
    seconds = startup.duration("--for", duration, "1m", f"{review_takes.MOST_SECONDS // 3600}h") // 1_000_000

    async def body(router: router_access.Reached) -> None:
        asked = request_bodies.TakeReview(incident=incident, destination=page, seconds=seconds)
        done = await router.actions.take_review(router.act(f"{incident} at {page}", by, reason), asked)
        until = tables.moment(done.until)
        if done.is_new:
            print(terminal.plain(f'taken by {done.by} until {until}: the review of "{done.incident}" at "{page}"'))
            return
        print(terminal.plain(f"{done.by} has taken it until {until}; nothing was changed"), file=sys.stderr)
        raise typer.Exit(_CHANGED)

    router_access.reach(config, server, body)


@app.command("release")
def release(
    incident: incidents.Name,
    page: Page,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Release a review that you, or another person, has taken. Reminders continue."""

    async def body(router: router_access.Reached) -> None:
        asked = request_bodies.ReleaseReview(incident=incident, destination=page)
        done = await router.actions.release_review(router.act(f"{incident} at {page}", by, reason), asked)
        print(terminal.plain(f'released: the review of "{done.incident}" at "{page}", taken by {done.taken_by}'))

    router_access.reach(config, server, body)


def plain_value(value: Any) -> str:
    """Return a field's value without the syntax of Python; lists are joined by commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {plain_value(item)}" for name, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _deciding(
    where: tuple[str, str, str],
    decision: Literal["approve", "dismiss"],
    said: tuple[str, str],
    fields: dict[str, Any] | None = None,
) -> Callable[[router_access.Reached], Awaitable[None]]:
    """Return a command body that decides on a review.

    ``where`` is the incident, the page, and the version seen; ``said`` is the person and the reason.
    """
    incident, page, seen = where

    async def body(router: router_access.Reached) -> None:
        one = await _found(router, incident, page)
        act = router.act(f"{one.incident} at {page}", *said)
        if seen and not one.digest.startswith(seen):
            raise _changed(one)
        wanted = {"incident": one.incident, "destination": page, "seen": one.digest, "decision": decision}
        try:
            done = await router.actions.decide(
                act, request_bodies.Decide.model_validate({**wanted, "fields": fields or {}})
            )
        except actions.Invalid as error:
            raise startup.usage(str(error)) from None
        except actions.Conflict as error:
            raise _changed(error.now, error.by) from None
        title = terminal.plain(visible.visible(str((fields or {}).get("title", one.title))))
        what = _WHAT[one.what]
        print(f'{done.kind} by {done.who}: {what}"{terminal.plain(title)}" at "{page}"')
        for warning in done.warnings:
            print(
                f"warning: your text has {warning.partition(': ')[2]} in {warning.partition(': ')[0]}", file=sys.stderr
            )

    return body


async def _found(router: router_access.Reached, incident: str, page: str) -> models.Review:
    one = await router.queries.review(incident, page)
    if one is None:
        if await router.queries.incident(incident) is None:
            raise startup.not_there(f'there is no incident "{incident}"')
        raise startup.not_there(f'nothing of incident "{incident}" waits for review at "{page}"')
    return one


def _changed(now: models.Review | None, by: str = "") -> typer.Exit:
    """Print the pending review, and return the exit to raise. ``by`` is the reviewer who decided first, if any."""
    first = f"{terminal.plain(by)} decided first; your decision was not recorded."
    print(first if by else "The post has changed since you looked at it. No decision was recorded.", file=sys.stderr)
    if now is not None:
        _show(now)
    return typer.Exit(_CHANGED)


def _show(one: models.Review) -> None:
    out = terminal.console(soft_wrap=True)
    out.print(f"[bold]{terminal.markup(one.reference)}[/]  {terminal.markup(one.incident)}")
    print(terminal.hanging("  ", f"{one.severity} since {tables.moment(one.since)}, by rule {one.rule}"))
    print(terminal.hanging("  ", f"{_WOULD[one.what]} at {one.destination} ({one.explanation}):"))
    # The texts are never cut, even in a narrow terminal: the reviewer approves what customers will read.
    for line in (terminal.plain(one.title), *terminal.lines(one.message).splitlines()):
        print(terminal.hanging("    ", line))
    if one.ended_at:
        span = f"started {tables.moment(one.began_at)}, ended {tables.moment(one.ended_at)}"
        print(terminal.hanging("  ", f"{span}; nobody is notified"))
    for name, status in one.components.items():
        print(terminal.hanging("    ", f"{name}: {status}"))
    facts = [*((f"at the vendor now, {name}", str(said)) for name, said in one.at_vendor.items())]
    facts += [(f"later, {name}", said) for name, said in one.later.items()]
    for name, said in facts:
        print(terminal.hanging("  ", f"{name}: {said}"))
    if one.deadline_at:
        shown = "resolved" if one.what == "resolution" else "published"
        done = {"publish": f"{shown} automatically", "dismiss": "dismissed"}[one.at_deadline]
        print(terminal.hanging("  ", f"{done} at {tables.moment(one.deadline_at)} unless decided before"))
    if one.taken_by:
        print(terminal.hanging("  ", f"taken by {one.taken_by} until {tables.moment(one.taken_until)}"))
    for line in one.because:
        print(terminal.hanging("  ", f"because {line}"))
    for name, said in (("owner", one.owner), ("runbook", one.runbook)):
        if said:
            print(terminal.hanging("  ", f"{name}: {said}"))
    # A line that the terminal wraps can be copied as a whole.
    command = ["incident-router", "reviews", "approve", one.reference, one.destination, "--if-match", one.digest[:8]]
    out.print(f"  to approve: {terminal.markup(shlex.join(command))}\n")
