"""``backup`` and ``restore``: everything that the router keeps in Redis, in one file."""

import contextlib
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Annotated

import redis.asyncio
import typer

from router import __version__
from router import settings as configuration
from router.assembly import parts, running
from router.cli import starting, tables, terminal
from router.domain import access
from router.store import access as access_store
from router.store import backup, backup_file, client, health, schema

_STD = "-"

Replace = Annotated[
    bool, typer.Option("--replace", help="Delete everything that the router keeps in Redis before it is restored.")
]
Force = Annotated[bool, typer.Option("--force", help="Restore although a worker runs.")]
Verify = Annotated[bool, typer.Option("--verify", help="Only check that the file is complete and can be restored.")]


def back_up(
    file: Annotated[str, typer.Argument(help="Where to write the backup, or - for stdout.", metavar="FILE")],
    *,
    by: starting.By = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Copy everything that the router keeps in Redis to a file, also while the router runs."""
    if file == _STD and sys.stdout.isatty():
        raise starting.usage("a backup is binary: name a file, or send stdout to one")

    async def main() -> None:
        async with _connected(config, serves_empty=False) as connection:
            version = await schema.Schema(connection).read_version()
            if not version:
                raise backup.BackupError("there is nothing to back up: Redis holds no data of the router")
            if version != schema.VERSION:
                raise backup.BackupError(
                    f"the data in Redis has version {version}, and this version of incident-router backs up "
                    f"{schema.VERSION}: use the version that works with the data"
                )
            trailer = await _write(connection, file)
            await _note(connection, by, "back up", file)
        print(
            f"{trailer.keys} keys written to {'stdout' if file == _STD else file}, sha256 {trailer.sha256}",
            file=sys.stderr if file == _STD else sys.stdout,
        )

    _run(main, file)


def restore(
    file: Annotated[str, typer.Argument(help="The backup, or - for stdin.", metavar="FILE")],
    *,
    verify: Verify = False,
    replace: Replace = False,
    force: Force = False,
    by: starting.By = "",
    config: starting.Config = configuration.DEFAULT_FILE,
) -> None:
    """Restore a backup into an empty Redis. Stop every `web` and `worker` first."""
    if replace and file == _STD:
        raise starting.usage("--replace needs a file: it is checked before anything is deleted")

    async def main() -> None:
        if file != _STD or verify:
            header, trailer = _verified(file)
            made = datetime.fromtimestamp(header.created_at / 1_000_000, UTC)
            print(
                f"{file}: {trailer.keys} keys of {tables.moment(made)}, data version {header.schema}, made by "
                f"incident-router {header.version}, sha256 {trailer.sha256}"
            )
        if verify:
            return
        async with _connected(config, serves_empty=True) as connection:
            if not force:
                await _must_be_idle(connection)
            with _opened(file) as stream:
                restored = await backup.restore(connection, backup_file.Reader(stream), replace=replace)
            await _note(connection, by, "restore", file)
        expired = f"; {restored.expired} had expired" if restored.expired else ""
        print(f"{restored.keys} keys restored{expired}. Start a worker, then web")

    _run(main, file)


def _run(main: Callable[[], Awaitable[None]], file: str) -> None:
    """Run the command; what a backup or the store refuses ends with one sentence and status 1."""

    async def guarded() -> None:
        try:
            await main()
        except backup.BackupError as refused:
            print(f"incident-router: {refused}", file=sys.stderr)
        except backup_file.CorruptBackupError as damaged:
            print(f"incident-router: {file} can't be restored: {damaged}", file=sys.stderr)
        else:
            return
        raise typer.Exit(1)

    starting.until_stopped(guarded())


@contextlib.asynccontextmanager
async def _connected(config: Path, *, serves_empty: bool) -> AsyncIterator["redis.asyncio.Redis"]:
    """Connect to the store, whatever the version of its data."""
    settings = starting.settings(config, configuration.StandIn("not-used", {}))
    with running.any_redis(settings, serves_empty=serves_empty) as server:
        connection = client.connect(server)
        try:
            yield connection
        finally:
            await connection.aclose()


async def _write(connection: "redis.asyncio.Redis", file: str) -> backup_file.Trailer:
    header = backup_file.Header(backup_file.FORMAT, schema.VERSION, parts.clock(), __version__)
    with _created(file) as stream:
        writer = backup_file.Writer(stream, header)
        async for record in backup.records(connection):
            writer.write(record)
        return writer.finish()


@contextlib.contextmanager
def _created(file: str) -> Iterator[IO[bytes]]:
    """Open a file that only its owner may read; it has its name once it is complete."""
    if file == _STD:
        with terminal.binary() as stream:
            yield stream
        return
    target = Path(file)
    if target.exists() and not target.is_file():
        raise starting.usage(f"{file} is no file: name a file, or - for standard output")
    if target.is_symlink():
        target = target.resolve()
    partial = Path(f"{target}.partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise starting.usage(f"{file} can't be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def _opened(file: str) -> Iterator[IO[bytes]]:
    if file == _STD:
        yield sys.stdin.buffer
        return
    try:
        stream = open(file, "rb")  # noqa: SIM115 - closed below; an error while it is read is another one
    except OSError as error:
        raise starting.usage(f"{file} can't be read: {error.strerror}") from error
    with stream:
        yield stream


def _verified(file: str) -> tuple[backup_file.Header, backup_file.Trailer]:
    """Read a backup to its end; ``Damaged``."""
    with _opened(file) as stream:
        reader = backup_file.Reader(stream)
        return reader.header, reader.check()


async def _must_be_idle(connection: "redis.asyncio.Redis") -> None:
    silent = (parts.clock() - await health.Health(connection).latest_heartbeat()) / 1_000_000
    if silent < parts.BEAT_LATE_SECONDS:
        raise backup.BackupError(
            f"a worker sent a heartbeat {max(silent, 0):.0f} s ago: stop every web and worker first, or add --force"
        )


async def _note(connection: "redis.asyncio.Redis", by: str, what: str, subject: str) -> None:
    """Leave a line in the audit log."""
    name = by or starting.login_name()
    action = access.Action(parts.clock(), name, "command line", "", what, subject)
    await access_store.Audit(connection).append(action)
