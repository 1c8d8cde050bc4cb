"""Detects a lost or restored data set by a marker in Redis.

``check_data_set.lua`` defines the comparison. After a loss the data set is *reconciled*: the router opens nothing at a
destination before it has listed the destination's open items once. An item that belongs to no known incident is kept as
an orphan until it is adopted, resolved, or gone.
"""

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from router.domain import identity, operations, times
from router.domain.times import Duration, Timestamp
from router.domain.undecodable import Undecodable
from router.store import client, keys
from router.store.connection import Connection
from router.telemetry import log, metrics

Reason = Literal["", "vanished", "replaced", "went_back", "restored", "unattended", "new"]
"""Why a data set is reconciled; see ``check_data_set.lua``. ``restored``: it was restored from a backup."""

RESTORED = frozenset({"restored", "went_back", "replaced", "unattended"})
"""The reasons after which the data may be those of an earlier time."""
UNATTENDED = Duration(10 * times.MINUTE)
"""Microseconds without a mark of any process after which a data set may be that of a backup."""
_READING_SECONDS = 60
_CLAIM_SECONDS = 30 * 24 * 60 * 60
_SCANNED = 1000
_ENDED = "ended:"  # Before a process's name: its last mark, if it has ended in good order.
_WORDS: Mapping[str, str] = {
    "vanished": "the data set vanished",
    "replaced": "another data set took its place",
    "went_back": "the data set went back to an earlier state",
    "restored": "the data set was restored from a backup",
    "unattended": "no process has used the data set recently, so it may come from a backup",
    "new": "the data set is new",
}

_log = log.get("store")


class Orphan(msgspec.Struct, frozen=True, array_like=True):
    """An open item at a destination that belongs to no incident in Redis. ``owner`` is the owner in its reference."""

    destination: str
    item: operations.OpenItem
    owner: str = ""

    @property
    def name(self) -> str:
        """Return the orphan's field name in the store."""
        return f"{self.owner}/{self.destination}/{self.item.vendor_id}"

    @property
    def id(self) -> str:
        """Return a short ID for operators. It doesn't depend on the owner."""
        name = f"{self.destination}/{self.item.vendor_id}"
        return hashlib.blake2b(name.encode(), digest_size=5).hexdigest()


@dataclass(frozen=True)
class DataSetState:
    """State of the data set. Times are microseconds by Redis' clock; 0 means never.

    The data set is being reconciled ``since`` a time, for a ``reason``; it was last lost at ``lost_at``. ``read`` holds
    when the open items of each destination were last listed, ``problems`` why listing failed. ``saved_at`` is the
    newest mark in the data when the loss was detected: the data are hardly newer.
    """

    id: str = ""
    now: Timestamp = Timestamp(0)
    since: Timestamp = Timestamp(0)
    reason: str = ""
    lost_at: Timestamp = Timestamp(0)
    orphans: int = 0
    read: Mapping[str, Timestamp] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    saved_at: Timestamp = Timestamp(0)

    def is_unread(self, destination: str) -> bool:
        """Return whether the destination's open items haven't been listed yet. Nothing may be opened there before."""
        return bool(self.since) and destination not in self.read

    def describe(self) -> str:
        """Describe the state in one sentence."""
        orphans = f"{self.orphans} open {'item' if self.orphans == 1 else 'items'} of no known incident"
        if not self.since:
            return f"in use, {orphans}: see `incident-router orphans list`" if self.orphans else "in use"
        reason = f"{_WORDS.get(self.reason, self.reason)}; before anything is opened, each destination's items are read"
        waiting = [f"{name} can't be read: {problem}" for name, problem in sorted(self.problems.items())]
        return "; ".join([reason, *waiting, *([orphans] if self.orphans else [])])


def restored_at(state: DataSetState) -> Timestamp:
    """Return when the data were last found to be older than expected (microseconds); 0 for never."""
    return Timestamp(state.lost_at if state.reason in RESTORED else 0)


