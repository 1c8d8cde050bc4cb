"""Incident documents: read many, write with a version check. Also provides the alert owners."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from router.domain import identity, incidents, inhibition, timeline, timing
from router.domain.times import Timestamp
from router.store import (
    alert_owners,
    client,
    codec,
    damage,
    errors,
    incident_cache,
    incident_lists,
    keys,
)
from router.store.connection import Connection

NOT_A_HASH = b"x"  # Scripts return this instead of a version if the key has a wrong type.
_KEEPS_NONE = -1  # Stands for a time to live: the document has none and keeps none.
Call = tuple[list[str], list[Any]]
"""The keys and arguments of one script."""


class StoredIncident(NamedTuple):
    """An incident as read, its version (0: it doesn't exist), and the time by Redis' clock."""

    incident: incidents.Incident
    version: int
    read_at: Timestamp


class Change(NamedTuple):
    """An incident to write if its version is unchanged, and the timeline events of the change.

    ``wake`` makes its publications due. If ``stays`` is set, the version is compared and nothing is written.
    """

    incident: incidents.Incident
    version: int
    wake: bool
    events: Sequence[timeline.Event] = ()
    stays: bool = False


class Incidents:
    """All incidents, in shards.

    ``cached_alerts`` is the approximate number of alerts whose incidents stay decoded in a cache. Their versions are
    checked on each read.
    """

    def __init__(self, connection: Connection, *, cached_alerts: int = 0) -> None:
        self._writer = connection.writer
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._cache = incident_cache.IncidentCache(cached_alerts)
        self.owners = alert_owners.AlertOwners(connection)

    async def read(self, names: Iterable[str], problems: dict[str, str] | None = None) -> dict[str, StoredIncident]:
        """Read incidents by key. An incident that doesn't exist is returned as closed and empty, with version 0.

        Incidents that can't be decoded are omitted and added to ``problems`` with the reason. Without ``problems``
        they raise ``UnreadableDocument``.
        """
        cached = {name: self._cache.get(name) for name in names}
        if not cached:
            return {}
        stored_by_key: dict[str, StoredIncident] = {}
        shards = keys.by_shard(cached)
        async with client.translate_errors(client.command_timeout(len(cached))):
            answers = await self._scripts.run_all(
                "read_incidents", [_read_call(shard, cached, no) for no, shard in shards.items()]
            )
        for names, (time, *answer) in zip(shards.values(), answers, strict=True):
            now = Timestamp(int(time))
            for name in names:
                # The script returns only incidents that exist. All others are closed and empty.
                stored_by_key[name] = StoredIncident(incidents.Incident(key=name), 0, now)
            for number, version, data in zip(answer[::3], answer[1::3], answer[2::3], strict=True):
                name = names[number]
                try:
                    stored_by_key[name] = self._decode_or_cached(cached[name], now, (version, data))
                except errors.UnreadableDocument as error:
                    damage.report(keys.incident(name), error.problem)
                    if problems is None:
                        raise errors.UnreadableDocument(error.problem, keys.incident(name)) from error
                    problems[name] = error.problem
                    del stored_by_key[name]
        return stored_by_key

    def _decode_or_cached(
        self, seen: incident_cache.CachedIncident | None, now: Timestamp, answer: tuple[bytes, bytes | None]
    ) -> StoredIncident:
        """Decode a response, or return the cached incident if it is current. Raises ``UnreadableDocument``."""
        version, data = answer
        # Without a version, nothing can be compared at the commit, so such an incident can't be written.
        if version == NOT_A_HASH:
            raise errors.UnreadableDocument("it is not a hash")
        # The document is new to this worker, or has changed since it was cached.
        if data:
            incident, number = codec.unpack_incident(data), codec.parse_integer(version)
            self._cache.put(incident, number)
            return StoredIncident(incident, number, now)
        # Only a damaged hash has a version without a document.
        if seen is None:
            raise errors.UnreadableDocument("it has a version and no document")
        # The cached version is current, so the script sent no document.
        return StoredIncident(seen.incident, seen.version, now)

    async def commit(self, changes: Iterable[Change], unchanged: Iterable[StoredIncident] = ()) -> list[str]:
        """Write changes, one script call per shard. Return the keys that another process has changed meanwhile.

        If replicas must acknowledge writes, ``unchanged`` incidents are compared as well: a document may have been read
        from a server that is no longer the primary, or whose replicas don't have it yet.
        """
        compared = unchanged if self._writer.is_required else ()
        stays = [Change(stored.incident, stored.version, wake=False, stays=True) for stored in compared]
        versions = await self._write([*changes, *stays])
        return [name for name, version in versions.items() if version is None]

    async def write(self, change: Change) -> int:
        """Write one change. Return the new version, or 0 if another process has changed the incident meanwhile."""
        return (await self._write([change]))[change.incident.key] or 0

    async def _write(self, changes: Iterable[Change]) -> dict[str, int | None]:
        """Write changes. Return the new versions, None for incidents that another process has changed."""
        shards: dict[int, list[Change]] = {}
        for change in changes:
            shards.setdefault(keys.shard(change.incident.key), []).append(change)
        if not shards:
            return {}
        async with client.translate_errors(client.command_timeout(sum(map(len, shards.values())))):
            calls = [self._commit_call(number, of_shard) for number, of_shard in shards.items()]
            answers = await self._scripts.run_all_confirmed("commit_incidents", calls)
        new_versions: dict[str, int | None] = {}
        for of_shard, (time, *names) in zip(shards.values(), answers, strict=True):
            # A text names an incident that another process has changed. A list names a timeline that the script moved
            # aside.
            refused_names = {name.decode() for name in names if isinstance(name, bytes)}
            for timeline_key, aside in (name for name in names if isinstance(name, list)):
                todo = f"nothing; a new timeline begins, and the old one is renamed {aside.decode()} for inspection"
                damage.report(timeline_key.decode(), "it is not a stream", todo)
            now = int(time)
            for incident, before, _, _, stays in of_shard:
                name = incident.key
                if name in refused_names:
                    new_versions[name] = None
                    # The cached document is outdated. Without it, the next read fetches the current one.
                    self._cache.evict(name)
                elif stays:
                    new_versions[name] = before
                else:
                    # The script computes the same version.
                    new_versions[name] = version = max(before + 1, now)
                    self._cache.put(incident, version)
        return new_versions

    def _commit_call(self, number: int, changes: list[Change]) -> Call:
        """Return the keys and arguments of the commit of one shard."""
        arguments: list[str | int] = []
        parts: list[bytes] = []
        for change in changes:
            incident = change.incident
            packed = b"" if change.stays else codec.pack_incident(incident)
            packed_events = codec.pack_events(change.events)
            before = self._cache.get(incident.key)
            before = before if before is not None and before.version == change.version else None
            # Names and the expiry are written only if they can have changed: each costs Redis a command.
            is_renamed = before is None or before.incident.episode != incident.episode
            reference = is_renamed and _reference(incident)
            life = _life(incident)
            if before is not None and not life and not _life(before.incident):
                life = _KEEPS_NONE
            arguments += (incident.key, change.version, len(packed), life, change.wake, len(packed_events), reference)
            parts += (packed, packed_events)
        names = [keys.incidents(number), keys.timers(number), keys.mark(number), keys.names(number)]
        return names, [keys.prefix(number), codec.pack_arguments(arguments), b"".join(parts)]

    async def update(self, name: str, change: Callable[[StoredIncident], Change | None]) -> bool:
        """Apply ``change`` to one incident; read and apply it again if another process has written meanwhile.

        Return False if ``change`` returned None: nothing was written.
        """
        while True:
            stored = (await self.read([name]))[name]
            changed = change(stored)
            if changed is None:
                return False
            # A refused write means that another process has written, so decide again on its document.
            if await self.write(changed):
                return True

    async def timeline(self, name: str) -> list[timeline.Event]:
        """Return the timeline of an incident, oldest event first."""
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.hget(keys.incident(name), "e")
        pipeline.xrange(keys.timeline(name))
        async with client.translate_errors():
            newest, entries = await pipeline.execute(raise_on_error=False)
            if isinstance(entries, Exception):
                raise entries
        packed = [fields[b"e"] for _, fields in entries]
        if isinstance(newest, bytes):  # Earlier events can be shown, even if the document isn't a hash.
            packed.append(newest)
        events = [event for part in packed for event in codec.unpack_events(part)]
        # Some events are written to the stream directly, while earlier ones are in the document.
        return sorted(events, key=lambda event: event.at)

    async def names(self) -> list[str]:
        """Return the keys of all open and recent incidents, sorted.

        Documents of inhibition keys aren't incidents.
        """
        names = await incident_lists.read_names(self._scripts, keys.incidents, keys.names)
        return [name for name in names if not inhibition.is_key(name)]

    async def find(self, text: str, limit: int) -> dict[str, str]:
        """Return incidents whose key or reference begins with a text: references by incident key, sorted.

        At most ``limit`` per shard match by key, and as many by reference.
        """
        calls: list[Call] = [
            ([keys.names(number), keys.incidents(number)], [text, identity.read_reference(text), limit])
            for number in range(keys.SHARDS)
        ]
        async with client.translate_errors():
            answers = await self._scripts.run_all("find_incidents", calls)
        texts = [text.decode() for answer in answers for text in answer]
        return dict(sorted(zip(texts[::2], texts[1::2], strict=True)))


def _read_call(names: list[str], cached: Mapping[str, incident_cache.CachedIncident | None], number: int) -> Call:
    """Return the keys and arguments that read incidents of one shard."""
    pairs: list[str | int] = []
    for name in names:
        seen = cached[name]
        pairs += (name, seen.version if seen else 0)
    return [keys.incidents(number)], [keys.documents(number), codec.pack_arguments(pairs)]


def _reference(incident: incidents.Incident) -> str | bool:
    """Return the reference of the incident's episode, empty if it has none; False for other documents."""
    if inhibition.is_key(incident.key):
        return False
    return identity.reference(incident.episode) if incident.episode else ""


def _life(incident: incidents.Incident) -> int:
    """Return the milliseconds after which a document expires.

    Return 0 for never, unless the incident is closed and nothing depends on it.
    """
    # Muted alerts and heartbeats may open the incident later, also after days.
    if incident.status != "closed" or incident.muted or incident.last_heartbeat_at:
        return 0
    response = incident.response
    # The review of a retrospective post may last 6 days after the end (see `worker/desired_state.py`).
    if response is not None and any(target.retrospective for target in response.targets):
        return max(keys.RETROSPECTIVE_LIFE_MS, timing.timing_of(incident).reopen_within // 1000)
    # The document has to outlive `reopen_within`, or the incident couldn't be reopened.
    return max(keys.CLOSED_LIFE_MS, timing.timing_of(incident).reopen_within // 1000)
