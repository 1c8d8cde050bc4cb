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
        reviews = await router.queries.reviews()
        await router_access.warn_of_unreadable(router)
        if as_json:
            startup.print_items(reviews)
            return
        if not reviews:
            print("nothing waits for review")
        for review in reviews:
            _show(review)

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
        review = await _find_review(router, incident, page)
        if as_json:
            startup.print_json(review)
            return
        _show(review)
        for name, value in review.shown.items():
            # The fields of the list are printed already, and a field without a value is no part of the post.
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
    router_access.reach(config, server, _make_decision((incident, page, seen), "approve", (by, reason)))


@app.command("edit")
def edit(
    incident: incidents.Name,
    page: Page,
    *,
    title: Annotated[str, typer.Option("--title", help="Your title in place of the rule's.")] = "",
    message: Annotated[str, typer.Option("--message", help="Your text in place of the rule's.")] = "",
    other: Annotated[list[str] | None, typer.Option("--set", help="Another field, in the form NAME=VALUE.")] = None,
    seen: Seen = "",
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Approve the post with your own texts. All other fields keep the rule's values."""
    fields: dict[str, Any] = {name: text for name, text in (("title", title), ("message", message)) if text}
    for pair in other or ():
        name, separator, value = pair.partition("=")
        if not separator:
            raise startup.usage(f'"{pair}" is not of the form NAME=VALUE')
        # An option is text, but some fields, such as `notify`, are Booleans.
        fields[name] = {"true": True, "false": False}.get(value, value)
    # Without a change, the command would be an approval, which the reviewer may not have intended.
    if not fields:
        raise startup.usage("name a change: --title, --message, or --set")
    router_access.reach(config, server, _make_decision((incident, page, seen), "approve", (by, reason), fields))


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
    router_access.reach(config, server, _make_decision((incident, page, seen), "dismiss", (by, reason)))


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
    seconds = startup.duration("--for", duration, "1m", f"{review_takes.MAX_SECONDS // 3600}h") // 1_000_000

    async def body(router: router_access.Reached) -> None:
        take_review = request_bodies.TakeReview(incident=incident, destination=page, seconds=seconds)
        claim = await router.actions.take_review(router.act(f"{incident} at {page}", by, reason), take_review)
        deadline = tables.moment(claim.until)
        if claim.is_new:
            print(terminal.plain(f'taken by {claim.by} until {deadline}: the review of "{claim.incident}" at "{page}"'))
            return
        # Two reviewers who take a review at the same time must not both believe that they have it.
        print(terminal.plain(f"{claim.by} has taken it until {deadline}; nothing was changed"), file=sys.stderr)
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
        release_review = request_bodies.ReleaseReview(incident=incident, destination=page)
        claim = await router.actions.release_review(router.act(f"{incident} at {page}", by, reason), release_review)
        print(terminal.plain(f'released: the review of "{claim.incident}" at "{page}", taken by {claim.taken_by}'))

    router_access.reach(config, server, body)


def plain_value(value: Any) -> str:
    """Return a field's value without the syntax of Python; lists are joined by commas."""
    if isinstance(value, list | tuple):
        return ", ".join(map(plain_value, value))
    if isinstance(value, dict):
        return ", ".join(f"{name}: {plain_value(item)}" for name, item in value.items())
    return str(value).lower() if isinstance(value, bool) else str(value)


def _make_decision(
    where: tuple[str, str, str],
    decision: Literal["approve", "dismiss"],
    messages: tuple[str, str],
    fields: dict[str, Any] | None = None,
) -> Callable[[router_access.Reached], Awaitable[None]]:
    """Return a command body that decides on a review.

    ``where`` is the incident, the page, and the version seen; ``messages`` is the person and the reason.
    """
    incident, page, seen = where

    async def body(router: router_access.Reached) -> None:
        review = await _find_review(router, incident, page)
        act = router.act(f"{review.incident} at {page}", *messages)
        # The reviewer has seen another version, so this one is shown instead of decided.
        if seen and not review.digest.startswith(seen):
            raise _report_change(review)
        decision_arguments = {
            "incident": review.incident,
            "destination": page,
            # The whole digest is sent even without --if-match, so that no change after this read is approved unseen.
            "seen": review.digest,
            "decision": decision,
        }
        try:
            claim = await router.actions.decide(
                act, request_bodies.Decide.model_validate({**decision_arguments, "fields": fields or {}})
            )
        # An invalid field is an error in the options, so the status is that of a wrong usage.
        except actions.InvalidRequest as error:
            raise startup.usage(str(error)) from None
        except actions.SubjectChanged as error:
            raise _report_change(error.now, error.by) from None
        title = terminal.plain(visible.visible(str((fields or {}).get("title", review.title))))
        subject = _WHAT[review.what]
        print(f'{claim.kind} by {claim.who}: {subject}"{terminal.plain(title)}" at "{page}"')
        for warning in claim.warnings:
            print(
                f"warning: your text has {warning.partition(': ')[2]} in {warning.partition(': ')[0]}", file=sys.stderr
            )

    return body


async def _find_review(router: router_access.Reached, incident: str, page: str) -> models.Review:
    review = await router.queries.review(incident, page)
    if review is None:
        # A mistyped name and a review that has ended need different corrections by the operator.
        if await router.queries.incident(incident) is None:
            raise startup.not_found(f'there is no incident "{incident}"')
        raise startup.not_found(f'nothing of incident "{incident}" waits for review at "{page}"')
    return review


def _report_change(now: models.Review | None, by: str = "") -> typer.Exit:
    """Print the pending review, and return the exit to raise. ``by`` is the reviewer who decided first, if any."""
    first = f"{terminal.plain(by)} decided first; your decision was not recorded."
    print(first if by else "The post has changed since you looked at it. No decision was recorded.", file=sys.stderr)
    if now is not None:
        _show(now)
    return typer.Exit(_CHANGED)


def _show(review: models.Review) -> None:
    out = terminal.console(soft_wrap=True)
    out.print(f"[bold]{terminal.markup(review.reference)}[/]  {terminal.markup(review.incident)}")
    print(terminal.hanging("  ", f"{review.severity} since {tables.moment(review.since)}, by rule {review.rule}"))
    print(terminal.hanging("  ", f"{_WOULD[review.what]} at {review.destination} ({review.explanation}):"))
    # The texts are never cut, even in a narrow terminal: the reviewer approves what customers will read.
    for line in (terminal.plain(review.title), *terminal.lines(review.message).splitlines()):
        print(terminal.hanging("    ", line))
    if review.ended_at:
        span = f"started {tables.moment(review.began_at)}, ended {tables.moment(review.ended_at)}"
        print(terminal.hanging("  ", f"{span}; subscribers are not notified"))
    for name, status in review.components.items():
        print(terminal.hanging("    ", f"{name}: {status}"))
    facts = [*((f"at the vendor now, {name}", str(value)) for name, value in review.at_vendor.items())]
    facts += [(f"later, {name}", value) for name, value in review.later.items()]
    for name, value in facts:
        print(terminal.hanging("  ", f"{name}: {value}"))
    if review.deadline_at:
        verb = "resolved" if review.what == "resolution" else "published"
        consequence = {"publish": f"{verb} automatically", "dismiss": "dismissed"}[review.at_deadline]
        print(terminal.hanging("  ", f"{consequence} at {tables.moment(review.deadline_at)} unless decided before"))
    if review.taken_by:
        print(terminal.hanging("  ", f"taken by {review.taken_by} until {tables.moment(review.taken_until)}"))
    for line in review.because:
        print(terminal.hanging("  ", f"because {line}"))
    for name, value in (("owner", review.owner), ("runbook", review.runbook)):
        if value:
            print(terminal.hanging("  ", f"{name}: {value}"))
    # A line that the terminal wraps can be copied as a whole.
    command = [
        "incident-router",
        "reviews",
        "approve",
        review.reference,
        review.destination,
        "--if-match",
        review.digest[:8],
    ]
    out.print(f"  to approve: {terminal.markup(shlex.join(command))}\n")
