"""The publications of an incident: read and written only under its lease, fenced by the lease's number."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import redis.asyncio

from router.domain import incident as incidents
from router.domain import publication as publications
from router.domain import timeline
from router.store import client, codec, errors, keys, listing, scripts
from router.telemetry import log, metrics

_SET_BACK = 2_000_000  # Microseconds; two workers' calls may overtake each other by less.
_MOST_WOKEN = 1000  # Incidents by one script: meanwhile the server answers nobody else.
_log = log.get("store")


class Lease(NamedTuple):
    """An incident that is ours to reconcile for a while. Times are Redis' own, in microseconds.

    ``rechecks`` are the times of the last requests to look at the publications at a destination, by destination.
    """

    key: str
    fence: int
    version: int
    incident: incidents.Incident
    publications: list[publications.Publication]
    claimed_at: int
    rechecks: Mapping[str, int] = {}


class Publications:
    """The publications of all incidents, in shards."""

    def __init__(self, connection: "redis.asyncio.Redis", *, lease_seconds: float) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self._lease = int(lease_seconds * 1_000_000)
        self._seen_at: dict[int, int] = {}

    async def claim(self, shard: int, most: int) -> list[Lease]:
        """Take the leases of incidents of the shard that want attention now.

        ``Unavailable`` where too few servers know of them: after a fail-over others would get the same numbers.
        """
        names = [keys.timers(shard), keys.published(shard)]
        async with client.failures():
            arguments = [keys.prefix(shard), self._lease, most, self._seen_at.get(shard, 0)]
            now, *found = await self._scripts.run_confirmed("claim", names, arguments)
        self._note_time(shard, int(now))
        leases = []
        for member, fence, version, incident, packed, rechecks in found:
            key = member.decode()
            try:
                held = codec.unpack_incident(incident) if incident else incidents.Incident(key=key)
                documents = codec.unpack_publications(packed)
            except errors.Unreadable as error:
                # It keeps its lease and comes up again after it: seen for as long as it is there, in nobody's way.
                _log.error("documents_unreadable", incident=key, reason=str(error))
                continue
            asked = {name.decode(): int(at) for name, at in zip(rechecks[::2], rechecks[1::2], strict=True)}
            leases.append(Lease(key, int(fence), int(version), held, documents, int(now), asked))
        return leases

    def _note_time(self, shard: int, now: int) -> None:
        """Remember the server's time. If it went back, the script has all incidents looked at, and this says so."""
        back = self._seen_at.get(shard, 0) - now
        self._seen_at[shard] = now
        if back > _SET_BACK:
            metrics.redis_clock_set_back.inc()
            _log.warning("redis_clock_set_back", shard=shard, seconds=back / 1_000_000)

    async def look(self, name: str) -> list[publications.Publication]:
        """What is known of an incident's publications, without a lease: for people, not for acting on."""
        async with client.failures():
            answer: Any = self._connection.hget(keys.publications(name), "d")
            packed = await answer
        return codec.unpack_publications(packed or b"")

    async def look_at_all(self, names: Sequence[str]) -> list[list[publications.Publication]]:
        """The same of many incidents at once."""
        async with client.failures():
            pipeline = self._connection.pipeline(transaction=False)
            for name in names:
                pipeline.hget(keys.publications(name), "d")
            found = await pipeline.execute()
        return [codec.unpack_publications(packed or b"") for packed in found]

    async def names(self) -> list[str]:
        """The keys of all incidents that have publications, in order."""
        return await listing.names(self._scripts, keys.published)

    async def record(
        self, lease: Lease, documents: list[publications.Publication], events: Sequence[timeline.Event] = ()
    ) -> bool:
        """Write the publications and what is told of them, prolong the lease; False where it is no longer ours.

        ``Unavailable`` where too few servers have it, too: of a call whose intent is
        forgotten in a fail-over nobody knew any more.
        """
        names = [keys.publications(lease.key), keys.timers(keys.shard(lease.key)), keys.timeline(lease.key)]
        packed, told = codec.pack_publications(documents), codec.pack_events(events)
        arguments = [lease.fence, packed, self._lease, lease.key, told]
        async with client.failures():
            return bool(await self._scripts.run_confirmed("record", names, arguments))

    async def wake_all(self) -> int:
        """Have every incident that has publications looked at now; returns how many there are."""
        names = await self.names()
        await self.wake(names)
        return len(names)

    async def wake(self, names: Sequence[str]) -> None:
        """Have these incidents looked at now, those that somebody has leased again after that."""
        calls: list[tuple[list[str], list[Any]]] = [
            ([keys.timers(shard)], [keys.prefix(shard), *of[first : first + _MOST_WOKEN]])
            for shard, of in keys.by_shard(names).items()
            for first in range(0, len(of), _MOST_WOKEN)
        ]
        if calls:
            async with client.failures():
                await self._scripts.run_all_confirmed("wake", calls)

    async def release(self, lease: Lease, *, due: int, finished: bool) -> bool:
        """Give the lease back; the incident is due again at ``due`` (0: when it changes). True: due at once."""
        names = [
            keys.incident(lease.key),
            keys.publications(lease.key),
            keys.timers(keys.shard(lease.key)),
            keys.published(keys.shard(lease.key)),
        ]
        life = keys.CLOSED_LIFE_MS if finished else 0
        async with client.failures():
            answer = await self._scripts.run("release", names, [lease.fence, lease.version, due, lease.key, life])
        return bool(answer == 2)
