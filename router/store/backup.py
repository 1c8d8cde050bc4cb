"""Copies the router's data to backup records, and restores them into an empty store.

The backup is logical: it uses the commands of each key's type, so it can be restored into Redis or Valkey of any
version, standalone or cluster. It can be taken while the router runs, with these guarantees:

- The document, publications, and timeline of an incident are from one moment. Different incidents are from different
  moments.
- The inbox is copied first. A delivery that was accepted before the backup began is in the inbox, in its incident, or
  both. Folding it again changes nothing.

The backup leaves out state of running processes (consumers, heartbeats, leases), short-lived counters (quotas),
sessions, and delivery IDs, so that a delivery that is sent again is accepted again. Indexes and timers are rebuilt:
after a restore, every incident is reconciled once.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import Any, NamedTuple

from redis import exceptions

from router.store import backup_file, client, dataset, errors, keys, migrations, schema
from router.store.connection import Connection

PATTERN = "ir:*"
SECONDS = 60.0  # Time limit of one step. A server that loads or saves its data is slow.
_SCANNED = 500
_FEW = 8  # Stream entries with bodies read per command.
_BATCH_BYTES = 1024 * 1024
_BATCH_COMMANDS = 1000
_WITH_BODIES = {name.encode() for name in (keys.INBOX, keys.ARCHIVE, keys.DEAD, keys.QUARANTINE)}
_LEASE = (b"until", b"wake")
_OF_AN_INCIDENT = re.compile(rb"ir:\{s(\d+)\}:(incident|publications|timeline):(.*)", re.DOTALL)
_EXCLUDED = re.compile(
    rb"ir:(\{(schema|dataset|quotas|polls)\}:.*"
    rb"|\{access\}:(session|sign-in|sign-ins|refusals):.*"
    rb"|\{inbox\}:(workers|suspects|mark|seen:.*)"
    rb"|\{accounts\}:waiting:.*"
    rb"|\{s\d+\}:(timers|incidents|published|mark|names))",
    re.DOTALL,
)


class BackupError(Exception):
    """The backup can't be made or restored. The message says why and what to do."""


class RestoreResult(NamedTuple):
    """Number of restored keys, and of keys that had expired since the backup."""

    keys: int
    expired: int


def is_excluded(name: bytes) -> bool:
    """Return whether backups leave out a key."""
    return _EXCLUDED.fullmatch(name) is not None


