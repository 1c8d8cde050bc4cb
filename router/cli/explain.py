"""``explain``: one payload, and for each alert in it every rule looked at, and what would be sent where."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich import console, markup, tree

from router import settings as configuration
from router.assembly import pages, parts, running
from router.cli import starting
from router.documents import nearest, quantities
from router.domain import alert as alerts
from router.rules import explain as explaining
from router.sources import base
from router.store import archive

Format = Literal["text", "json"]
_LONGEST = 200  # Characters of a value that are shown; the JSON has all of them.


def explain(
    payload: Annotated[str, typer.Argument(help="A file with a delivery's body, or - for stdin.")] = "-",
    *,
    source: Annotated[str, typer.Option("--source", "-s", help="The source whose format the payload has.")] = "",
    delivery: Annotated[str, typer.Option("--delivery", help="Explain a delivery that is kept, by its id.")] = "",
    folder: Annotated[Path | None, typer.Option("--rules", help="The rule folder, if not the configured one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show each condition of the rules that do not match.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print it.")] = "text",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Explain what the rules say of a payload. Nothing is sent anywhere."""
    settings = starting.settings(config, configuration.StandIn("not-used", {}))
    now = parts.clock()
    if delivery:
        read, now = _kept(settings, delivery)
    else:
        read = _parsed(settings, source, payload, now)
    rules = starting.rules(settings, folder)
    public = {name for name, place in pages.kinds(settings).items() if place.kind.public}
    found = [explaining.explain(rules, alert, now, public) for alert in read]
    if format_ == "json":
        sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode([_plain(one) for one in found])) + b"\n")
        return
    out = console.Console()
    for one in found:
        out.print(_tree(one, every=every))


def _kept(settings: configuration.Settings, delivery: str) -> tuple[list[alerts.Alert], int]:
    """The alerts of a delivery, and when it was received."""
    found: list[archive.Recorded] = []

    async def main() -> None:
        async with running.connected(running.outside_redis(settings)) as connection:
            recorded = await parts.archive(settings, connection).find(delivery)
            if recorded is None:
                raise starting.not_kept(delivery)
            found.append(recorded)

    starting.until_stopped(main())
    one = found[0].delivery
    return [row.alert for row in one.rows], one.received_at


def _parsed(settings: configuration.Settings, source: str, payload: str, now: int) -> list[alerts.Alert]:
    endpoints = parts.endpoints(settings)
    if source and source not in endpoints:
        raise starting.usage(f'there is no source "{source}"{nearest.hint(source, endpoints)}')
    try:
        body = sys.stdin.buffer.read() if payload == "-" else Path(payload).read_bytes()
    except OSError as error:
        raise starting.usage(f"{payload} can't be read: {error.strerror}") from error
    read: dict[str, list[alerts.Alert]] = {}
    refused = {}
    for name in [source] if source else endpoints:
        try:
            read[name] = list(endpoints[name].source.parse(body, {}, now).alerts)
        except base.Unparsable as error:
            refused[name] = str(error)
    if len(read) > 1:
        raise starting.usage(f"several sources can read this; say with --source which: {', '.join(read)}")
    if not read:
        for name, said in refused.items():
            print(f"incident-router: source {name} can't read the payload: {said}", file=sys.stderr)
        raise typer.Exit(1)
    return next(iter(read.values()))


def _plain(one: explaining.Explanation) -> dict[str, Any]:
    alert = msgspec.structs.asdict(one.alert)
    timing = {key: quantities.shown(value) for key, value in msgspec.structs.asdict(one.timing).items() if value}
    return {**msgspec.to_builtins(one), "alert": alert, "timing": timing}


def _tree(one: explaining.Explanation, *, every: bool) -> tree.Tree:
    alert = one.alert
    root = tree.Tree(
        f"[bold]{_shown(alert.title or alert.fingerprint)}[/]  {alert.status}, from {_shown(alert.source)}"
    )
    hidden = 0
    for looked in one.looked_at:
        if not looked.matches and not every and len(one.looked_at) > 1 and not _nearly(looked):
            hidden += 1
            continue
        _branch(root, looked)
    if hidden:
        root.add(f"[dim]{hidden} more did not match in their first condition (--all shows them)[/]")
    if one.not_reached:
        root.add(f"[dim]{one.not_reached} more were not reached[/]")
    _outcome(root, one)
    return root


def _nearly(looked: explaining.Looked) -> bool:
    """Whether a rule that does not match is worth a look: some of it holds."""
    return any(one.holds for one in looked.conditions)


def _branch(root: tree.Tree, looked: explaining.Looked) -> None:
    mark = "[green]✓[/]" if looked.matches else "[red]✗[/]"
    owner = f", {_shown(looked.owner)}" if looked.owner else ""
    branch = root.add(f"{mark} rule [bold]{_shown(looked.rule)}[/] {looked.result}  [dim]{looked.place}{owner}[/]")
    if not looked.conditions:
        branch.add("[dim]matches every alert[/]")
    for told in looked.conditions:
        _leaf(branch, told)


def _leaf(branch: tree.Tree, told: explaining.Told) -> None:
    mark = "[green]✓[/]" if told.holds else "[red]✗[/]"
    name = f"{_shown(told.field)} " if told.field else ""
    value = ""
    if told.value is not None:
        value = f'  [dim]it is "{_shown(told.value)}"[/]' if told.value or not told.field else "  [dim]it is absent[/]"
    leaf = branch.add(f"{mark} {name}{_shown(told.asks)}{value}")
    for inside in told.inside:
        _leaf(leaf, inside)


def _outcome(root: tree.Tree, one: explaining.Explanation) -> None:
    if one.ignored:
        root.add(f"[yellow]ignored:[/] {_shown(one.ignored)}")
        return
    outcome = root.add(f"[bold]{one.severity}[/] incident {_shown(one.incident_key)}")
    timing = msgspec.structs.asdict(one.timing)
    said = [f"{key} {quantities.shown(value)}" for key, value in timing.items() if value]
    if said:
        outcome.add(", ".join(said))
    if not one.posts:
        outcome.add("[dim]appears nowhere[/]")
    for post in one.posts:
        words = {"review": "waits for a person at", "auto": "is posted at", "shadow": "is only written down for"}
        branch = outcome.add(f"{words.get(post.publish, 'opens at')} [bold]{_shown(post.destination)}[/]")
        for name, value in post.fields.items():
            branch.add(
                f"{_shown(name)}: {_shown(value if isinstance(value, str) else msgspec.json.encode(value).decode())}"
            )


def _shown(text: str) -> str:
    """A text of somebody else's, without control characters and not as markup."""
    plain = "".join(letter if letter.isprintable() else "·" for letter in text)
    return markup.escape(plain if len(plain) <= _LONGEST else plain[:_LONGEST] + "…")
