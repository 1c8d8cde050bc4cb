"""The inbox: webhook servers write deliveries by group commit, workers read them in batches."""

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from redis import exceptions

from router.domain import deliveries
from router.domain.times import Timestamp
from router.store import client, codec, errors, keys
from router.store.connection import Connection

MAX_IN_FLIGHT = 4096  # Requests that may wait for the store; further requests are refused.
COMMITS_AT_ONCE = 2  # While the server processes one commit, the next one is prepared.
LARGE_BYTES = 4096  # Larger deliveries are cheaper for the server as commands than as script arguments.
# Deliveries that one script call moves to the archive. The server handles no other client during the call.
MAX_ARCHIVED_PER_CALL = 1024
MAX_BYTES_PER_COMMIT = 4 * 1024 * 1024
MARKED_BYTES = 256 * 1024  # Larger deliveries are marked, so that workers don't read hundreds of them at a time.
SLOW_BYTES = 256 * 1024  # Deliveries with larger bodies are encoded and compressed in a thread.
FEW = 8  # Deliveries read at a time while large ones may be among them.


class _Entry(NamedTuple):
    """A delivery in the form in which it is stored.

    ``arguments`` are the encoded delivery, the name of the field of the body, and the body. ``size`` is their size in
    bytes. ``is_large``: the decoded delivery is large; a worker keeps its body compressed.
    """

    arguments: tuple[bytes, str, bytes]
    size: int
    is_large: bool


_Waiting = tuple[_Entry, "asyncio.Future[None]"]


class Inbox:
    """Accepts deliveries. Those that arrive during a commit share the next one."""

    def __init__(self, connection: Connection) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._writer = connection.writer
        self._waiting: list[_Waiting] = []
        self._commits: set[asyncio.Task[None]] = set()
        self._committing = 0

    async def accept(self, delivery: deliveries.Delivery, body: bytes) -> None:
        """Return when the delivery is stored. Raises ``Unavailable`` if it isn't; the sender must be told to retry."""
        # Refuse before anything is encoded: under overload, a refusal has to be cheap.
        if len(self._waiting) >= MAX_IN_FLIGHT:
            raise errors.Unavailable("too many deliveries wait for Redis", 1)
        is_slow = len(body) > SLOW_BYTES
        entry = await asyncio.to_thread(_pack, delivery, body) if is_slow else _pack(delivery, body)
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((entry, future))
        if self._committing < COMMITS_AT_ONCE:
            # Count the commits in flight instead of the tasks: a finished task is still in the set for a moment.
            self._committing += 1
            commit = asyncio.create_task(self._drain())
            self._commits.add(commit)
            commit.add_done_callback(self._commits.discard)
        await future

    async def _drain(self) -> None:
        """Commit group after group until no request waits. Every request gets a result, however its commit ends."""
        try:
            while self._waiting:
                await self._commit(self._take())
        finally:
            self._committing -= 1

    async def _commit(self, group: list[_Waiting]) -> None:
        # If the commit ends with a cancellation or an unexpected error, the requests must not wait forever.
        failure = errors.Unavailable("the commit was interrupted")
        try:
            await self._write([entry for entry, _ in group])
        except errors.Unavailable as error:
            failure = error
        else:
            _settle(group, None)
        finally:
            _settle(group, failure)  # Requests that already have a result keep it.

    def _take(self) -> list[_Waiting]:
        size = 0
        for position, (entry, _) in enumerate(self._waiting):
            size += entry.size
            # A delivery that is larger than the limit is committed alone.
            if size > MAX_BYTES_PER_COMMIT and position:
                group, self._waiting = self._waiting[:position], self._waiting[position:]
                return group
        group, self._waiting = self._waiting, []
        return group

    async def _write(self, entries: list[_Entry]) -> None:
        given, sizes, large = zip(*entries, strict=True)
        is_large = any(large)
        async with client.translate_errors():
            # The script is the fastest way for small deliveries. It sends no WAIT and no mark, so all others are sent
            # as commands.
            if not self._writer.is_required and not is_large and sum(sizes) < len(sizes) * LARGE_BYTES:
                arguments = list(itertools.chain.from_iterable(given))
                await self._scripts.run("append_deliveries", [keys.INBOX], arguments)
                return
            commands: list[tuple[Any, ...]] = [("XADD", keys.INBOX, "*", "h", *one) for one in given]
            if is_large:
                commands.append(_MARK)
            await self._write_commands(commands)

    async def _write_commands(self, commands: list[tuple[Any, ...]]) -> None:
        """Run the commands in one pipeline, and wait for replica acknowledgements if they are required."""
        if self._writer.is_required:
            await self._writer.write(keys.INBOX, commands)
            return
        pipeline = self._redis.pipeline(transaction=False)
        for command in commands:
            pipeline.execute_command(*command)
        await pipeline.execute()

    async def depth(self) -> tuple[int, int]:
        """Return how many deliveries wait, and when the oldest was accepted.

        The time is in microseconds since the epoch, 0 if none waits.
        """
        async with client.translate_errors():
            length = await self._redis.xlen(keys.INBOX)
            oldest: Any = await self._redis.xrange(keys.INBOX, count=1)
        if not oldest:
            return int(length), 0
        return int(length), int(oldest[0][0].split(b"-")[0]) * 1000

    async def last_accepted(self) -> tuple[Timestamp, int]:
        """Return when a delivery was last accepted (microseconds since the epoch), and the total; 0 if unknown.

        Servers before Redis 7 don't count entries.
        """
        async with client.translate_errors():
            if not await self._redis.exists(keys.INBOX):
                return Timestamp(0), 0
            stream_info: Any = await self._redis.xinfo_stream(keys.INBOX)
        last = stream_info["last-generated-id"]
        moment = int((last.decode() if isinstance(last, bytes) else last).partition("-")[0])
        return Timestamp(moment * 1000), int(stream_info.get("entries-added") or 0)


