"""``sources parse``: shows which alerts a configured source reads from a payload, and which of its paths found nothing.

It parses as the webhook server does. It decides, stores, and sends nothing.
"""

import functools
import sys
from typing import Annotated, Any

import msgspec
import typer
from rich import table

from router import configuration
from router.bootstrap import factories
from router.cli import completion, startup, tables, terminal
from router.domain import alerts
from router.domain.times import Timestamp
from router.services import models
from router.sources import base, mapping, registry
from router.sources.presets import preset
from router.web import request_limits

_FIELDS = ("title", "fingerprint", "severity", "labels", "annotations", "starts_at", "ends_at", "link")
_ALL = "*"  # In a mapping of names to paths: all names at that path.


def parse(
    payload: startup.Payload = "-",
    *,
    source: Annotated[
        str,
        typer.Option(
            "--source", "-s", help="The configured source that parses the payload.", autocompletion=completion.sources
        ),
    ],
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", help="A header of the delivery, in the form NAME: VALUE. Repeatable."),
    ] = None,
    query: Annotated[
        str, typer.Option("--query", help="The query string of the delivery, in the form name=value&…")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show the alerts that a source parses from a payload."""
    # Parsing needs no secret: authentication comes before it, and nothing is authenticated here.
    settings = startup.settings(config, needs=())
    configured = settings.sources
    startup.check_known("source", source, configured)
    endpoint = registry.build(source, configured[source])
    paths = _paths(configured[source])
    headers = dict(_header(text) for text in header or ())
    if query:
        # Sources get the query among the headers, under a name that no request can have.
        headers[base.QUERY] = query.encode()
    now = factories.clock()
    try:
        body = startup.payload(payload)
        labels_named = functools.partial(factories.labels_named, settings)
        parsed = request_limits.read(
            endpoint, body, headers, now, bounds=factories.limits(settings), labels_named=labels_named
        )
    except base.Unparsable as error:
        message = f"{error}{_describe_path(paths, error.where)}"
        print(f"incident-router: source {source} can't read the payload: {terminal.plain(message)}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        rows = [_plain(paths, alert, now) for alert in parsed.alerts]
        report = {**msgspec.structs.asdict(parsed), "alerts": rows, "rejected": _describe_rejection(parsed)}
        terminal.write_json(msgspec.json.format(msgspec.json.encode(report)))
    else:
        _show(paths, parsed, now)
    # The alerts that could be read are printed first. The status tells a script that others were not.
    if parsed.rejected is not None:
        print(f"incident-router: a part of the payload can't be parsed: {_describe_rejection(parsed)}", file=sys.stderr)
        raise typer.Exit(1)


def _paths(config: base.Config) -> base.Config:
    """Return the settings that contain the paths. A preset has those of its equivalent mapping."""
    return config.map_settings(config.mapping) if isinstance(config, preset.Config) else config


def _header(text: str) -> tuple[bytes, bytes]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise startup.usage(f'"{text}" is not of the form NAME: VALUE')
    # The webhook server passes lower-case names, so sources look only for these.
    return name.strip().lower().encode(), value.strip().encode()


def _describe_path(config: base.Config, where: str) -> str:
    """Return the path of the setting with an error, as text; empty if the setting has no path."""
    path = _path(config, where.rpartition(".")[2])
    return f" (it looks at `{path}`)" if path else ""


def _path(config: base.Config, field: str) -> str:
    """Return the path of the setting with this name; empty if it has none. The path may be an entry of a mapping."""
    setting = getattr(config, field, "")
    if isinstance(setting, dict):
        setting = setting.get(_ALL, "")
    return str(setting) if isinstance(setting, str | mapping.Fact) else ""


def _describe_rejection(parsed: base.Parsed) -> str:
    return f"{parsed.rejected.where}: {parsed.rejected.problem}" if parsed.rejected is not None else ""


def _plain(config: base.Config, alert: alerts.Alert, now: Timestamp) -> dict[str, Any]:
    return {**msgspec.structs.asdict(alert), "nothing_found": _find_missing(config, alert, now)}


def _find_missing(config: base.Config, alert: alerts.Alert, now: Timestamp) -> dict[str, str]:
    """Return the fields, and the labels configured by name, for which nothing was found, with their paths if set."""
    nothing_found: dict[str, str] = {}
    for field in _FIELDS:
        setting = getattr(config, field, "")
        if isinstance(setting, dict):
            value = getattr(alert, field)
            paths_of_fields = {name: str(at) for name, at in setting.items() if name != _ALL}
            nothing_found |= {f"{field}.{name}": at for name, at in paths_of_fields.items() if name not in value}
            if not paths_of_fields and not value:
                nothing_found[field] = _path(config, field)
        elif _is_absent(alert, field, now):
            nothing_found[field] = _path(config, field)
    return nothing_found


def _is_absent(alert: alerts.Alert, field: str, now: Timestamp) -> bool:
    """Return whether the payload lacked the field. For a time, the time of receipt is the default."""
    # An alert that fires has no end.
    if field == "ends_at" and alert.status == "firing":
        return False
    value = getattr(alert, field)
    # A source without a time gets the time of receipt, which is the only sign that the payload lacked it.
    return value == now if field.endswith("_at") else not value


def _show(config: base.Config, parsed: base.Parsed, now: Timestamp) -> None:
    out = terminal.console(soft_wrap=True)
    for alert in parsed.alerts:
        out.print(_grid(config, alert, now))
    if not parsed.alerts:
        print(f"the payload makes no alert: {parsed.about.get('no_alert', 'it has none')}")
    if parsed.truncated:
        print(f"the sender left out {parsed.truncated} alerts")
    for notice in parsed.notices:
        suffix = f" of {notice.fingerprint}" if notice.fingerprint else ""
        print(terminal.plain(f"{notice.code}: {notice.where}{suffix}: {notice.detail}"))


def _grid(config: base.Config, alert: alerts.Alert, now: Timestamp) -> table.Table:
    absent = _find_missing(config, alert, now)
    grid = table.Table("field", "value", title=alert.status, title_justify="left", box=None, header_style="bold")
    for field in dict.fromkeys([*_FIELDS, *absent]):
        if field in absent:
            grid.add_row(
                terminal.markup(field), f"[yellow]{terminal.markup(_describe_missing(field, absent[field]))}[/]"
            )
        else:
            grid.add_row(field, terminal.markup(_value(alert, field)))
    return grid


def _describe_missing(field: str, path: str) -> str:
    text = f"nothing found at {path}" if path else "nothing found"
    return f"{text}; the time of receipt is used" if field.endswith("_at") else text


def _value(alert: alerts.Alert, field: str) -> str:
    """Return a field as readable text, without control characters."""
    value = getattr(alert, field)
    if isinstance(value, dict):
        text = "  ".join(f"{name}={member}" for name, member in sorted(value.items()))
    elif field.endswith("_at"):
        text = tables.moment(models.at(value))
    else:
        text = value
    return terminal.plain(text)
