"""``deliveries``: list and show processed deliveries, export them, and replay them under other rules."""

import contextlib
import functools
import gzip
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich import progress

from router import configuration
from router.bootstrap import factories
from router.cli import files, replay, router_access, startup, tables, terminal
from router.domain.times import Timestamp
from router.services import models

_PAGE = 500  # Deliveries per request.
_WHOLE = 100  # Deliveries per request with all of their alerts, which may be many.

app = typer.Typer(help="Deliveries that the router has processed.", no_args_is_help=True)
app.command("replay")(replay.replay)


_COLUMNS = (
    "delivery",
    "received",
    tables.Column("source", shrinks=True),
    "alerts",
    tables.Column("rules", shrinks=True),
)

Since = Annotated[str, typer.Option("--since", help="The maximum age, such as 30m or 2d.")]


@app.command("list")
def show_all(
    *,
    limit: startup.Limit = 20,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the newest deliveries."""

    async def body(router: router_access.Reached) -> None:
        delivery_rows = [row async for row in router_access.rows(router.queries.deliveries, _PAGE, limit)]
        if as_json:
            startup.print_items(delivery_rows)
        else:
            tables.write(_COLUMNS, map(_row, delivery_rows), "no deliveries are kept")

    router_access.reach(config, server, body)


@app.command("show")
def show(
    delivery: Annotated[str, typer.Argument(help="The delivery's ID, from the response to the sender.")],
    *,
    payload: Annotated[bool, typer.Option("--body", help="Print only the body, exactly as received.")] = False,
    as_json: startup.AsJson = False,
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show the alerts of one delivery, with the decision for each."""
    if payload and as_json:
        raise startup.usage("--body and --json can't be combined")

    async def body(router: router_access.Reached) -> None:
        row = await router.queries.delivery(delivery)
        if row is None:
            raise startup.delivery_not_found(delivery)
        if as_json:
            startup.print_json(row)
            return
        # The body is written byte for byte, so that it can be piped to `explain` or `sources parse`.
        if payload:
            terminal.write_body(models.raw(row.body, row.body_base64))
            return
        out = terminal.console(soft_wrap=True)
        received = tables.moment(row.received_at)
        out.print(f"delivery {row.id} from {terminal.markup(row.source)}, received {received}")
        for notice in row.notices:
            suffix = f" of {notice.fingerprint}" if notice.fingerprint else ""
            out.print(f"  {notice.code}: {terminal.markup(f'{notice.where}{suffix}: {notice.detail}')}")
        for decision in row.decisions:
            labels = " ".join(f"{key}={value}" for key, value in sorted(decision.labels.items()))
            out.print(f"\n[bold]{terminal.markup(decision.title or decision.fingerprint)}[/]  {decision.status}")
            out.print(f"  {terminal.markup(labels)}")
            out.print(f"  {terminal.markup(_format_decision(decision))}")
            for line in _format_state(decision):
                out.print(f"  {terminal.markup(line)}")

    router_access.reach(config, server, body)


@app.command("export")
def export(
    file: Annotated[
        Path, typer.Argument(help="The file to write, or - for stdout. A name that ends in .gz is compressed.")
    ],
    *,
    since: Since = "",
    server: startup.Server = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Write deliveries to a file, one per line, for `deliveries replay` on another machine."""
    # A wrong duration is refused before the file is created.
    begin = Timestamp(factories.clock() - startup.duration("--since", since) if since else 0)

    async def body(router: router_access.Reached) -> None:
        count = 0
        out = terminal.console(stderr=True)
        # A progress bar is drawn only on a terminal. In the log of a pipeline, each step would be a line.
        with (
            _open_output(file) as write,
            progress.Progress(transient=True, console=out, disable=not out.is_terminal) as bar,
        ):
            task = bar.add_task("deliveries", total=None)
            async for row in router_access.rows(functools.partial(router.queries.recordings, since=begin), _WHOLE):
                write(row.model_dump_json().encode())
                count += 1
                bar.update(task, completed=count)
        if str(file) != files.STDIO:
            print(f"{count} deliveries written to {file}")

    router_access.reach(config, server, body)


def _row(delivery_row: models.DeliveryRow) -> tuple[str, ...]:
    rules = ", ".join(["(ignored)"] * bool(delivery_row.ignored) + delivery_row.rules)
    return delivery_row.id, tables.age(delivery_row.received_at), delivery_row.source, str(delivery_row.alerts), rules


def _format_state(decision: models.Decision) -> Iterator[str]:
    # An alert stays in the incident in which it fires, even if edited rules name another one.
    if decision.held_by and decision.held_by != decision.incident_key:
        yield f"kept by incident {decision.held_by}, in which it fires"
    if decision.muted_by:
        yield f"muted by {decision.muted_by}"
    if decision.is_late:
        yield "ignored as a late delivery: a newer message was received before"


def _format_decision(decision: models.Decision) -> str:
    if not decision.rule:
        return f"ignored: {decision.ignored}"
    at = ", ".join(decision.destinations) or "nowhere"
    return f"{decision.severity}, incident {decision.incident_key}, by rule {decision.rule} ({decision.place}), at {at}"


@contextlib.contextmanager
def _open_output(file: Path) -> Iterator[Callable[[bytes], object]]:
    """Write lines of JSON to a file, or to standard output."""
    # Standard output gets JSON's own escapes, because it may be a terminal.
    if str(file) == files.STDIO:
        yield terminal.write_json
        return
    with files.create(str(file)) as stream:
        if file.suffix == ".gz":
            # The name inside the archive is without `.gz`, as with the program gzip.
            with gzip.GzipFile(file.stem, "wb", fileobj=stream) as packed:
                yield lambda line: packed.write(line + b"\n")
        else:
            yield lambda line: stream.write(line + b"\n")
