"""``deliveries``: what came in lately, one of them in full, and all of them in a file to replay elsewhere."""

import contextlib
import gzip
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer
from rich import console, markup, progress, table

from router import settings as configuration
from router.assembly import parts, running
from router.cli import starting
from router.domain import delivery as deliveries
from router.domain import recording
from router.store import archive

app = typer.Typer(help="Deliveries that were processed lately.", no_args_is_help=True)


Since = Annotated[str, typer.Option("--since", help="Only what is newer than this, as 30m or 2d.")]


@app.command("list")
def show_all(
    *,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="At most so many, the newest.")] = 20,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """List the newest deliveries."""

    async def body(kept: archive.Archive) -> None:
        identity = table.Column("delivery", no_wrap=True, min_width=32)
        grid = table.Table(identity, "received", "source", "alerts", "rules", box=None, header_style="bold")
        for recorded in await kept.newest(limit):
            delivery = recorded.delivery
            rules = sorted({_rule(delivery, row) for row in delivery.rows})
            grid.add_row(
                delivery.id,
                _time(delivery.received_at),
                markup.escape(delivery.source),
                str(len(delivery.rows)),
                markup.escape(", ".join(rules)),
            )
        if grid.row_count:
            console.Console(soft_wrap=True).print(grid)
        else:
            print("no deliveries are kept")

    _with_archive(config, body)


@app.command("show")
def show(
    delivery: Annotated[str, typer.Argument(help="The delivery's id, as the sender was told it.")],
    *,
    payload: Annotated[
        bool, typer.Option("--body", help="Print the body as it was received, and nothing else.")
    ] = False,
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Show what one delivery brought and what was decided of it. Status 1 where it is not kept."""

    async def body(kept: archive.Archive) -> None:
        recorded = await kept.find(delivery)
        if recorded is None:
            raise starting.not_kept(delivery)
        if payload:
            sys.stdout.buffer.write(recorded.body)
            return
        one = recorded.delivery
        out = console.Console(soft_wrap=True, highlight=False)
        out.print(f"delivery {one.id} from {markup.escape(one.source)}, received {_time(one.received_at)}")
        for row in one.rows:
            alert = row.alert
            out.print(f"\n[bold]{markup.escape(alert.title or alert.fingerprint)}[/]  {alert.status}")
            out.print(f"  {markup.escape(' '.join(f'{key}={value}' for key, value in sorted(alert.labels.items())))}")
            out.print(f"  {markup.escape(_decided(one, row))}")

    _with_archive(config, body)


@app.command("save")
def save(
    file: Annotated[Path, typer.Argument(help="Where to write them; a name that ends in .gz is compressed.")],
    *,
    since: Since = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Write deliveries into a file, one a line, for `replay` on another machine."""
    begin = parts.clock() - starting.duration(since) if since else 0

    async def body(kept: archive.Archive) -> None:
        count = 0
        with _opened(file) as output, progress.Progress(transient=True) as bar:
            task = bar.add_task("deliveries", total=None)
            async for recorded in kept.since(begin):
                output.write(recording.encode(recording.of(recorded.delivery)) + b"\n")
                count += 1
                bar.update(task, completed=count)
        print(f"{count} deliveries written to {file}")

    _with_archive(config, body)


def _rule(delivery: deliveries.Delivery, row: deliveries.Row) -> str:
    return "(ignored)" if row.response < 0 else delivery.responses[row.response].rule


def _decided(delivery: deliveries.Delivery, row: deliveries.Row) -> str:
    if row.response < 0:
        return f"ignored: {row.ignored}"
    response = delivery.responses[row.response]
    at = ", ".join(target.destination for target in response.targets) or "nowhere"
    return f"{row.severity.word}, incident {row.incident_key}, by rule {response.rule} ({response.place}), at {at}"


def _time(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1_000_000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(file, "wb") if file.suffix == ".gz" else file.open("wb") as output:
            yield output  # type: ignore[misc]
    except OSError as error:
        raise starting.usage(f"{file} can't be written: {error.strerror or error}") from error


def _with_archive(config: Path, body: Callable[[archive.Archive], Awaitable[None]]) -> None:
    async def main() -> None:
        settings = starting.settings(config, configuration.StandIn("not-used", {}))
        async with running.connected(running.outside_redis(settings)) as connection:
            await body(parts.archive(settings, connection))

    starting.until_stopped(main())
