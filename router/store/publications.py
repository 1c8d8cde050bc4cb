"""Publications of incidents, read and written only under the incident's lease and fenced by its number."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from redis import exceptions

from router.domain import incidents, publications, timeline, times
from router.domain.times import Duration, Timestamp
from router.store import client, codec, damage, errors, incident_lists, keys
from router.store.connection import Connection
from router.telemetry import log, metrics

_AT_ONCE = 500  # Incidents per round trip when all publications are read.
_SET_BACK = Duration(2 * times.SECOND)  # The time by which the calls of two workers may overtake each other.
_MAX_WOKEN_INCIDENTS = 1000  # Incidents per script call. The server handles no other client during the call.
_log = log.get("store")


class Lease(NamedTuple):
    """A leased incident with its publications. Times are microseconds by Redis' clock.

    ``rechecks`` holds the time of the latest request to observe the publications at a destination, by destination.
    ``announced`` is what was announced of the incident to notifiers, encoded.
    """

    key: str
    fence: int
    version: int
    incident: incidents.Incident
    publications: list[publications.Publication]
    claimed_at: Timestamp
    rechecks: Mapping[str, Timestamp] = {}
    announced: bytes = b""


class LeaseLostError(Exception):
    """Another worker has leased this incident. Whatever is left to do is that worker's."""


class Swept(NamedTuple):
    """One page of a sweep: whether more may follow, and the incidents that have no timer.

    ``untimed`` maps each incident that lost its timer to whether it is unfinished at a vendor. ``resting`` are the
    incidents that have no timer on purpose, because they wait for an operator or are in sync.
    """

    more: bool
    untimed: Mapping[str, bool]
    resting: Sequence[str] = ()


_RESTS = 2
_DAMAGED = 2  # Length of a script's response that names a damaged document.


def _decode_or_report(name: str, packed: Any) -> list[publications.Publication]:
    """Decode the publications of an incident. If they can't be decoded, log it and return none."""
    if isinstance(packed, exceptions.ResponseError) and "WRONGTYPE" in str(packed):
        damage.report(keys.publications(name), "it is not a hash")
        return []
    # Other errors are those of the server, not of this document, so the whole read fails.
    if isinstance(packed, Exception):
        raise packed
    try:
        return codec.unpack_publications(packed or b"")
    except errors.UnreadableDocument as error:
        damage.report(keys.publications(name), str(error))
        return []


def _is_text(member: bytes) -> bool:
    try:
        member.decode()
    except UnicodeDecodeError:
        return False
    return True


def _lease(now: Timestamp, answer: Sequence[Any]) -> Lease | None:
    """Decode a claimed incident. If it can't be decoded, return None; it becomes due again when its lease ends."""
    member, fence, version, incident, packed, rechecks, announced = answer
    name = member.decode(errors="replace")
    if not _is_text(member):
        damage.report(
            keys.timers(keys.shard(name)), f"its member {member!r} is not an incident key", "nothing; it is removed"
        )
        return None
    # The key of the document that is being decoded, for the report if that fails.
    key = keys.incident(name)
    try:
        leased = codec.unpack_incident(incident) if incident else incidents.Incident(key=name)
        at_version = codec.parse_integer(version)
        key = keys.publications(name)
        documents = codec.unpack_publications(packed)
        timestamps = {
            name.decode(): Timestamp(codec.parse_integer(at))
            for name, at in zip(rechecks[::2], rechecks[1::2], strict=True)
        }
    except (errors.UnreadableDocument, UnicodeDecodeError) as error:
        damage.report(key, str(error))
        return None
    return Lease(name, int(fence), at_version, leased, documents, now, timestamps, announced)


