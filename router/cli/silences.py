"""``silences``: lists, creates, and expires silences. Alerts that match an active silence open no incident."""

import sys
from typing import Annotated

import pydantic
import typer

from router import configuration
from router.api import request_parsing
from router.cli import router_access, startup, tables, terminal
from router.services import actions, request_bodies, resources

app = typer.Typer(help="Silences: matching alerts open no incidents for a time.", no_args_is_help=True)


Identity = Annotated[
    str, typer.Argument(metavar="ID", help="The silence's ID, as `silences list` shows it, or the beginning of it.")
]
_COLUMNS = (
    "id",
    "state",
    "matches",
    "until",
    tables.Column("window", shrinks=True, spare=True),
    tables.Column("by", wide=True),
    tables.Column("matchers", shrinks=True),
    tables.Column("comment", shrinks=True),
)


@app.command("list")
def show_all(
    *,
    over: Annotated[bool, typer.Option("--all", help="Include expired silences.")] = False,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List active and pending silences, and how many firing alerts match each now."""

    async def body(router: router_access.Reached) -> None:
        silences = await router.queries.records.silences(over=over)
        if as_json:
            startup.print_items(silences)
            return
        tables.write(_COLUMNS, map(_row, silences), "there is no silence")
        for silence in silences:
            _warn(silence)

    router_access.reach(config, server, body)


@app.command("show")
def show(
    identity: Identity,
    *,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show one silence, also an expired one, and how many firing alerts match it now."""

    async def body(router: router_access.Reached) -> None:
        silence = await _find_silence(router, identity)
        if silence is None:
            raise startup.not_found(f'there is no silence "{identity}"')
        if as_json:
            startup.print_json(silence)
            return
        facts = {
            "id": silence.id,
            "state": silence.state,
            "matchers": " ".join(silence.matchers),
            "from": tables.moment(silence.starts_at),
            "until": tables.moment(silence.ends_at),
            "window": _window(silence),
            "by": silence.author,
            "comment": silence.comment,
            "matches": _matches(silence),
        }
        for name, value in facts.items():
            if value:
                print(terminal.hanging(f"{name + ':':<10} ", value))
        _warn(silence)

    router_access.reach(config, server, body)


async def _find_silence(router: router_access.Reached, identity: str) -> resources.Silence | None:
    """Return the silence with an ID or its prefix; None if there is none."""
    silences = [
        silence for silence in await router.queries.records.silences(over=True) if silence.id.startswith(identity)
    ]
    # A whole ID names its silence even if it is the beginning of another one.
    exact = [silence for silence in silences if silence.id == identity] or silences
    if len(exact) > 1:
        raise startup.usage(f'"{identity}" is ambiguous: {", ".join(silence.id for silence in exact[:10])}')
    return exact[0] if exact else None


def _row(silence: resources.Silence) -> tuple[str, ...]:
    matching = "" if silence.matching is None else str(silence.matching)
    end = tables.age(silence.ends_at)
    return (
        silence.id,
        silence.state,
        matching,
        end,
        _window(silence),
        silence.author,
        " ".join(silence.matchers),
        silence.comment,
    )


def _matches(silence: resources.Silence) -> str:
    """Return the number of firing alerts that match now, as text; empty if the silence has expired."""
    if silence.matching is None:
        return ""
    text = f"{silence.matching} firing alert{'s' * (silence.matching != 1)} now"
    if silence.unchecked:
        text += f"; {silence.unchecked} more could not be checked, because their deliveries are no longer kept"
    return text


def _warn(silence: resources.Silence) -> None:
    """Print the labels of a silence that no alert or rule has."""
    # An expired silence is only history, so its matchers need no correction.
    for label in silence.unknown_labels if silence.matching is not None else ():
        hint = f'; did you mean "{label.nearest}"?' if label.nearest else ""
        text = f'silence {silence.id}: no rule names a label "{label.name}", and no kept alert has one{hint}'
        print(terminal.hanging("warning: ", text), file=sys.stderr)


def _window(silence: resources.Silence) -> str:
    """Return the windows of a recurring silence, and when it mutes next."""
    if not silence.during:
        return ""
    # The end of the current window matters while the silence mutes, and the start of the next one otherwise.
    which, at = (
        ("now, until", silence.window_ends_at) if silence.state == "active" else ("next", silence.window_starts_at)
    )
    return "; ".join(silence.during) + (f" ({which} {tables.moment(at)})" if at is not None else "")


_OPTIONS = {"seconds": "--for", "begins_in_seconds": "--in", "comment": "--reason", "during": "--during"}
"""The options by the fields of the API that they set."""


@app.command("add")
def add(
    matchers: Annotated[
        list[str], typer.Argument(help='Matchers such as service="checkout" env=~"prod.*", all of which must match.')
    ],
    *,
    reason: Annotated[str, typer.Option("--reason", callback=startup.not_blank, help="The reason.")],
    during: Annotated[
        list[str] | None,
        typer.Option("--during", help="Only in this weekly window: 'mon-fri 22:00-06:00 Europe/Zurich'. Repeatable."),
    ] = None,
    for_: Annotated[
        str, typer.Option("--for", help="How long, such as 2h or 3d (default: 1h; with --during: 365d).")
    ] = "",
    after: Annotated[str, typer.Option("--in", help="The time until the silence begins.")] = "0s",
    by: startup.By = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Silence alerts. Open incidents don't change. Within seconds, no new incidents open."""
    begins = startup.duration("--in", after, max_value="366d")
    # A weekly window that lasts for one hour would rarely occur, so the default with windows is a year.
    lasts = startup.duration("--for", for_ or ("365d" if during else "1h"), "1s", "366d")
    fields = {"matchers": matchers, "comment": reason, "seconds": lasts // 1_000_000, "during": during or []}
    try:
        add_silence = request_bodies.AddSilence.model_validate({**fields, "begins_in_seconds": begins // 1_000_000})
    except pydantic.ValidationError as error:
        raise startup.usage(request_parsing.describe_errors("the silence", error, _OPTIONS)) from error

    async def body(router: router_access.Reached) -> None:
        try:
            # The subject in the audit log is cut, because matchers may be much longer than a line.
            silence = await router.actions.add_silence(router.act(" ".join(matchers)[:200], by, reason), add_silence)
        except actions.InvalidRequest as error:
            # The matchers are arguments of the command, so an invalid one is a wrong usage.
            raise startup.usage(str(error)) from None
        print(terminal.hanging("", f"{silence.id} until {tables.moment(silence.ends_at)}; matches {_matches(silence)}"))
        _warn(silence)

    router_access.reach(config, server, body)


@app.command("expire")
def expire(
    identity: Identity,
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """End a silence now. Alerts that still fire open incidents within 15 seconds."""

    async def body(router: router_access.Reached) -> None:
        try:
            silence = await _find_silence(router, identity)
            # Even an unknown ID is sent to the router, which refuses it and writes the refusal to the audit log.
            silence_id = silence.id if silence is not None else identity
            await router.actions.expire_silence(router.act(silence_id, by, reason))
        except actions.SubjectNotFound:
            raise startup.not_found(f'there is no active or pending silence "{identity}"') from None
        print(f"ended {silence_id}")

    router_access.reach(config, server, body)
