"""A snapshot of all incidents and publications for lists, counts, and live pages.

It is separate from alert processing and writes nothing. Unchanged documents aren't decoded again, and all readers
within one second get the same snapshot.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from router.domain import inhibition, publications, times
from router.domain.times import Timestamp
from router.store import client, codec, damage, errors, incidents, keys
from router.store.connection import Connection
from router.store.incidents import Incidents
from router.store.publications import Publications

_SNAPSHOT_INTERVAL = times.SECOND
_LEFTOVERS_INTERVAL = times.MINUTE


class Snapshot(NamedTuple):
    """All incidents and publications by incident key. Publications may outlive their incident.

    ``unreadable`` maps incidents whose documents can't be decoded to the reason.
    """

    incidents: Mapping[str, incidents.StoredIncident]
    publications: Mapping[str, list[publications.Publication]]
    unreadable: Mapping[str, str] = {}


class _CachedIncident(NamedTuple):
    """A decoded incident, its publications, and the bytes that they were decoded from."""

    stored: incidents.StoredIncident | None
    packed: bytes
    publications: list[publications.Publication]
    problem: str = ""


class SnapshotCache:
    """Reads a snapshot at most once a second. ``clock`` returns microseconds."""

    def __init__(
        self,
        connection: Connection,
        incidents: Incidents,
        publications: Publications,
        clock: Callable[[], Timestamp],
    ) -> None:
        self._scripts = connection.scripts
        self._incidents = incidents
        self._publications = publications
        self._clock = clock
        self._reading = asyncio.Lock()
        self._cached: dict[str, _CachedIncident] = {}
        self._snapshot = Snapshot({}, {})
        self._snapshot_at = 0
        self._invalidations = 0
        self._leftover_names: set[str] = set()
        self._leftovers_read_at = 0

    async def get(self) -> Snapshot:
        """Return a snapshot that is at most one second old. Damaged documents are logged."""
        # Concurrent readers wait for one read and share its result.
        async with self._reading:
            now = self._clock()
            if now - self._snapshot_at > _SNAPSHOT_INTERVAL:
                # An action during the read may be missing from its result, so that snapshot isn't reused.
                invalidations = self._invalidations
                self._snapshot = await self._read(await self._names(now))
                self._snapshot_at = now if invalidations == self._invalidations else 0
            return self._snapshot

    def invalidate(self) -> None:
        """Read a new snapshot on the next call, so that an operator sees the effect of an action."""
        self._invalidations += 1
        self._snapshot_at = 0

    async def _names(self, now: Timestamp) -> list[str]:
        """Return the keys of all incidents, and of incidents of which only publications remain."""
        names = set(await self._incidents.names())
        # Few publications outlive their incident, so the second index is read only once a minute.
        if now - self._leftovers_read_at > _LEFTOVERS_INTERVAL:
            self._leftover_names = {name for name in await self._publications.names() if not inhibition.is_key(name)}
            self._leftovers_read_at = now
        return sorted(names | self._leftover_names)

    async def _read(self, names: list[str]) -> Snapshot:
        shards = keys.by_shard(names).values()
        calls = [self._call(of_shard) for of_shard in shards]
        async with client.translate_errors():
            answers = await self._scripts.run_all("read_snapshot", calls) if calls else []
        fresh: dict[str, _CachedIncident] = {}
        for of_shard, answer in zip(shards, answers, strict=True):
            rows = zip(of_shard, answer[1::3], answer[2::3], answer[3::3], strict=True)
            for name, version, data, packed in rows:
                fresh[name] = self._decode(name, Timestamp(int(answer[0])), (version, data, packed))
        # Incidents that have expired leave the cache with this assignment.
        self._cached = fresh
        cached_incidents = {name: fresh[name] for name in names}
        return Snapshot(
            {name: cached.stored for name, cached in cached_incidents.items() if cached.stored is not None},
            {name: cached.publications for name, cached in cached_incidents.items() if cached.publications},
            {name: cached.problem for name, cached in cached_incidents.items() if cached.problem},
        )

    def _call(self, names: list[str]) -> tuple[list[str], list[Any]]:
        key_names = [key for name in names for key in (keys.incident(name), keys.publications(name))]
        return key_names, [self._version(name) for name in names]

    def _version(self, name: str) -> int:
        cached = self._cached.get(name)
        return cached.stored.version if cached is not None and cached.stored is not None else 0

    def _decode(self, name: str, now: Timestamp, answers: tuple[Any, Any, Any]) -> _CachedIncident:
        version, data, packed = answers
        cached = self._cached.get(name, _ABSENT)
        stored, documents, problem = cached.stored, cached.publications, ""
        # The key has a wrong type: show the problem instead of the last readable document.
        if version == incidents.NOT_A_HASH:
            stored, problem = None, damage.report_and_describe(keys.incident(name), "it is not a hash")
        # The document is new or has changed.
        elif data:
            try:
                stored = incidents.StoredIncident(codec.unpack_incident(data), codec.parse_integer(version), now)
            except errors.UnreadableDocument as error:
                stored, problem = None, damage.report_and_describe(keys.incident(name), error.problem)
        # The script sends no document of an unchanged incident. No version means that the incident has expired.
        elif stored is not None:
            stored = stored._replace(read_at=now) if version else None
        # Publications have no version, so they are sent each time, and decoded only if their bytes have changed.
        if packed == incidents.NOT_A_HASH:
            documents, packed = [], b""
            problem = damage.report_and_describe(keys.publications(name), "it is not a hash")
        elif (packed or b"") != cached.packed:
            try:
                documents = codec.unpack_publications(packed or b"")
            except errors.UnreadableDocument as error:
                documents, packed = [], b""
                problem = damage.report_and_describe(keys.publications(name), error.problem)
        return _CachedIncident(stored, packed or b"", documents, problem)


_ABSENT = _CachedIncident(None, b"", [])
