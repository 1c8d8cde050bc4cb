"""The quarantine: authentic bodies that could not be parsed, kept as received until an operator handles them."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
from redis import exceptions

from router.domain.times import Timestamp
from router.store import client, damage, keys, stream_pages, unreadable_deliveries
from router.store.connection import Connection
from router.telemetry import log, metrics

MAX_BODIES = 10_000  # Maximum number of bodies.
MAX_BYTES = 64 * 1024 * 1024
SHORT_OF_MEMORY = 0.7  # Share of maxmemory from which bodies are evicted, after the archive and before the inbox.

_log = log.get("store")


class Quarantined(NamedTuple):
    """A body in quarantine. ``kept_at`` is in microseconds since the epoch."""

    id: str
    source: str
    problem: str
    kept_at: Timestamp
    headers: dict[str, str]
    body: bytes


class Quarantine:
    """The quarantine of all sources, limited to ``MAX_BODIES`` bodies and ``most_bytes``.

    The oldest bodies are evicted, logged, and counted. Otherwise one sender could fill the store, and deliveries of all
    senders would be refused.
    """

    def __init__(self, connection: Connection, *, most_bytes: int = MAX_BYTES) -> None:
        self._redis = connection.redis
        self._most_bytes = most_bytes
        self._scripts = connection.scripts
        self._writer = connection.writer
        self._unreadable = unreadable_deliveries.UnreadableCounts(connection)

    async def count_refused(self, source: str, problem: str, now: Timestamp) -> None:
        """Count an authentic delivery that can't be parsed and isn't stored. Raises ``Unavailable``."""
        await self._unreadable.count(source, problem, now)

    async def add(self, source: str, body: bytes, headers: Mapping[str, str], problem: str, now: Timestamp) -> str:
        """Store a body and return its ID. Raises ``Unavailable``."""
        await self._unreadable.count(source, problem, now)
        fields: dict[str, str | bytes | int] = {
            "source": source,
            "problem": problem,
            "at": now,
            "headers": msgspec.json.encode(dict(headers)),
            "body": body,
        }
        async with client.translate_errors():
            packed = itertools.chain(*fields.items())
            identity: Any = await self._writer.run("XADD", keys.QUARANTINE, "*", *packed)
            length: int = await self._redis.xlen(keys.QUARANTINE)
            # A flood of small bodies exceeds this limit before it exceeds the limit in bytes.
            if length > MAX_BODIES:
                dropped: Any = await self._redis.xtrim(keys.QUARANTINE, maxlen=MAX_BODIES, approximate=False)
                _report_dropped(int(dropped), most=MAX_BODIES)
            removed, _ = await self._scripts.run("evict_entries", [keys.QUARANTINE], [self._most_bytes])
            _report_dropped(int(removed), most_bytes=self._most_bytes)
        return str(identity.decode())

    async def evict(self, fullness: float) -> bool:
        """Evict half of the bodies if the server is short of memory. Return False if there were none."""
        if fullness <= SHORT_OF_MEMORY:
            return False
        async with client.translate_errors():
            # Without `samples=0`, Redis extrapolates the size from a few entries. Bodies differ in size by orders of
            # magnitude.
            size = int(await self._redis.memory_usage(keys.QUARANTINE, samples=0) or 0)
            removed, _ = await self._scripts.run("evict_entries", [keys.QUARANTINE], [size // 2])
        _report_dropped(int(removed), fullness=fullness)
        return bool(removed)

    async def find(self, identity: str) -> Quarantined | None:
        """Return the body with this ID, or None."""
        async with client.translate_errors():
            try:
                entries: Any = await self._redis.xrange(keys.QUARANTINE, identity, identity)
            except exceptions.ResponseError:  # Not a stream ID, so no body has it.
                return None
        return _read(*entries[0]) if entries else None

    async def discard(self, identity: str) -> None:
        """Delete a body that was retried or that an operator has handled."""
        async with client.translate_errors():
            await self._redis.xdel(keys.QUARANTINE, identity)

    async def size(self) -> int:
        """Return the number of bodies."""
        async with client.translate_errors():
            return int(await self._redis.xlen(keys.QUARANTINE))

    async def read(self, count: int = 100, before: str = "") -> list[Quarantined]:
        """Return the newest bodies, newest first; with ``before``, those older than this ID."""
        return (await self.page(count, before))[0]

    async def page(self, count: int = 100, before: str = "") -> tuple[list[Quarantined], str]:
        """Return the newest bodies and the cursor of the next page (empty: none). Large bodies make a page shorter."""
        last = f"({before}" if before else "+"
        async with client.translate_errors():
            limit = stream_pages.MAX_BYTES
            page = await stream_pages.read(
                self._scripts, keys.QUARANTINE, "XREVRANGE", last, "-", count=count, max_bytes=limit
            )
        read = (_read(identity, fields) for identity, fields in page.entries)
        return [entry for entry in read if entry is not None], page.end


def _report_dropped(number: int, **why: float) -> None:
    if number:
        metrics.quarantine_dropped.inc(number)
        _log.error("quarantine_full", dropped=number, **why)


def _read(identity: bytes, fields: dict[bytes, bytes]) -> Quarantined | None:
    """Decode a body. If its entry can't be decoded, log it and return None."""
    try:
        return Quarantined(
            identity.decode(),
            fields[b"source"].decode(),
            fields[b"problem"].decode(),
            Timestamp(int(fields[b"at"])),
            msgspec.json.decode(fields[b"headers"]),
            fields[b"body"],
        )
    except (KeyError, ValueError) as error:
        problem = f"the entry {identity.decode()} can't be read: {error!r}"
        damage.report(keys.QUARANTINE, problem, "look at it with XRANGE, and delete it with XDEL")
        return None
