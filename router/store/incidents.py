"""The incidents' documents: read many, write those whose versions are still as read; and the alerts' homes."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import redis.asyncio

from router.domain import incident as incidents
from router.domain import timeline, timing
from router.store import client, codec, keys, scripts

Call = tuple[list[str], list[Any]]
"""The keys and arguments of one script."""


class Held(NamedTuple):
    """An incident as read, the version that it was read at (0: there was none), and when, by Redis' clock."""

    incident: incidents.Incident
    version: int
    read_at: int


class Change(NamedTuple):
    """An incident to write over the version it was read at, and what is told of the change.

    ``wake`` asks for its publications to be looked at.
    """

    incident: incidents.Incident
    version: int
    wake: bool
    events: Sequence[timeline.Event] = ()


class Incidents:
    """All incidents, in shards."""

    def __init__(self, connection: "redis.asyncio.Redis") -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)

    async def read(self, names: Iterable[str]) -> dict[str, Held]:
        """Read the incidents of these keys; one that does not exist yet is a closed, empty one of version 0."""
        wanted = list(names)
        if not wanted:
            return {}
        found: dict[str, Held] = {}
        shards = _by_shard(wanted)
        async with client.failures():
            calls: list[Call] = [([keys.incident(name) for name in names], []) for names in shards]
            answers = await self._scripts.run_all("read", calls)
        for names, answer in zip(shards, answers, strict=True):
            now = int(answer[0])
            for name, version, data in zip(names, answer[1::2], answer[2::2], strict=True):
                known = codec.unpack_incident(data) if data else incidents.Incident(key=name)
                found[name] = Held(known, int(version) if data else 0, now)
        return found

    async def commit(self, changes: Iterable[Change]) -> list[str]:
        """Write the changes, one script a shard; return the keys that somebody else had changed meanwhile."""
        shards: dict[int, list[Change]] = {}
        for change in changes:
            shards.setdefault(keys.shard(change.incident.key), []).append(change)
        calls = [_commit_call(number, of_shard) for number, of_shard in shards.items()]
        async with client.failures():
            answers = await self._scripts.run_all("commit", calls) if calls else []
        return [
            of_shard[int(position)].incident.key
            for of_shard, positions in zip(shards.values(), answers, strict=True)
            for position in positions
        ]

    async def change(self, name: str, make: Callable[[Held], Change | None]) -> bool:
        """Change one incident as ``make`` says, again and again until nobody else was first.

        False where there is nothing to change (any more): ``make`` has answered None.
        """
        while True:
            held = (await self.read([name]))[name]
            change = make(held)
            if change is None:
                return False
            if not await self.commit([change]):
                return True

    async def timeline(self, name: str) -> list[timeline.Event]:
        """What has happened to an incident, the oldest first."""
        async with client.failures():
            entries: Any = await self._connection.xrange(keys.timeline(name))
        return [event for _, fields in entries for event in codec.unpack_events(fields[b"e"])]

    async def names(self) -> list[str]:
        """The keys of all incidents there are, in order: those that are open and those that were lately."""
        async with client.failures():
            found = [key.decode() async for key in self._connection.scan_iter(keys.incidents_of_all(), count=1000)]
        return sorted(keys.incident_key(name) for name in found)

    async def homes(self, decided: Mapping[str, str]) -> dict[str, str]:
        """Which incident holds each alert, for those alerts that have been seen lately.

        ``decided`` maps alerts to the incidents that were decided for them: an alert that has no home yet gets that
        one, unless it is empty. Of two workers that ask at once, one finds what the other has set.
        """
        found: dict[str, str] = {}
        shards = _by_shard(decided)
        calls: list[Call] = [
            ([keys.home(one) for one in names], [keys.HOME_LIFE_MS, *(decided[one] for one in names)])
            for names in shards
        ]
        async with client.failures():
            answers = await self._scripts.run_all("homes", calls) if calls else []
        for names, answer in zip(shards, answers, strict=True):
            found |= {identity: home.decode() for identity, home in zip(names, answer, strict=True) if home}
        return found

    async def settle(self, homes: Mapping[str, str]) -> None:
        """Give alerts another home than they had: the few that fire anew under changed rules."""
        if not homes:
            return
        async with client.failures():
            pipeline = self._connection.pipeline(transaction=False)
            for identity, name in homes.items():
                pipeline.set(keys.home(identity), name, px=keys.HOME_LIFE_MS)
            await pipeline.execute()


def _commit_call(number: int, changes: list[Change]) -> Call:
    """The keys and arguments of a shard's commit."""
    names = [keys.timers(number)]
    arguments: list[str | bytes | int] = []
    for change in changes:
        incident = change.incident
        names += (keys.incident(incident.key), keys.timeline(incident.key))
        packed, told = codec.pack_incident(incident), codec.pack_events(change.events)
        arguments += (incident.key, change.version, packed, _life(incident), int(change.wake), told)
    return names, arguments


def _life(incident: incidents.Incident) -> int:
    """Milliseconds that a document lives: for ever, but for a closed incident that nothing follows any more."""
    if incident.status != "closed" or incident.muted or incident.beat_at:
        return 0
    return max(keys.CLOSED_LIFE_MS, timing.of(incident).reopen_within // 1000)


def _by_shard(names: Iterable[str]) -> list[list[str]]:
    """Names grouped by the shard that they belong to."""
    shards: dict[int, list[str]] = {}
    for name in names:
        shards.setdefault(keys.shard(name), []).append(name)
    return list(shards.values())