class DataSet:
    """The data set: its marker, the marks of processes, and the orphans."""

    def __init__(self, connection: Connection) -> None:
        self._redis: Any = connection.redis
        self._scripts = connection.scripts

    async def begin_reading(self, destination: str) -> bool:
        """Return whether this process may list the open items of the destination now. One process does at a time."""
        async with client.translate_errors():
            # The key expires, so that another process lists the items if this one is killed.
            return bool(await self._redis.set(keys.reading_turn(destination), "", nx=True, ex=_READING_SECONDS))

    async def end_reading(
        self, destination: str, at: Timestamp, orphans: Collection[Orphan], listed_ids: Collection[str]
    ) -> None:
        """Store the result of a listing that began ``at`` a time; ``listed_ids`` are the IDs that may be orphans."""
        async with client.translate_errors():
            known_orphans = [orphan async for orphan in self.orphans() if orphan.destination == destination]
            gone_names = [orphan.name for orphan in known_orphans if orphan.item.vendor_id not in listed_ids]
            names = [orphan.name for orphan in orphans]
            claimed = await self._redis.hmget(keys.CLAIMS, names) if names else []
            # An item that an incident has claimed since is no orphan any longer, although the vendor still lists it.
            new = {
                orphan.name: msgspec.msgpack.encode(orphan)
                for orphan, claim in zip(orphans, claimed, strict=True)
                if claim is None
            }
            if gone_names:
                await self._redis.hdel(keys.ORPHANS, *gone_names)
            if new:
                await self._redis.hset(keys.ORPHANS, mapping=new)
            # Record the listing after the orphans: workers open incidents there from here on, and need to know them.
            await self._redis.hset(keys.MARKER, f"read:{destination}", at)
            await self._redis.hdel(keys.MARKER, f"problem:{destination}")
            await self._redis.delete(keys.reading_turn(destination))

    async def record_reading_failure(self, destination: str, problem: str) -> None:
        """Record why the open items of a destination can't be listed. The worker retries soon."""
        async with client.translate_errors():
            await self._redis.hset(keys.MARKER, f"problem:{destination}", problem[:300])
            # The turn stays taken for 5 seconds, so that workers don't call a failing vendor in a loop.
            await self._redis.expire(keys.reading_turn(destination), 5)

    async def finish(self, since: Timestamp) -> None:
        """End the reconciliation that began at ``since``, unless another one has begun."""
        async with client.translate_errors():
            # In one script: a reconciliation that begins in between must not be ended, or incidents could open twice.
            await self._scripts.run("end_reconciliation", [keys.MARKER], [since])

    async def has_orphans(self, owners: Collection[str]) -> bool:
        """Return whether one of these owners has an orphan."""
        for owner in owners:
            async for _ in self.orphans(owner):
                return True
        return False

    async def claim(self, orphan: Orphan, incident_key: str) -> bool:
        """Return whether the incident may adopt the orphan. Of two incidents that match, only one may."""
        async with client.translate_errors():
            # HSETNX lets only one incident win. Reading the winner back lets it claim the orphan again after a crash.
            await self._redis.hsetnx(keys.CLAIMS, orphan.name, incident_key)
            await self._redis.expire(keys.CLAIMS, _CLAIM_SECONDS)
            return bool((await self._redis.hget(keys.CLAIMS, orphan.name)).decode() == incident_key)

    async def orphans(self, owner: str | None = None) -> AsyncIterator[Orphan]:
        """Iterate over the orphans of one owner (empty: of unknown owners), or over all orphans."""
        pattern = "*" if owner is None else f"{owner}/*"
        pairs: Any = self._redis.hscan_iter(keys.ORPHANS, match=pattern, count=_SCANNED)
        async for name, packed in pairs:
            try:
                yield _decode(packed)
            except Undecodable as error:  # An unreadable orphan doesn't affect the others.
                _log.error("orphan_unreadable", orphan=name.decode(errors="replace"), reason=str(error))

    async def remove_orphan(self, orphan: Orphan) -> None:
        """Delete an orphan whose incident is known or that has ended at the vendor."""
        async with client.translate_errors():
            await self._redis.hdel(keys.ORPHANS, orphan.name)

    async def change_owner(self, orphan: Orphan, owner: str) -> None:
        """Change the owner of an orphan."""
        changed_orphan = msgspec.structs.replace(orphan, owner=owner)
        async with client.translate_errors():
            # Write first, then delete: a crash in between leaves two entries of one item, not none.
            await self._redis.hset(keys.ORPHANS, changed_orphan.name, msgspec.msgpack.encode(changed_orphan))
            if changed_orphan.name != orphan.name:
                await self._redis.hdel(keys.ORPHANS, orphan.name)

    async def read_state(self, now: Timestamp) -> DataSetState:
        """Return the state of the data set for display, without comparing or writing anything."""
        async with client.translate_errors():
            pipeline: Any = self._redis.pipeline(transaction=False)
            pipeline.hgetall(keys.MARKER)
            pipeline.hlen(keys.ORPHANS)
            marker, orphans = await pipeline.execute()
        return _state([part for pair in marker.items() for part in pair], now, int(orphans))

    async def marks(self) -> dict[str, Timestamp]:
        """Return when each process that hasn't ended in good order last used the data set.

        Times are microseconds by Redis' clock.
        """
        async with client.translate_errors():
            timestamps = {
                name.decode(): Timestamp(int(mark)) for name, mark in (await self._redis.hgetall(keys.MARKS)).items()
            }
        # A process that has started again under its name has a mark that is newer than its recorded end.
        return {
            name: mark
            for name, mark in timestamps.items()
            if not name.startswith(_ENDED) and mark > timestamps.get(f"{_ENDED}{name}", 0)
        }

    async def mark_restored(self) -> None:
        """Mark the data set as restored from a backup, so that the router reconciles it before it opens anything.

        For restore tools. The router need not run: the mark is part of the data.
        """
        async with client.translate_errors():
            # check_data_set.lua looks for the mark only if the data set has an ID, and a backup contains none.
            await self._redis.hsetnx(keys.MARKER, "id", "restored")
            await self._redis.hset(keys.MARKER, "restored", 1)