class Backup:
    """Reads all data of the router as records, and writes records to an empty store."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._schema = schema.Schema(connection)
        self._data_set = dataset.DataSet(connection)

    async def records(self) -> AsyncIterator[backup_file.Record]:
        """Iterate over the records of a backup. Raises ``BackupError`` and ``Unavailable``."""
        copy = _Copy(self._connection)
        await copy.begin()
        # The inbox is first: a delivery that workers fold during the backup is then in the inbox, its incident, or
        # both.
        async for record in copy.stream(keys.INBOX.encode(), 0):
            yield record
        written_keys = {keys.INBOX.encode()}
        async for name in _names(self._connection):
            # A scan may return a key twice. When the first key of an incident appears, copy all its keys.
            incident = _OF_AN_INCIDENT.fullmatch(name)
            unit = b"%s:%s" % (incident[1], incident[3]) if incident else name
            if unit in written_keys or is_excluded(name):
                continue
            written_keys.add(unit)
            async for record in copy.incident(incident[3].decode()) if incident else copy.key(name):
                yield record

    async def is_empty(self) -> bool:
        """Return whether the store holds no data of the router except what a process writes at startup."""
        async for name in _names(self._connection):
            if not name.startswith((b"ir:{schema}:", b"ir:{dataset}:mark")):
                return False
        return True

    async def restore(self, reader: backup_file.Reader, *, replace: bool) -> RestoreResult:
        """Write the records to the store. If ``replace`` is set, delete all data of the router first.

        No process of the router can use the store until the restore has succeeded. Raises ``BackupError``,
        ``backup_file.CorruptBackupError``, and ``Unavailable``.
        """
        if reader.header.schema > schema.VERSION:
            raise BackupError(
                f"the backup's data has version {reader.header.schema}, and this version of incident-router works with "
                f"{schema.VERSION}: restore it with the version that made it ({reader.header.version}), or a later one"
            )
        if not replace and not await self.is_empty():
            raise BackupError(
                "the store is not empty: add --replace to delete everything that the router keeps there first"
            )
        # From here on, no process uses the partial data, even if this process is killed.
        await self._schema.begin_restore()
        if replace:
            await _delete_all(self._connection)
        async with client.translate_errors(SECONDS):
            # Redis expires keys by its own clock, so expiry times are compared with that clock.
            seconds, microseconds = await self._connection.redis.time()
        load = _Load(self._connection, seconds * 1000 + microseconds // 1000)
        for record in reader.records():
            await load.add(record)
        await load.flush()
        await load.check()
        # Set the mark before any process may use the data. Without it, incidents would open twice at the vendors.
        await self._data_set.mark_restored()
        # The data have the backup's version. Data of an earlier version are migrated as after an upgrade.
        await self._schema.end_restore(reader.header.schema)
        await self._schema.ensure()
        async with client.translate_errors(SECONDS):
            # The index isn't in the backup; it is rebuilt from the incidents.
            await migrations.name_incidents(self._connection)
        return RestoreResult(load.keys, load.expired)


class _Copy:
    """Reads keys and yields records."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis
        self._scripts = connection.scripts
        self._now_ms = 0

    async def begin(self) -> None:
        """Read the server's clock, from which expiry times are computed."""
        async with client.translate_errors(SECONDS):
            seconds, microseconds = await self._redis.time()
        self._now_ms = seconds * 1000 + microseconds // 1000

    async def incident(self, key: str) -> AsyncIterator[backup_file.Record]:
        """Read all keys of an incident in one transaction. Keys of a wrong type are read one by one."""
        names = [keys.incident(key), keys.publications(key), keys.timeline(key)]
        try:
            async with client.translate_errors(SECONDS):
                answer = await self._scripts.run("copy_incident", names, [])
        except (errors.DamagedKey, errors.WrongType):
            # One key of a wrong type must not keep all other data out of the backup.
            for name in names:
                async for record in self.key(name.encode()):
                    yield record
            return
        for position, name in enumerate(names):
            life, content = answer[2 * position : 2 * position + 2]
            if life == _GONE:
                continue
            record = backup_file.Record(name.encode(), "hash", self._expires_at(life))
            if name == names[-1]:
                record.kind, record.entries = "stream", [(identity, fields) for identity, fields in content]
            else:
                # The holder of a lease is gone after a restore. The fence is kept, because a fence must never be issued
                # twice.
                pairs = zip(content[::2], content[1::2], strict=True)
                record.items = [part for pair in pairs if pair[0] not in _LEASE for part in pair]
            # HSET without a field would fail at the restore.
            if record.items or record.entries:
                yield record

    async def key(self, name: bytes) -> AsyncIterator[backup_file.Record]:
        """Read a key of any type. Yield nothing if it has expired."""
        async with client.translate_errors(SECONDS):
            kind = (await self._redis.type(name)).decode()
            expires_at = self._expires_at(await self._redis.pttl(name))
        match kind:
            case "none":
                return
            case "stream":
                async for record in self.stream(name, expires_at):
                    yield record
            case "string":
                async with client.translate_errors(SECONDS):
                    value = await self._redis.get(name)
                if value is not None:
                    yield backup_file.Record(name, "string", expires_at, [value])
            case "hash" | "set" | "zset" as kind:
                async for items in self._members(name, kind):
                    yield backup_file.Record(name, kind, expires_at, items)
            case _:
                raise BackupError(f"{name.decode(errors='replace')} is a {kind}, which the router never writes")

    async def stream(self, name: bytes, expires_at: int) -> AsyncIterator[backup_file.Record]:
        """Read a stream from its first to its last entry."""
        count, begin = (_FEW if name in _WITH_BODIES else _SCANNED), b"-"
        while True:
            async with client.translate_errors(SECONDS):
                batch = await self._redis.xrange(name, min=begin, count=count)
            if not batch:
                break
            entries = [
                (identity, [part for pair in fields.items() for part in pair]) for identity, fields in batch if fields
            ]
            yield backup_file.Record(name, "stream", expires_at, [], entries)
            begin = b"(" + batch[-1][0]
        # An empty stream is omitted. The router creates a stream when it needs one.
        if begin == b"-":
            return
        async with client.translate_errors(SECONDS):
            try:
                stream_info = await self._redis.xinfo_stream(name)
            except exceptions.ResponseError:
                return  # The key has expired.
        # Without the last ID, Redis could issue the ID of a deleted entry again.
        yield backup_file.Record(name, "stream", expires_at, last_id=_bytes(stream_info["last-generated-id"]))

    async def _members(self, name: bytes, kind: backup_file.Kind) -> AsyncIterator[list[bytes]]:
        scan: Callable[..., Any] = getattr(self._redis, {"hash": "hscan", "set": "sscan", "zset": "zscan"}[kind])
        cursor = 0
        while True:
            async with client.translate_errors(SECONDS):
                cursor, members = await scan(name, cursor=cursor, count=_SCANNED)
            # A scan may return a member twice. Writing it twice changes nothing.
            items = list(_flatten(members.items() if isinstance(members, dict) else members, kind))
            if items:
                yield items
            if int(cursor) == 0:
                return

    def _expires_at(self, life_ms: int) -> int:
        return self._now_ms + life_ms if life_ms >= 0 else 0


