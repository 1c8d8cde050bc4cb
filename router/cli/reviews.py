"""``reviews``: what waits for a person before it is shown to customers, and what people decide of it."""

import getpass
import shlex
import sys
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
import redis.asyncio
import typer
from rich import markup, padding

from router import settings as configuration
from router.assembly import pages, parts
from router.cli import starting
from router.worker import reviews as reviewing

app = typer.Typer(help="What waits for a person before customers see it.", no_args_is_help=True)

Incident = Annotated[str, typer.Argument(help="The incident's key, as `reviews list` shows it.")]
Page = Annotated[str, typer.Argument(help="The destination where it waits.")]
Seen = Annotated[
    str, typer.Option("--seen", help="What you have seen, as `reviews show` calls it; refused if it is that no more.")
]
_CHANGED = 3


@app.command("list")
def show_all(config: starting.Config = configuration.DEFAULT_FILE) -> None:
    """List what waits, with the text as customers would see it."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        found = await pages.reviews(settings, connection, parts.clock).waiting()
        if not found:
            print("nothing waits for review")
        for one in found:
            _show(one)

    starting.with_store(config, body)


@app.command("show")
def show(
    incident: Incident,
    page: Page,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one review whole. Status 1 where nothing waits there (any more)."""

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        one = await _found(pages.reviews(settings, connection, parts.clock), incident, page)
        if as_json:
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(one._asdict())) + b"\n")
            return
        _show(one)
        for name, value in one.fields.items():
            if name not in {"title", "message"}:
                print(f"  {name}: {value}")

    starting.with_store(config, body)


@app.command("approve")
def approve(
    incident: Incident,
    page: Page,
    *,
    seen: Seen = "",
    by: starting.By = "",
    why: starting.Why = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Let what waits be shown at one page. Status 1 where nothing waits there, 3 where it has changed meanwhile."""
    _decide(config, (incident, page, seen), reviewing.Word("approved", by or getpass.getuser(), why))


@app.command("edit")
def edit(
    incident: Incident,
    page: Page,
    *,
    title: Annotated[str, typer.Option("--title", help="Your title in place of the rule's.")] = "",
    message: Annotated[str, typer.Option("--message", help="Your text in place of the rule's.")] = "",
    other: Annotated[list[str] | None, typer.Option("--set", help="Any other field, as NAME=VALUE.")] = None,
    seen: Seen = "",
    by: starting.By = "",
    why: starting.Why = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Approve what waits in your own words; the rest stays as the rule says it."""
    fields: dict[str, Any] = {name: text for name, text in (("title", title), ("message", message)) if text}
    for pair in other or ():
        name, found, value = pair.partition("=")
        if not found:
            raise starting.usage(f'"{pair}" is not of the form NAME=VALUE')
        fields[name] = {"true": True, "false": False}.get(value, value)
    if not fields:
        raise starting.usage("say what to change: --title, --message or --set")
    _decide(config, (incident, page, seen), reviewing.Word("approved", by or getpass.getuser(), why, fields))


@app.command("dismiss")
def dismiss(
    incident: Incident,
    page: Page,
    *,
    seen: Seen = "",
    by: starting.By = "",
    why: starting.Why = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show nothing of this incident at one page, or, where it is shown already, leave it as it is."""
    _decide(config, (incident, page, seen), reviewing.Word("dismissed", by or getpass.getuser(), why))


def _decide(config: Any, where: tuple[str, str, str], word: reviewing.Word) -> None:
    incident, page, seen = where

    async def body(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        reviews = pages.reviews(settings, connection, parts.clock)
        one = await _found(reviews, incident, page)
        if seen and not one.digest.startswith(seen):
            raise _changed(one)
        _check_words(settings, one, word.fields)
        try:
            await reviews.decide(one, word)
        except reviewing.ChangedError as error:
            raise _changed(error.now) from None
        title = word.fields.get("title", one.title)
        what = {"opening": "", "update": "the update of ", "resolution": "the resolution of "}[one.what]
        print(f'{word.kind} by {word.who}: {what}"{title}" at "{page}"')

    starting.with_store(config, body)


def _check_words(settings: configuration.Settings, one: reviewing.Review, fields: Mapping[str, Any]) -> None:
    """A person's words have to fit the destination, as a rule's do."""
    problem = pages.wrong_fields(settings, one.destination, {**one.fields, **fields}) if fields else ""
    if problem:
        raise starting.usage(problem)


async def _found(reviews: reviewing.Reviews, incident: str, page: str) -> reviewing.Review:
    for one in await reviews.of(incident):
        if one.destination == page:
            return one
    print(f'nothing of incident "{incident}" waits for review at "{page}"')
    raise typer.Exit(1)


def _changed(now: reviewing.Review | None) -> typer.Exit:
    """Say what waits now, and make the exit to raise."""
    print("It is not what you have seen any more; nothing was decided.", file=sys.stderr)
    if now is not None:
        _show(now)
    return typer.Exit(_CHANGED)


def _show(one: reviewing.Review) -> None:
    out = starting.printer()
    since = f"{one.severity} since {starting.moment(one.since)}, by rule {one.rule}"
    out.print(f"[bold]{markup.escape(one.incident)}[/]  {since}")
    what = {"opening": "would be shown", "update": "would be changed", "resolution": "would be resolved"}[one.what]
    out.print(f"  {what} at {one.destination} ({markup.escape(one.reason)}):")
    out.print(padding.Padding(markup.escape(f"{one.title}\n{one.message}"), (0, 0, 0, 4)))
    if one.deadline_at:
        out.print(f"  decide before {starting.moment(one.deadline_at)}")
    for line in one.because:
        out.print(f"  because {markup.escape(line)}")
    for name, said in (("owner", one.owner), ("runbook", one.runbook)):
        if said:
            out.print(f"  {name}: {markup.escape(said)}")
    words = ["incident-router", "reviews", "approve", one.incident, one.destination, "--seen", one.digest[:8]]
    out.print(f"  to show it: {markup.escape(shlex.join(words))}\n")
