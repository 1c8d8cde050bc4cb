"""The incidents' documents: read many, write those whose versions are still as read; and the alerts' homes."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec
import redis.asyncio

from router.domain import incident as incidents
from router.domain import timing
from router.store import client, codec, keys, scripts


class Held(NamedTuple):
    """An incident as read, the version that it was read at (0: there was none), and when, by Redis' clock."""

    incident: incidents.Incident
    version: int
    read_at: int


class Change(NamedTuple):
    """An incident to write over the version it was read at. ``wake`` asks for its publications to be looked at."""

    incident: incidents.Incident
    version: int
    wake: bool


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
        async with client.failures():
            for names in _by_shard(wanted):
                answer = await self._scripts.run("read", [keys.incident(name) for name in names], [])
                now = int(answer[0])
                for name, version, data in zip(names, answer[1::2], answer[2::2], strict=True):
                    found[name] = (
                        Held(codec.unpack_incident(data), int(version), now)
                        if data
                        else Held(incidents.Incident(key=name), 0, now)
                    )
        return found

    async def commit(self, changes: Iterable[Change]) -> list[str]:
        """Write the changes, one script a shard; return the keys that somebody else had changed meanwhile."""
        shards: dict[int, list[Change]] = {}
        for change in changes:
            shards.setdefault(keys.shard(change.incident.key), []).append(change)
        lost: list[str] = []
        async with client.failures():
            for number, of_shard in shards.items():
                positions = await self._commit_shard(number, of_shard)
                lost.extend(of_shard[position].incident.key for position in positions)
        return lost

    async def _commit_shard(self, number: int, changes: list[Change]) -> list[int]:
        names = [keys.timers(number)]
        arguments: list[str | bytes | int] = []
        for change in changes:
            incident = change.incident
            names.append(keys.incident(incident.key))
            life = _life(incident)
            packed = codec.pack_incident(incident)
            arguments += (incident.key, change.version, packed, life, int(change.wake))
        return [int(position) for position in await self._scripts.run("commit", names, arguments)]

    async def approve(self, name: str, episode: str, destination: str, who: str) -> bool:
        """Let an episode be shown at a destination; False where another episode is open now, or none."""
        while True:
            held = (await self.read([name]))[name]
            if held.incident.status != "open" or held.incident.episode != episode:
                return False
            approvals = {**held.incident.approvals, destination: who}
            approved = msgspec.structs.replace(held.incident, approvals=approvals)
            if not await self.commit([Change(approved, held.version, True)]):
                return True

    async def homes(self, decided: Mapping[str, str]) -> dict[str, str]:
        """Which incident holds each alert, for those alerts that have been seen lately.

        ``decided`` maps alerts to the incidents that were decided for them: an alert that has no home yet gets that
        one, unless it is empty. Of two workers that ask at once, one finds what the other has set.
        """
        found: dict[str, str] = {}
        async with client.failures():
            for identities in _by_shard(decided):
                names = [keys.home(identity) for identity in identities]
                wanted = [decided[identity] for identity in identities]
                answer = await self._scripts.run("homes", names, [keys.HOME_LIFE_MS, *wanted])
                found |= {identity: home.decode() for identity, home in zip(identities, answer, strict=True) if home}
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


def _life(incident: incidents.Incident) -> int:
    """Milliseconds that a document lives: for ever, but for a closed incident that nothing follows any more."""
    if incident.status != "closed":
        return 0
    return max(keys.CLOSED_LIFE_MS, timing.of(incident).reopen_within // 1000)


def _by_shard(names: Iterable[str]) -> list[list[str]]:
    """Names grouped by the shard that they belong to."""
    shards: dict[int, list[str]] = {}
    for name in names:
        shards.setdefault(keys.shard(name), []).append(name)
    return list(shards.values())
