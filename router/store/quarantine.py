"""Authentic bodies that could not be parsed: kept as received, with what was wrong, until a person looks."""

import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec
import redis.asyncio
from redis import exceptions

from router.store import client, damage, keys, replica_acks, scripts, stream_pages, unreadable_deliveries
from router.telemetry import log, metrics

MAX_BODIES = 10_000  # Bodies.
MOST_BYTES = 64 * 1024 * 1024
SHORT_OF_MEMORY = 0.7  # Of maxmemory: from here on the quarantine gives way, after the archive and before the inbox.

_log = log.get("store")


class Quarantined(NamedTuple):
    """One body in quarantine. ``id`` names it; ``kept_at`` is microseconds since the epoch."""

    id: str
    source: str
    problem: str
    kept_at: int
    headers: dict[str, str]
    body: bytes


class Quarantine:
    """The quarantine of all sources, bounded to ``MOST`` bodies and ``most_bytes``.

    The oldest bodies are removed, which is logged and counted: else the bodies of one sender would fill the store, and
    every sender would be turned away.
    """

    def __init__(self, connection: "redis.asyncio.Redis", *, most_bytes: int = MOST_BYTES) -> None:
        self._connection = connection
        self._most_bytes = most_bytes
        self._scripts = scripts.Scripts(connection)
        self._confirming = replica_acks.DurableWriter(connection)
        self._unreadable = unreadable_deliveries.UnreadableCounts(connection)

    async def count_refused(self, source: str, problem: str, now: int) -> None:
        """Count an authentic delivery that can't be read and isn't kept; ``Unavailable``."""
        await self._unreadable.count(source, problem, now)

    async def add(self, source: str, body: bytes, headers: Mapping[str, str], problem: str, now: int) -> str:
        """Keep a body and return its ID; ``Unavailable`` if the store hasn't got it."""
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
            identity: Any = await self._confirming.run("XADD", keys.QUARANTINE, "*", *packed)
            length: int = await self._connection.xlen(keys.QUARANTINE)
            if length > MAX_BODIES:
                dropped: Any = await self._connection.xtrim(keys.QUARANTINE, maxlen=MAX_BODIES, approximate=False)
                _dropped(int(dropped), most=MAX_BODIES)
            removed, _ = await self._scripts.run("evict", [keys.QUARANTINE], [self._most_bytes])
            _dropped(int(removed), most_bytes=self._most_bytes)
        return str(identity.decode())

    async def evict(self, fullness: float) -> bool:
        """Remove half of what is kept if the server is short of memory; False if there was nothing to remove."""
        if fullness <= SHORT_OF_MEMORY:
            return False
        async with client.translate_errors():
            size = int(await self._connection.memory_usage(keys.QUARANTINE, samples=0) or 0)
            removed, _ = await self._scripts.run("evict", [keys.QUARANTINE], [size // 2])
        _dropped(int(removed), fullness=fullness)
        return bool(removed)

    async def find(self, identity: str) -> Quarantined | None:
        """The body of this id, or None where there is none (any more)."""
        async with client.translate_errors():
            try:
                entries: Any = await self._connection.xrange(keys.QUARANTINE, identity, identity)
            except exceptions.ResponseError:  # What is no id of a stream is the id of nothing.
                return None
        return _read(*entries[0]) if entries else None

    async def discard(self, identity: str) -> None:
        """Let a body go: it was run again, or a person has looked at it."""
        async with client.translate_errors():
            await self._connection.xdel(keys.QUARANTINE, identity)

    async def size(self) -> int:
        """How many bodies are kept."""
        async with client.translate_errors():
            return int(await self._connection.xlen(keys.QUARANTINE))

    async def read(self, most: int = 100, before: str = "") -> list[Quarantined]:
        """The newest bodies first; of those before the one of an id, where it is given."""
        return (await self.page(most, before))[0]

    async def page(self, most: int = 100, before: str = "") -> tuple[list[Quarantined], str]:
        """As ``read``, and where the page ends (empty: the end). It ends earlier if its bodies are large."""
        last = f"({before}" if before else "+"
        async with client.translate_errors():
            page = await stream_pages.read(self._scripts, keys.QUARANTINE, "XREVRANGE", last, "-", count=most)
        read = (_read(identity, fields) for identity, fields in page.entries)
        return [one for one in read if one is not None], page.end


def _dropped(number: int, **why: float) -> None:
    if number:
        metrics.quarantine_dropped.inc(number)
        _log.error("quarantine_full", dropped=number, **why)


def _read(identity: bytes, fields: dict[bytes, bytes]) -> Quarantined | None:
    """A body; None if its entry can't be read, which the log tells."""
    try:
        return Quarantined(
            identity.decode(),
            fields[b"source"].decode(),
            fields[b"problem"].decode(),
            int(fields[b"at"]),
            msgspec.json.decode(fields[b"headers"]),
            fields[b"body"],
        )
    except (KeyError, ValueError) as error:
        problem = f"the entry {identity.decode()} can't be read: {error!r}"
        damage.report(keys.QUARANTINE, problem, "look at it with XRANGE, and delete it with XDEL")
        return None
