"""``explain``: shows, for each alert of a payload, every rule that was checked, and what would be sent where."""

import functools
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import typer
from rich import tree

from router import configuration
from router.bootstrap import factories, processes, public_pages
from router.cli import completion, router_access, startup, tables, terminal
from router.domain import alerts, deliveries
from router.domain.notices import Notice
from router.domain.times import Timestamp
from router.rules.explain import ConditionResult, Post, RuleResult, explain_alert
from router.services import actions, current_alerts, models, presenters, request_bodies
from router.sources import base
from router.web import request_limits
from router.yaml_source import suggestions

Format = Literal["text", "json"]
_AT_DEADLINE = {"publish": "published automatically", "dismiss": "dismissed"}
_MAX_LENGTH = 200  # The number of characters of a value that are shown. The JSON output has all of them.


def explain(
    payload: startup.Payload = "-",
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source", "-s", help="The source that defines the payload's format.", autocompletion=completion.sources
        ),
    ] = "",
    delivery: Annotated[str, typer.Option("--delivery", help="Explain the archived delivery with this ID.")] = "",
    folder: Annotated[Path | None, typer.Option("--rules", help="The rule folder, if not the configured one.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Show each condition of the rules that do not match.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="The output format.")] = "text",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Explain what the rules decide for a payload. Nothing is sent."""
    if server:
        explanations = _explain_remotely(config, server, _make_request(payload, source, delivery, folder))
    else:
        explanations = _explain_locally(config, payload, (source, delivery, folder))
    if format_ == "json":
        terminal.write_json(msgspec.json.format(msgspec.json.encode(explanations)))
        return
    out = terminal.console()
    for explanation in explanations:
        out.print(_tree(explanation, every=every))


def _explain_locally(
    config: Path, payload: str, source_arguments: tuple[str, str, Path | None]
) -> list[dict[str, Any]]:
    """Return the decisions of the rules on this machine, for a payload in the format of a source or for a delivery."""
    source, delivery, folder = source_arguments
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    now = factories.clock()
    places: list[current_alerts.Whereabouts] = []
    if delivery:
        archived, places = _read_delivery(settings, delivery)
        # The alerts are explained as of their receipt, so rules with schedules decide as they would have then.
        read, now = [row.alert for row in archived.rows], archived.received_at
    else:
        read = _parse(settings, source, payload, now)
    rules = startup.rules(settings, folder)
    public = {name for name, place in public_pages.configured_pages(settings).items() if place.kind.public}
    explanations = [presenters.explanation(explain_alert(rules, alert, now, public)) for alert in read]
    return (
        [
            explanation | presenters.whereabouts_of(place)
            for explanation, place in zip(explanations, places, strict=True)
        ]
        if places
        else explanations
    )


def _make_request(payload: str, source: str, delivery: str, folder: Path | None) -> request_bodies.Explain:
    """Return the request to another router, which uses its own rules and doesn't guess the source."""
    if folder is not None:
        raise startup.usage("--rules can't be combined with --server: the running router uses its own rules")
    if delivery:
        return request_bodies.Explain(delivery=delivery)
    # The API doesn't try the sources in turn, as this command does.
    if not source:
        raise startup.usage("--server needs --delivery, or --source for the payload's format")
    try:
        return request_bodies.Explain(source=source, payload=startup.payload(payload).decode())
    except ValueError as error:  # The payload isn't UTF-8, or is too long.
        raise startup.usage(f"{payload} can't be sent: it must be UTF-8 and at most 1 MiB") from error


def _explain_remotely(config: Path, server: str, request: request_bodies.Explain) -> list[dict[str, Any]]:
    """Return the decisions of another router."""
    elsewhere: list[dict[str, Any]] = []

    async def body(router: router_access.Reached) -> None:
        try:
            elsewhere.extend((await router.queries.explain(request)).alerts)
        except actions.SubjectNotFound:
            if request.delivery:
                raise startup.delivery_not_found(request.delivery) from None
            raise

    router_access.reach(config, server, body)
    return elsewhere


def _read_delivery(
    settings: configuration.Settings, delivery: str
) -> tuple[deliveries.Delivery, list[current_alerts.Whereabouts]]:
    """Return a delivery, and the current state of its alerts."""
    deliveries_with_places: list[tuple[deliveries.Delivery, list[current_alerts.Whereabouts]]] = []

    async def main() -> None:
        async with processes.connect(settings) as store:
            archived = await store.archive.find(delivery)
            if archived is None:
                raise startup.delivery_not_found(delivery)
            explanation = archived.delivery
            places = await current_alerts.find(settings, store, explanation, factories.clock())
            deliveries_with_places.append((explanation, places))

    startup.run_until_stopped(main())
    _print_notices(deliveries_with_places[0][0].notices)
    return deliveries_with_places[0]


def _parse(settings: configuration.Settings, source: str, payload: str, now: Timestamp) -> list[alerts.Alert]:
    endpoints = factories.endpoints(settings)
    if source and source not in endpoints:
        raise startup.usage(f'there is no source "{source}"{suggestions.hint(source, endpoints)}')
    body = startup.payload(payload)
    read: dict[str, base.Parsed] = {}
    limits = factories.limits(settings)
    labels_named = functools.partial(factories.labels_named, settings)
    refusals = {}
    # Without --source, every source tries the payload. The source is clear only if exactly one can parse it.
    for name in [source] if source else endpoints:
        try:
            read[name] = request_limits.read(endpoints[name], body, {}, now, bounds=limits, labels_named=labels_named)
        except base.Unparsable as error:
            refusals[name] = str(error)
    # The formats of some kinds overlap. Choosing one would explain rules that the delivery may never reach.
    if len(read) > 1:
        raise startup.usage(f"several sources can parse this payload; choose one with --source: {', '.join(read)}")
    if not read:
        for name, refusal in refusals.items():
            print(f"incident-router: source {name} can't read the payload: {terminal.plain(refusal)}", file=sys.stderr)
        raise typer.Exit(1)
    (parsed,) = read.values()
    _print_notices(parsed.notices)
    return parsed.alerts


def _print_notices(notices: Iterable[Notice]) -> None:
    """Print what was cut, replaced, or ignored before the rules decided."""
    for notice in notices:
        suffix = f" of {_escape(notice.fingerprint)}" if notice.fingerprint else ""
        print(f"{notice.code}: {_escape(notice.where)}{suffix}: {_escape(notice.detail)}", file=sys.stderr)


def _tree(explanation: Mapping[str, Any], *, every: bool) -> tree.Tree:
    """Return the tree of an explanation from ``presenters.explanation`` or from the API."""
    alert = explanation["alert"]
    looked_at = msgspec.convert(explanation["looked_at"], list[RuleResult])
    title = _escape(alert["title"] or alert["fingerprint"])
    root = tree.Tree(f"[bold]{title}[/]  {_escape(alert['status'])}, from {_escape(alert['source'])}")
    hidden = 0
    for result in looked_at:
        # Most rules fail at their first condition. Listing them would hide those that nearly matched.
        if not result.matches and not every and len(looked_at) > 1 and not _is_near_match(result):
            hidden += 1
            continue
        _branch(root, result)
    if hidden:
        root.add(f"[dim]{hidden} more did not match in their first condition (--all shows them)[/]")
    # The first matching rule ends the search, unless it continues.
    if explanation["not_reached"]:
        root.add(f"[dim]{explanation['not_reached']} more were not reached[/]")
    _outcome(root, explanation)
    return root


def _is_near_match(result: RuleResult) -> bool:
    """Return whether a rule that doesn't match nearly did: at least one of its conditions holds."""
    return any(condition.holds for condition in result.conditions)


def _branch(root: tree.Tree, result: RuleResult) -> None:
    mark = "[green]✓[/]" if result.matches else "[red]✗[/]"
    owner = f", {_escape(result.owner)}" if result.owner else ""
    branch = root.add(f"{mark} rule [bold]{_escape(result.rule)}[/] {result.result}  [dim]{result.place}{owner}[/]")
    if not result.conditions:
        branch.add("[dim]matches every alert[/]")
    for condition in result.conditions:
        _leaf(branch, condition)


def _leaf(branch: tree.Tree, result: ConditionResult) -> None:
    mark = "[green]✓[/]" if result.holds else "[red]✗[/]"
    name = f"{_escape(result.field)} " if result.field else ""
    value = ""
    # A field without a value is absent from the alert. A condition without a field has no value to show.
    if result.value is not None:
        value = (
            f'  [dim]it is "{_escape(result.value)}"[/]'
            if result.value or not result.field
            else "  [dim]it is absent[/]"
        )
    leaf = branch.add(f"{mark} {name}{_escape(result.asks)}{value}")
    for inside in result.inside:
        _leaf(leaf, inside)


def _outcome(root: tree.Tree, explanation: Mapping[str, Any]) -> None:
    # An ignored alert has no incident, but it may still be muted or inhibit others.
    if explanation.get("ignored"):
        ignored = root.add(f"[yellow]ignored:[/] {_escape(explanation['ignored'])}")
        _muting(ignored, explanation)
        return
    outcome = root.add(
        f"[bold]{_escape(explanation.get('severity', ''))}[/] incident {_escape(explanation.get('incident_key', ''))}"
    )
    # An alert stays in the incident in which it fires, even if edited rules name another one.
    if explanation.get("held_by") and explanation["held_by"] != explanation.get("incident_key"):
        outcome.add(f"[yellow]held by incident {_escape(explanation['held_by'])}, in which it fires[/]")
    if explanation.get("muted_by"):
        outcome.add(f"[yellow]muted now by {_escape(explanation['muted_by'])}[/]")
    if explanation.get("is_late"):
        outcome.add("[yellow]ignored as a late delivery: a newer message was received before[/]")
    if explanation["timing"]:
        outcome.add(", ".join(f"{key} {value}" for key, value in explanation["timing"].items()))
    if explanation.get("why"):
        outcome.add(f"[yellow]warning:[/] {_escape(explanation['why'])}")
    _muting(outcome, explanation)
    posts = msgspec.convert(explanation.get("posts", []), list[Post])
    # A rule may match without opening anything.
    if not posts:
        outcome.add("[dim]appears nowhere[/]")
    for post in posts:
        words = {"review": "awaits approval at", "auto": "is posted at", "shadow": "is only recorded for"}
        deadline = f"; after {post.timeout} it is {_AT_DEADLINE[post.on_timeout]}" if post.on_timeout else ""
        branch = outcome.add(f"{words.get(post.publish, 'opens at')} [bold]{_escape(post.destination)}[/]{deadline}")
        for name, value in post.fields.items():
            branch.add(
                f"{_escape(name)}: {_escape(value if isinstance(value, str) else msgspec.json.encode(value).decode())}"
            )
        _ending(branch, post)


def _ending(branch: tree.Tree, post: Post) -> None:
    """Add how the post ends once no alert fires, if not immediately."""
    if post.monitor_for:
        branch.add(f"monitored for {post.monitor_for} before it is resolved: {_escape(post.monitor_message)}")
    if post.resolve:
        branch.add("its resolution waits for a reviewer")
    if post.retrospective:
        branch.add("published as a retrospective incident if it is over before that")


def _muting(outcome: tree.Tree, explanation: Mapping[str, Any]) -> None:
    """Add what mutes the alert, now or later, and what the alert mutes."""
    for key in explanation.get("muted_while", ()):
        outcome.add(f"muted while {_escape(key)} fires")
    for start, end, name in explanation.get("mute_windows", ()):
        times = " to ".join(tables.moment(models.at(moment)) for moment in (start, end))
        outcome.add(f"muted during {_escape(name)}: {times}")
    for key in explanation.get("inhibits", ()):
        outcome.add(f"while it fires, it supports {_escape(key)}")


def _escape(text: str) -> str:
    """Return external text without control characters, escaped for markup."""
    return terminal.markup(text if len(text) <= _MAX_LENGTH else text[:_MAX_LENGTH] + "…")
