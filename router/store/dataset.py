"""Whether the data in Redis is still what this process knew: a marker that notices a lost or a restored data set.

``watch.lua`` says what is compared. After a loss the data set is *reconciled*: nothing is opened at a destination
before its open items have been read once, and what belongs to no known incident is kept as an orphan until it is
adopted, resolved, or gone.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import redis.asyncio

from router.domain import identity
from router.domain import operation as operations
from router.domain.undecodable import Undecodable
from router.store import client, keys, replica_acks, scripts
from router.telemetry import log, metrics

Reason = Literal["", "vanished", "replaced", "went_back", "restored", "unattended", "new"]
"""Why a data set is reconciled; see ``watch.lua``. ``restored`` was said by whoever restored a backup."""

RESTORED = frozenset({"restored", "went_back", "replaced", "unattended"})
"""The reasons after which the data may be those of an earlier time."""
UNATTENDED = 600_000_000
"""Microseconds without a mark of any process after which a data set may be that of a backup."""
_READING_SECONDS = 60
_CLAIM_SECONDS = 30 * 24 * 60 * 60
_SCANNED = 1000
_WORDS: Mapping[str, str] = {
    "vanished": "the data set vanished",
    "replaced": "another data set took its place",
    "went_back": "the data set went back to an earlier state",
    "restored": "the data set was restored from a backup",
    "unattended": "no process has used the data set for a while, so it may be that of a backup",
    "new": "the data set is new",
}

_log = log.get("store")


class Orphan(msgspec.Struct, frozen=True, array_like=True):
    """Something open at a destination that belongs to no incident in Redis. ``owner`` is as in its reference."""

    destination: str
    item: operations.OpenItem
    owner: str = ""

    @property
    def name(self) -> str:
        """What it is called among the orphans."""
        return f"{self.owner}/{self.destination}/{self.item.vendor_id}"

    @property
    def id(self) -> str:
        """A short ID for people; the same whoever it belongs to."""
        what = f"{self.destination}/{self.item.vendor_id}"
        return hashlib.blake2b(what.encode(), digest_size=5).hexdigest()


@dataclass(frozen=True)
class DataSetState:
    """How the data set stands; times in microseconds, by Redis' clock.

    It is reconciled ``since`` then (0: it isn't), for a ``reason``; it was last lost at ``lost_at``. ``read`` says when
    the open items of each destination were last read, ``problems`` why they could not be. ``saved_at`` is the newest
    mark that was in the data when the loss was noticed (0: there was none): the data are hardly newer.
    """

    id: str = ""
    now: int = 0
    since: int = 0
    reason: str = ""
    lost_at: int = 0
    orphans: int = 0
    read: Mapping[str, int] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    saved_at: int = 0

    def is_unread(self, destination: str) -> bool:
        """Whether nothing may be opened at the destination yet."""
        return bool(self.since) and destination not in self.read

    def describe(self) -> str:
        """Say in one sentence how it stands."""
        orphans = f"{self.orphans} open {'item' if self.orphans == 1 else 'items'} of no known incident"
        if not self.since:
            return f"in use, {orphans}: see `incident-router orphans list`" if self.orphans else "in use"
        said = f"{_WORDS.get(self.reason, self.reason)}; before anything is opened, each destination's items are read"
        waiting = [f"{name} can't be read: {problem}" for name, problem in sorted(self.problems.items())]
        return "; ".join([said, *waiting, *([orphans] if self.orphans else [])])


def restored_at(state: DataSetState) -> int:
    """When the data were last found to be those of an earlier time (microseconds); 0 if they never were."""
    return state.lost_at if state.reason in RESTORED else 0


class DataSet:
    """The data set as one process knows it.

    ``process`` tells the process from all others. With ``reconciles_new`` a data set without a marker may have had
    one: it is reconciled, too.
    """

    def __init__(
        self,
        connection: "redis.asyncio.Redis",
        process: str,
        randomness: identity.Randomness,
        *,
        reconciles_new: bool = False,
    ) -> None:
        self._connection: Any = connection
        self._confirming = replica_acks.DurableWriter(connection)
        self._scripts = scripts.Scripts(connection)
        self._process = process
        self._randomness = randomness
        self._reconciles_new = reconciles_new
        self._id = ""
        self._mark = 0

    async def check(self) -> DataSetState:
        """Compare the data set with what this process remembers, and return how it stands; ``Unavailable``.

        What this writes is confirmed like everything else: a fail-over that loses nothing confirmed takes no mark back.
        """
        arguments = [
            self._process,
            self._id,
            self._mark,
            identity.new_id(self._randomness),
            UNATTENDED,
            int(self._reconciles_new),
        ]
        async with client.translate_errors():
            answer = await self._scripts.run_confirmed("watch", [keys.MARKER, keys.MARKS, keys.ORPHANS], arguments)
        mark, now, orphans, began, *marker = answer
        state = _state(marker, int(now), int(orphans))
        # Of two calls at the same time the later answer may be the older one.
        self._mark = int(mark) if state.id != self._id else max(self._mark, int(mark))
        self._id = state.id
        if began:
            self._report(began.decode(), state)
        return state

    def _report(self, reason: str, state: DataSetState) -> None:
        metrics.data_set_losses.labels(reason).inc()
        say = _log.info if reason in {"new", "unattended"} else _log.error
        say("data_set_reconciles", reason=reason, data_set=state.id, detail=state.describe())

    async def begin_reading(self, destination: str) -> bool:
        """Whether this process is to read the open items of the destination now: one at a time does."""
        async with client.translate_errors():
            return bool(await self._connection.set(keys.reading(destination), "", nx=True, ex=_READING_SECONDS))

    async def end_reading(
        self, destination: str, at: int, orphans: Collection[Orphan], listed: Collection[str]
    ) -> None:
        """Keep what a reading that began ``at`` has found; ``listed`` are the IDs of what may still be an orphan."""
        async with client.translate_errors():
            known = [one async for one in self.orphans() if one.destination == destination]
            gone = [one.name for one in known if one.item.vendor_id not in listed]
            names = [one.name for one in orphans]
            claimed = await self._connection.hmget(keys.CLAIMS, names) if names else []
            new = {
                one.name: msgspec.msgpack.encode(one)
                for one, claim in zip(orphans, claimed, strict=True)
                if claim is None
            }
            pipeline = self._connection.pipeline(transaction=False)
            if gone:
                pipeline.hdel(keys.ORPHANS, *gone)
            if new:
                pipeline.hset(keys.ORPHANS, mapping=new)
            pipeline.hset(keys.MARKER, f"read:{destination}", at)
            pipeline.hdel(keys.MARKER, f"problem:{destination}")
            pipeline.delete(keys.reading(destination))
            await pipeline.execute()

    async def reading_failed(self, destination: str, problem: str) -> None:
        """Say why the open items of a destination can't be read; another try is made soon."""
        async with client.translate_errors():
            await self._connection.hset(keys.MARKER, f"problem:{destination}", problem[:300])
            await self._connection.expire(keys.reading(destination), 5)

    async def finish(self, since: int) -> None:
        """End the reconciliation that began ``since`` then, unless another has begun."""
        async with client.translate_errors():
            if (held := await self._connection.hget(keys.MARKER, "since")) and int(held) == since:
                await self._connection.hset(keys.MARKER, "since", 0)

    def orphans(self, owner: str | None = None) -> AsyncIterator[Orphan]:
        """Go through the orphans: of one owner (empty: those whose owner isn't known), or all of them."""
        return orphans(self._connection, owner)

    async def has_orphans(self, owners: Collection[str]) -> bool:
        """Whether one of these owners has an orphan."""
        for owner in owners:
            async for _ in self.orphans(owner):
                return True
        return False

    async def claim(self, orphan: Orphan, incident_key: str) -> bool:
        """Whether an orphan is the incident's to adopt: two incidents that fit it don't both get it."""
        async with client.translate_errors():
            await self._connection.hsetnx(keys.CLAIMS, orphan.name, incident_key)
            await self._connection.expire(keys.CLAIMS, _CLAIM_SECONDS)
            return bool((await self._connection.hget(keys.CLAIMS, orphan.name)).decode() == incident_key)

    async def settle(self, orphan: Orphan) -> None:
        """Forget an orphan: an incident has adopted it, or it is over at the vendor."""
        await settle(self._connection, orphan)


async def orphans(connection: "redis.asyncio.Redis", owner: str | None = None) -> AsyncIterator[Orphan]:
    """Go through the orphans: of one owner (empty: those whose owner isn't known), or all of them."""
    pattern = "*" if owner is None else f"{owner}/*"
    found: Any = connection.hscan_iter(keys.ORPHANS, match=pattern, count=_SCANNED)
    async for name, packed in found:
        try:
            yield _decode(packed)
        except Undecodable as error:  # It harms no other one.
            _log.error("orphan_unreadable", orphan=name.decode(errors="replace"), reason=str(error))


async def settle(connection: "redis.asyncio.Redis", orphan: Orphan) -> None:
    """Forget an orphan, whose incident is known or which is over at the vendor."""
    held: Any = connection
    async with client.translate_errors():
        await held.hdel(keys.ORPHANS, orphan.name)


async def give(connection: "redis.asyncio.Redis", orphan: Orphan, owner: str) -> None:
    """Give an orphan another owner."""
    given = msgspec.structs.replace(orphan, owner=owner)
    async with client.translate_errors():
        pipeline: Any = connection.pipeline(transaction=False)
        pipeline.hset(keys.ORPHANS, given.name, msgspec.msgpack.encode(given))
        if given.name != orphan.name:
            pipeline.hdel(keys.ORPHANS, orphan.name)
        await pipeline.execute()


async def look(connection: "redis.asyncio.Redis", now: int) -> DataSetState:
    """How the data set stands, for people; nothing is compared or written."""
    async with client.translate_errors():
        pipeline: Any = connection.pipeline(transaction=False)
        pipeline.hgetall(keys.MARKER)
        pipeline.hlen(keys.ORPHANS)
        marker, orphans = await pipeline.execute()
    return _state([part for pair in marker.items() for part in pair], now, int(orphans))


async def mark_restored(connection: "redis.asyncio.Redis") -> None:
    """Say that the data set was just restored from a backup: the router reconciles it before it opens anything.

    For tools that restore. The router need not run: the mark is part of the data.
    """
    marker: Any = connection
    async with client.translate_errors():
        await marker.hsetnx(keys.MARKER, "id", "restored")
        await marker.hset(keys.MARKER, "restored", 1)


_decode = msgspec.msgpack.Decoder(Orphan).decode


def _state(marker: list[bytes], now: int, orphans: int) -> DataSetState:
    said = {name.decode(): value.decode() for name, value in zip(marker[::2], marker[1::2], strict=True)}
    return DataSetState(
        said.get("id", ""),
        now,
        int(said.get("since", 0)),
        said.get("reason", ""),
        int(said.get("lost_at", 0)),
        orphans,
        {name.removeprefix("read:"): int(value) for name, value in said.items() if name.startswith("read:")},
        {name.removeprefix("problem:"): value for name, value in said.items() if name.startswith("problem:")},
        int(said.get("saved_at", 0)),
    )