_GONE = -2  # PTTL returns this for a key that doesn't exist.


def _flatten(members: Iterable[Any], kind: str) -> Iterator[bytes]:
    for member in members:
        if kind == "set":
            yield member
        else:
            yield member[0]
            # `repr` writes all digits of a score. Some scores are microseconds, which need 16.
            yield member[1] if kind == "hash" else repr(float(member[1])).encode()


def _bytes(text: bytes | str) -> bytes:
    return text.encode() if isinstance(text, str) else text


async def _names(connection: Connection) -> AsyncIterator[bytes]:
    """Iterate over the names of the router's keys, with possible duplicates. Raises ``Unavailable``."""
    names = connection.redis.scan_iter(PATTERN, count=_SCANNED)
    while True:
        async with client.translate_errors(SECONDS):
            try:
                name = await anext(names)
            except StopAsyncIteration:
                return
        yield name


async def _delete_all(connection: Connection) -> None:
    names = []
    async for name in _names(connection):
        # The flag stays until the restore has succeeded, so that no process starts in between.
        if name != keys.RESTORING.encode():
            names.append(name)
        if len(names) >= _SCANNED:
            await _unlink(connection, names)
            names = []
    await _unlink(connection, names)


async def _unlink(connection: Connection, names: list[bytes]) -> None:
    async with client.translate_errors(SECONDS):
        await _run(connection, [("UNLINK", name) for name in names])


class _Load:
    """Writes records to the store in batches."""

    def __init__(self, connection: Connection, now_ms: int) -> None:
        self._connection = connection
        self._now_ms = now_ms
        self._commands: list[tuple[Any, ...]] = []
        self._bytes = 0
        self._before = b""
        self.keys = 0
        self.expired = 0
        self._without_expiry = 0

    async def add(self, record: backup_file.Record) -> None:
        """Add a record to the batch, unless it has expired."""
        # The records of one key follow each other (see `backup_file.Writer.write`), so another name is another key.
        is_new, self._before = record.name != self._before, record.name
        if 0 < record.expires_at <= self._now_ms:
            self.expired += is_new
            return
        self.keys += is_new
        # Only keys without an expiry are counted for `check`: others may expire during the restore.
        self._without_expiry += is_new and not record.expires_at
        for command in _commands(record):
            self._commands.append(command)
            self._bytes += sum(len(part) if isinstance(part, bytes) else 8 for part in command)
        if self._bytes >= _BATCH_BYTES or len(self._commands) >= _BATCH_COMMANDS:
            await self.flush()

    async def flush(self) -> None:
        """Write the batch."""
        commands, self._commands, self._bytes = self._commands, [], 0
        try:
            async with client.translate_errors(SECONDS):
                await _run(self._connection, commands)
        except errors.Unavailable as error:
            # Redis refuses an entry ID that isn't above the stream's last ID. All streams were empty, so another
            # process has written.
            if "XADD" not in error.reason and "smaller" not in error.reason:
                raise
            raise BackupError(
                "another process writes to the store: stop every web and worker, and restore again"
            ) from error

    async def check(self) -> None:
        """Compare the number of keys in the store with the number of keys written."""
        count = 0
        async for name in _names(self._connection):
            count += not is_excluded(name)
        if count < self._without_expiry:
            raise BackupError(f"{self.keys} keys were written, and the store holds {count} of them")


async def _run(connection: Connection, commands: list[tuple[Any, ...]]) -> None:
    if commands:
        pipeline: Any = connection.redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        await pipeline.execute()


def _commands(record: backup_file.Record) -> Iterator[tuple[Any, ...]]:
    """Return the commands that write a record."""
    match record.kind:
        case "string":
            yield ("SET", record.name, *record.items)
        case "hash":
            yield ("HSET", record.name, *record.items)
        case "set":
            yield ("SADD", record.name, *record.items)
        case "zset":
            scored = zip(record.items[1::2], record.items[::2], strict=True)
            yield ("ZADD", record.name, *(part for pair in scored for part in pair))
        case "stream":
            for identity, fields in record.entries:
                yield ("XADD", record.name, identity, *fields)
            if record.last_id:
                yield ("XSETID", record.name, record.last_id)
    if record.expires_at:
        yield ("PEXPIREAT", record.name, record.expires_at)
    yield from _index_commands(record)


def _index_commands(record: backup_file.Record) -> Iterator[tuple[Any, ...]]:
    """Return the commands that add an incident to the indexes and make it due for reconciliation."""
    incident = _OF_AN_INCIDENT.fullmatch(record.name)
    if incident is None or incident[2] == b"timeline":
        return
    number = int(incident[1])
    index = keys.incidents(number) if incident[2] == b"incident" else keys.published_incidents(number)
    yield ("ZADD", index, record.expires_at or "inf", incident[3])
    yield ("ZADD", keys.timers(number), 0, incident[3])