# Write the mark after the deliveries, so that its ID isn't older than theirs.
_MARK: tuple[Any, ...] = ("XADD", keys.LARGE, "MAXLEN", 1, "*", "m", 1)


def _pack(delivery: deliveries.Delivery, body: bytes) -> _Entry:
    packed = codec.pack_delivery(delivery)
    field, stored = codec.pack_body(body)
    is_large = max(codec.delivery_size(packed), len(stored)) >= MARKED_BYTES
    return _Entry((packed, field, stored), len(packed) + len(stored), is_large)


def _settle(group: list[_Waiting], error: errors.Unavailable | None) -> None:
    for _, future in group:
        if future.done():  # The sender has disconnected. The delivery is stored all the same.
            continue
        if error is None:
            future.set_result(None)
        else:
            # Each request gets its own exception: a shared one would collect the tracebacks of all requests.
            future.set_exception(errors.Unavailable(error.reason, error.retry_after_seconds))


class LimitedInbox:
    """The inbox for external senders: it refuses deliveries while the store is short of memory."""

    def __init__(self, inbox: Inbox) -> None:
        self._inbox = inbox
        self.refusing = ""
        """Why nothing is accepted now. Set by the task that watches the store's memory."""

    async def accept(self, delivery: deliveries.Delivery, body: bytes) -> None:
        """Return when the delivery is stored. Raises ``Unavailable`` if it isn't; the sender must be told to retry."""
        if self.refusing:
            raise errors.Unavailable(self.refusing, 30)
        await self._inbox.accept(delivery, body)


class InboxEntry(NamedTuple):
    """An inbox entry: its ID, the encoded delivery, and the bytes that it takes in memory, including the body."""

    id: bytes
    packed: bytes
    size: int


