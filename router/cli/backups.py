"""``backup`` and ``restore``: save all data of the router in Redis to one file, and load it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import typer

from router import __version__, configuration
from router.bootstrap import factories, processes
from router.cli import audit, files, startup, tables, terminal
from router.store import backup, backup_file, client, schema
from router.store.store import Store

_PAUSE_SECONDS = 0.2  # Between two checks for a running process.

Replace = Annotated[
    bool, typer.Option("--replace", help="Delete everything that the router keeps in Redis before it is restored.")
]
Force = Annotated[bool, typer.Option("--force", help="Restore even if a `web` or `worker` is running.")]
Verify = Annotated[bool, typer.Option("--verify", help="Only check that the file is complete and can be restored.")]


def back_up(
    file: Annotated[str, typer.Argument(help="The file to write, or - for stdout.", metavar="FILE")],
    *,
    by: startup.By = "",
    reason: startup.Reason = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Copy all data of the router in Redis to a file. The router may be running."""
    if file == files.STDIO and sys.stdout.isatty():
        raise startup.usage("a backup is binary: name a file, or send stdout to one")

    async def main() -> None:
        async with _connect(config, serves_empty=False) as store:
            version = await store.schema.read_version()
            # An empty backup would look like a success, although the command may have connected to the wrong Redis.
            if not version:
                raise backup.BackupError("there is nothing to back up: Redis holds no data of the router")
            if version != schema.VERSION:
                raise backup.BackupError(
                    f"the data in Redis has version {version}, and this version of incident-router backs up "
                    f"{schema.VERSION}: use the version that works with the data"
                )
            trailer = await _write(store, file)
            # The line is written after the copy, so a failed backup leaves none.
            await audit.record(store, audit.Operator(by, reason), "back up", file)
        print(
            f"{trailer.keys} keys written to {'stdout' if file == files.STDIO else file}, sha256 {trailer.sha256}",
            # Standard output has the backup itself.
            file=sys.stderr if file == files.STDIO else sys.stdout,
        )

    _run(main, file)


def restore(
    file: Annotated[str, typer.Argument(help="The backup, or - for stdin.", metavar="FILE")],
    *,
    verify: Verify = False,
    replace: Replace = False,
    force: Force = False,
    by: startup.By = "",
    reason: startup.Reason = "",
    config: startup.Config = configuration.DEFAULT_FILE,
) -> None:
    """Restore a backup into an empty Redis. Stop every `web` and `worker` first."""
    if replace and file == files.STDIO:
        raise startup.usage("--replace needs a file: it is checked before anything is deleted")

    async def main() -> None:
        # Standard input can be read only once, so a restore checks it while it writes the data.
        if file != files.STDIO or verify:
            header, trailer = _verify(file)
            created_at = datetime.fromtimestamp(header.created_at / 1_000_000, UTC)
            print(
                f"{file}: {trailer.keys} keys of {tables.moment(created_at)}, data version {header.schema}, made by "
                f"incident-router {header.version}, sha256 {trailer.sha256}"
            )
        if verify:
            return
        async with _connect(config, serves_empty=True) as store:
            if not force:
                await _check_idle(store)
            with _open(file) as stream:
                restored = await store.backup.restore(backup_file.Reader(stream), replace=replace)
            # The restore has replaced the audit log, so a line from before it would be lost.
            await audit.record(store, audit.Operator(by, reason), "restore", file)
        expired = f"; {restored.expired} had expired" if restored.expired else ""
        print(f"{restored.keys} keys restored{expired}. Start a worker, then web")

    _run(main, file)


def _run(main: Callable[[], Awaitable[None]], file: str) -> None:
    """Run the command. If the backup or the store refuses, print one sentence and exit with status 1."""

    async def run_guarded() -> None:
        try:
            await main()
        except backup.BackupError as refused:
            print(f"incident-router: {refused}", file=sys.stderr)
        except backup_file.CorruptBackupError as damaged:
            print(f"incident-router: {file} can't be restored: {damaged}", file=sys.stderr)
        else:
            return
        raise typer.Exit(1)

    startup.run_until_stopped(run_guarded())


@contextlib.asynccontextmanager
async def _connect(config: Path, *, serves_empty: bool) -> AsyncIterator[Store]:
    """Connect to the store, regardless of the version of its data."""
    settings = startup.settings(config, configuration.StandIn("not-used", {}))
    with processes.any_redis(settings, serves_empty=serves_empty) as server:
        store = factories.make_store(settings, server)
        try:
            yield store
        finally:
            await store.aclose()


async def _write(store: Store, file: str) -> backup_file.Trailer:
    header = backup_file.Header(backup_file.FORMAT, schema.VERSION, factories.clock(), __version__)
    with terminal.binary() if file == files.STDIO else files.create(file) as stream:
        writer = backup_file.Writer(stream, header)
        async for record in store.backup.records():
            writer.write(record)
        return writer.finish()


@contextlib.contextmanager
def _open(file: str) -> Iterator[IO[bytes]]:
    if file == files.STDIO:
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 - closed below; an error while it is read is another one
    except OSError as error:
        raise startup.usage(f"{file} can't be read: {error.strerror}") from error
    with stream:
        yield stream


def _verify(file: str) -> tuple[backup_file.Header, backup_file.Trailer]:
    """Read a backup to its end. Raises ``CorruptBackupError``."""
    with _open(file) as stream:
        reader = backup_file.Reader(stream)
        return reader.header, reader.check()


async def _check_idle(store: Store) -> None:
    """Refuse a restore while a process of the router uses the data. Each process writes a mark there every second.

    The mark of a killed process stays. So the marks are watched for a time, and only a new mark counts.
    """
    before = await store.data_set.marks()
    waited = 0.0
    while recent := await _read_recent_marks(store):
        if any(mark > before.get(name, 0) for name, mark in recent.items()):
            raise backup.BackupError("a web or worker is running: stop every web and worker first, or add --force")
        # Only a recent mark makes the command wait, so the notice is printed once, and not for an idle Redis.
        if not waited:
            print(
                f"waiting up to {factories.BEAT_LATE_SECONDS:.0f} s to see whether a web or worker is running",
                file=sys.stderr,
            )
        waited += _PAUSE_SECONDS
        await asyncio.sleep(_PAUSE_SECONDS)


async def _read_recent_marks(store: Store) -> dict[str, int]:
    """Return the processes that used the data within the last ``BEAT_LATE_SECONDS``, with their last marks."""
    marks = await store.data_set.marks()
    async with client.translate_errors():
        # Marks have the time of Redis' clock, which may differ from this machine's.
        seconds, microseconds = await store.redis.time()
    oldest = seconds * 1_000_000 + microseconds - int(factories.BEAT_LATE_SECONDS * 1_000_000)
    return {name: mark for name, mark in marks.items() if mark > oldest}