class Publications:
    """The publications of all incidents, in shards."""

    def __init__(self, connection: Connection, *, lease_seconds: float) -> None:
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._lease = times.from_seconds(lease_seconds)
        self._seen_at: dict[int, Timestamp] = {}

    async def claim(self, shard: int, count: int) -> list[Lease]:
        """Take the leases of due incidents of the shard.

        Raises ``Unavailable`` if too few replicas acknowledge: after a failover, another worker would get the same
        numbers.
        """
        names = [keys.timers(shard), keys.published_incidents(shard)]
        async with client.translate_errors():
            arguments = [keys.prefix(shard), self._lease, count, self._seen_at.get(shard, 0)]
            now, *members = await self._scripts.run_confirmed("claim_leases", names, arguments)
        self._note_time(shard, Timestamp(int(now)))
        leases = []
        for member in members:
            # The script doesn't lease an incident with a damaged document. It reports the key again after each lease
            # time.
            if len(member) == _DAMAGED:
                damage.report(member[0].decode(errors="replace"), f"it is a {member[1].decode()}, not a hash")
            elif lease := _lease(Timestamp(int(now)), member):
                leases.append(lease)
            # No incident has such a key, so the member would be claimed again after each lease.
            elif not _is_text(member[0]):
                async with client.translate_errors():
                    await self._redis.zrem(keys.timers(shard), member[0])
                    await self._redis.zrem(keys.published_incidents(shard), member[0])
        return leases

    def _note_time(self, shard: int, now: Timestamp) -> None:
        """Remember the server's time. If its clock was set back, the script made all incidents due; log that."""
        set_back = self._seen_at.get(shard, 0) - now
        self._seen_at[shard] = now
        if set_back > _SET_BACK:
            metrics.redis_clock_set_back.inc()
            _log.warning("redis_clock_set_back", shard=shard, seconds=times.to_seconds(set_back))

    async def look(self, name: str) -> list[publications.Publication]:
        """Return the publications of an incident without its lease, for display only.

        Raises ``UnreadableDocument``, which names the key.
        """
        try:
            async with client.translate_errors():
                answer: Any = self._redis.hget(keys.publications(name), "d")
                packed = await answer
            return codec.unpack_publications(packed or b"")
        except errors.WrongType as error:
            raise errors.UnreadableDocument("it is not a hash", keys.publications(name)) from error
        except errors.UnreadableDocument as error:
            raise errors.UnreadableDocument(error.problem, keys.publications(name)) from error

    async def look_at_all(self, names: Sequence[str]) -> list[list[publications.Publication]]:
        """Return the publications of many incidents without their leases.

        Those that can't be decoded are logged and left out.
        """
        async with client.translate_errors():
            pipeline = self._redis.pipeline(transaction=False)
            for name in names:
                pipeline.hget(keys.publications(name), "d")
            answers = await pipeline.execute(raise_on_error=False)
            return [_decode_or_report(name, packed) for name, packed in zip(names, answers, strict=True)]

    async def vendor_ids(self, destinations: Collection[str]) -> set[str]:
        """Return the vendor's IDs of all publications at these destinations. Reads every publication."""
        vendor_ids: set[str] = set()
        async for _, documents in self.each():
            vendor_ids |= {
                document.vendor_id
                for document in documents
                if document.destination in destinations and document.vendor_id
            }
        return vendor_ids

    async def each(self) -> AsyncIterator[tuple[str, list[publications.Publication]]]:
        """Yield the publications of every incident in batches. Those that can't be decoded are logged and left out."""
        names = await self.names()
        for first in range(0, len(names), _AT_ONCE):
            batch = names[first : first + _AT_ONCE]
            for name, documents in zip(batch, await self.look_at_all(batch), strict=True):
                yield name, documents

    async def names(self) -> list[str]:
        """Return the keys of all incidents that have publications, sorted."""
        return await incident_lists.read_names(self._scripts, keys.published_incidents)

    async def record(
        self, lease: Lease, documents: list[publications.Publication], events: Sequence[timeline.Event] = ()
    ) -> bool:
        """Write publications and timeline events, and extend the lease. Return False if the lease is lost.

        Raises ``Unavailable`` also if too few replicas acknowledge: a vendor call whose intent is lost in a failover
        would be unknown.
        """
        names = [keys.publications(lease.key), keys.timers(keys.shard(lease.key)), keys.timeline(lease.key)]
        packed, packed_events = codec.pack_publications(documents), codec.pack_events(events)
        arguments = [lease.fence, packed, self._lease, lease.key, packed_events]
        async with client.translate_errors():
            return bool(await self._scripts.run_confirmed("record_publications", names, arguments))

    async def sweep(self, shard: int, first: int, count: int, *, with_resting: bool = False) -> Swept:
        """Sweep one page of a shard's indexes, from the member at position ``first`` on; see ``sweep.lua``."""
        names = [keys.incidents(shard), keys.published_incidents(shard), keys.timers(shard), keys.names(shard)]
        async with client.translate_errors():
            arguments = [keys.prefix(shard), first, count, int(with_resting)]
            more, *members = await self._scripts.run("sweep", names, arguments)
        states = {member.decode(): state for member, state in members if _is_text(member)}
        resting = [name for name, state in states.items() if state == _RESTS]
        return Swept(bool(more), {name: bool(state) for name, state in states.items() if state != _RESTS}, resting)

    async def repair_keys(self) -> None:
        """Move aside the singleton keys that have a wrong type."""
        async with client.translate_errors():
            await damage.repair(self._redis, keys.TYPES)

    async def wake_all(self) -> int:
        """Make every incident that has publications due now. Return their number."""
        names = await self.names()
        await self.wake(names)
        return len(names)

    async def wake(self, names: Sequence[str]) -> None:
        """Make these incidents due now, or as soon as their current lease ends."""
        calls: list[tuple[list[str], list[Any]]] = [
            ([keys.timers(shard)], [keys.prefix(shard), *names_of_shard[first : first + _MAX_WOKEN_INCIDENTS]])
            for shard, names_of_shard in keys.by_shard(names).items()
            for first in range(0, len(names_of_shard), _MAX_WOKEN_INCIDENTS)
        ]
        if calls:
            async with client.translate_errors():
                await self._scripts.run_all_confirmed("wake_incidents", calls)

    async def release(self, lease: Lease, *, due: int, finished: bool) -> bool:
        """Release the lease. The incident is due at ``due`` (0: when it changes). Return whether it is due already."""
        names = [
            keys.incident(lease.key),
            keys.publications(lease.key),
            keys.timers(keys.shard(lease.key)),
            keys.published_incidents(keys.shard(lease.key)),
        ]
        life = keys.CLOSED_LIFE_MS if finished else 0
        async with client.translate_errors():
            answer = await self._scripts.run("release_lease", names, [lease.fence, lease.version, due, lease.key, life])
        return bool(answer == 2)