class InboxReader:
    """The worker's side: read a batch, fold it, and then acknowledge it."""

    def __init__(self, connection: Connection, consumer: str, *, life: str = "", archives: bool = False) -> None:
        """``life`` distinguishes this process from earlier ones of the same name.

        ``archives``: archive acknowledged deliveries.
        """
        self._writer = connection.writer
        self._life = life or consumer
        self._redis = connection.redis
        self._archives = archives
        self._scripts = connection.scripts
        self._consumer = consumer
        self._claim_from: Any = b"0-0"
        self._read_until = 0  # Milliseconds in the ID of the newest entry read.
        self._acknowledging: set[bytes] = set()

    async def prepare(self) -> None:
        """Create the consumer group if it doesn't exist. It begins at the first entry."""
        async with client.translate_errors():
            try:
                await self._redis.xgroup_create(keys.INBOX, keys.GROUP, id="0", mkstream=True)
            except exceptions.ResponseError as error:
                if "BUSYGROUP" not in str(error):
                    raise

    async def read(self, count: int, block_ms: int | None) -> list[InboxEntry]:
        """Read up to ``count`` new entries. Wait up to ``block_ms`` for the first one, or don't wait if it is 0.

        Read at most ``FEW`` at a time while a large one may be among them, because bodies are read with their entries.
        """
        count = min(count, FEW) if await self._has_large_ahead() else count
        async with client.translate_errors(client.PATIENCE_SECONDS + (block_ms or 0) / 1000):
            try:
                answer = await self._redis.xreadgroup(
                    keys.GROUP, self._consumer, {keys.INBOX: ">"}, count=count, block=block_ms
                )
            except exceptions.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                # The group is lost, for example with all data. Create it again, so that the worker doesn't need a
                # restart.
                await self.prepare()
                return []
        entries = _entries(answer)
        if entries:
            self._read_until = max(self._read_until, _milliseconds(entries[-1].id))
        return entries

    async def _has_large_ahead(self) -> bool:
        async with client.translate_errors():
            newest: Any = await self._redis.xrevrange(keys.LARGE, count=1)
        return bool(newest) and _milliseconds(newest[0][0]) >= self._read_until

    @property
    def is_takeover_complete(self) -> bool:
        """Return whether ``take_over`` has reached the end of the pending entries and starts from the beginning."""
        return bool(self._claim_from == b"0-0")

    async def take_over(self, count: int, idle_ms: int) -> list[InboxEntry]:
        """Claim entries that another worker read more than ``idle_ms`` ago and never acknowledged."""
        async with client.translate_errors():
            answer = await self._redis.xautoclaim(
                keys.INBOX, keys.GROUP, self._consumer, idle_ms, start_id=self._claim_from, count=count
            )
        self._claim_from = answer[0]
        # An entry that was deleted while it was pending has no fields.
        return [_entry(identity, fields) for identity, fields in answer[1] if fields]

    async def retire(self, idle_ms: int) -> list[str]:
        """Remove the consumers that have been idle for ``idle_ms`` and have no pending entries. Return their names."""
        return await self._retire(idle_ms, "")

    async def leave(self) -> None:
        """Remove this consumer from the group, unless it has pending entries. Another worker claims those."""
        await self._retire(0, self._consumer)

    async def _retire(self, idle_ms: int, name: str) -> list[str]:
        async with client.translate_errors():
            removed = await self._scripts.run("retire_consumers", [keys.INBOX], [keys.GROUP, idle_ms, name])
        return [consumer_name.decode() for consumer_name in removed]

    async def own_pending(self, count: int) -> list[InboxEntry]:
        """Return entries that a consumer of this name read before a crash and never acknowledged."""
        async with client.translate_errors():
            answer = await self._redis.xreadgroup(keys.GROUP, self._consumer, {keys.INBOX: "0"}, count=count)
        return _entries(answer)

    async def record_redelivery(self, entry: InboxEntry) -> int:
        """Count that processing of this entry starts again, and return how many processes have started it.

        Return 0 if it is no longer pending. Raises ``Unavailable`` without counting if too few replicas acknowledge: a
        worker that dies then didn't die of this entry.
        """
        arguments = [keys.GROUP, entry.id, self._life]
        async with client.translate_errors():
            # The script's own write needs no acknowledgement: a count that a failover loses only allows one more
            # attempt.
            if self._writer.is_required:
                await self._writer.write(keys.INBOX_MARK, [("SET", keys.INBOX_MARK, 1)])
            return int(await self._scripts.run("record_redelivery", [keys.INBOX, keys.SUSPECTS], arguments))

    async def clear_redeliveries(self, entry: InboxEntry) -> None:
        """Reset the count: processing of this entry has finished."""
        async with client.translate_errors():
            command: Any = self._redis.hdel(keys.SUSPECTS, entry.id.decode())
            await command

    async def overtaken_at(self, entries: Sequence[InboxEntry]) -> Timestamp:
        """Return when the newest of these entries was accepted, if an earlier one has been read and isn't folded yet.

        The time is in microseconds, by Redis' clock; 0 if no earlier entry is pending. An entry is pending at a worker
        that folds it now, that was killed, or whose writes were refused.
        """
        order = sorted((_position(entry.id), entry.id) for entry in entries)
        first, newest = order[0], order[-1]
        waiting = await self._pending()
        # No pending entry was accepted before these.
        if not waiting["pending"] or _position(waiting["min"]) > newest[0]:
            return Timestamp(0)
        # XPENDING returns the first entries of one consumer. One query per consumer avoids listing all pending entries.
        names = [entry["name"] for entry in waiting["consumers"]]
        pipeline = self._redis.pipeline(transaction=False)
        for name in names:
            # Entries that this worker is acknowledging now are already folded.
            is_own = name == self._consumer.encode()
            before, count = (first[1], len(self._acknowledging) + 1) if is_own else (newest[1], 1)
            pipeline.xpending_range(keys.INBOX, keys.GROUP, "-", b"(" + before, count, consumername=name)
        async with client.translate_errors():
            answers = await pipeline.execute()
        earlier = {entry["message_id"] for answer in answers for entry in answer} - self._acknowledging
        return Timestamp(newest[0][0] * 1000 if earlier else 0)

    async def oldest_unfolded(self) -> Timestamp:
        """Return when the oldest entry was accepted that isn't folded yet (microseconds); 0 if there is none."""
        async with client.translate_errors():
            oldest = await self._scripts.run("oldest_entry", [keys.INBOX], [])
        return Timestamp(_position(oldest)[0] * 1000 if oldest else 0)

    @contextlib.contextmanager
    def acknowledging(self, entries: Sequence[InboxEntry]) -> Iterator[None]:
        """Mark entries as folded and committed for the duration of the block, in which they are acknowledged."""
        identities = {entry.id for entry in entries}
        self._acknowledging |= identities
        try:
            yield
        finally:
            self._acknowledging -= identities

    async def acknowledge(self, entries: list[InboxEntry]) -> None:
        """Acknowledge entries whose alerts are folded and committed, and remove them from the inbox."""
        with self.acknowledging(entries):
            await self._acknowledge(entries)

    async def _acknowledge(self, entries: list[InboxEntry]) -> None:
        identities = [entry.id for entry in entries]
        async with client.translate_errors():
            if self._archives:
                # One script moves and acknowledges: no crash in between can lose an entry, or archive it twice.
                calls = [
                    ([keys.INBOX, keys.ARCHIVE], [keys.GROUP, *identities[first : first + MAX_ARCHIVED_PER_CALL]])
                    for first in range(0, len(identities), MAX_ARCHIVED_PER_CALL)
                ]
                await self._scripts.run_all("acknowledge", calls)
                return
            # Between the two commands, a crash would leave an entry that no worker reads, and that counts as waiting.
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.xack(keys.INBOX, keys.GROUP, *identities)
            pipeline.xdel(keys.INBOX, *identities)
            await pipeline.execute()

    async def move_to_dead_letters(self, entry: InboxEntry, reason: str) -> None:
        """Move an entry that can't be processed to the dead deliveries, unchanged."""
        async with client.translate_errors():
            await self._scripts.run("move_to_dead_letters", [keys.INBOX, keys.DEAD], [keys.GROUP, entry.id, reason])

    async def _pending(self) -> Any:
        """Return how many entries are pending, the first of them, and the pending counts by consumer."""
        async with client.translate_errors():
            try:
                return await self._redis.xpending(keys.INBOX, keys.GROUP)
            except exceptions.ResponseError as error:
                if "NOGROUP" not in str(error):
                    raise
                return {"pending": 0, "min": None, "max": None, "consumers": []}


def _entries(answer: Any) -> list[InboxEntry]:
    if not answer:
        return []
    streams = answer.items() if isinstance(answer, dict) else answer
    read_entries: list[InboxEntry] = []
    for _, entries in streams:
        # With RESP3, the library nests the entries of a stream in one more list than with RESP2.
        pages = entries if entries and isinstance(entries[0], tuple) else [e for page in entries for e in page]
        read_entries += [_entry(identity, fields) for identity, fields in pages if fields]
    return read_entries


def _milliseconds(identity: bytes) -> int:
    return int(identity.split(b"-")[0])


def _entry(identity: bytes, fields: dict[bytes, bytes]) -> InboxEntry:
    # An entry without decisions can't be decoded and becomes a dead delivery.
    packed = fields.get(b"h", b"")
    return InboxEntry(identity, packed, sum(map(len, fields.values())) - len(packed) + codec.delivery_size(packed))


def _position(identity: bytes | str) -> tuple[int, int]:
    """Split an entry ID into the milliseconds at which it was accepted and a sequence number."""
    moment, _, number = (identity.decode() if isinstance(identity, bytes) else identity).partition("-")
    return int(moment), int(number)