class WatchedDataSet(DataSet):
    """The data set as one process sees it.

    ``process`` identifies the process. If ``reconciles_new`` is set, a data set without a marker is reconciled as well,
    because it may have had one.
    """

    def __init__(
        self, connection: Connection, process: str, randomness: identity.Randomness, *, reconciles_new: bool = False
    ) -> None:
        super().__init__(connection)
        self._scripts = connection.scripts
        self._process = process
        self._randomness = randomness
        self._reconciles_new = reconciles_new
        self._id = ""
        self._mark = 0

    async def check(self) -> DataSetState:
        """Compare the data set with what this process remembers, and return its state. Raises ``Unavailable``.

        Writes wait for replica acknowledgements, so a failover that loses no acknowledged write doesn't reset the
        marker.
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
            answer = await self._scripts.run_confirmed(
                "check_data_set", [keys.MARKER, keys.MARKS, keys.ORPHANS], arguments
            )
        mark, now, orphans, began, *marker = answer
        state = _state(marker, Timestamp(int(now)), int(orphans))
        # The response that arrives later may be the older one.
        self._mark = int(mark) if state.id != self._id else max(self._mark, int(mark))
        self._id = state.id
        if began:
            self._report(began.decode(), state)
        return state

    async def leave(self) -> None:
        """Note that this process no longer uses the data set; ``Unavailable``.

        The process's own mark stays: a comparison that is still under way would take its absence for a loss.
        """
        async with client.translate_errors():
            await self._redis.hset(keys.MARKS, f"{_ENDED}{self._process}", self._mark)

    def _report(self, reason: str, state: DataSetState) -> None:
        metrics.data_set_losses.labels(reason).inc()
        # A new data set, or one that no process has used for a while, is normal at a start. All other reasons are
        # losses.
        say = _log.info if reason in {"new", "unattended"} else _log.error
        say("data_set_reconciles", reason=reason, data_set=state.id, detail=state.describe())


_decode = msgspec.msgpack.Decoder(Orphan).decode


def _state(marker: list[bytes], now: Timestamp, orphans: int) -> DataSetState:
    fields = {name.decode(): value.decode() for name, value in zip(marker[::2], marker[1::2], strict=True)}
    return DataSetState(
        fields.get("id", ""),
        now,
        Timestamp(int(fields.get("since", 0))),
        fields.get("reason", ""),
        Timestamp(int(fields.get("lost_at", 0))),
        orphans,
        {
            name.removeprefix("read:"): Timestamp(int(value))
            for name, value in fields.items()
            if name.startswith("read:")
        },
        {name.removeprefix("problem:"): value for name, value in fields.items() if name.startswith("problem:")},
        Timestamp(int(fields.get("saved_at", 0))),
    )
