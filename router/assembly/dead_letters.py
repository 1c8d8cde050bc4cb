"""Dead letters of both kinds: operations that a vendor has refused, deliveries that could not be processed."""

from typing import NamedTuple

import msgspec
import redis.asyncio

from router import settings as configuration
from router.assembly import pages
from router.domain import identity, timeline
from router.domain import publication as publications
from router.store import incidents as incident_store
from router.store import stream


class DeadLetter(NamedTuple):
    """One of them. ``since`` is microseconds; of an operation ``incident`` and ``publication`` say whose it is."""

    id: str
    what: str
    problem: str
    since: int
    body: bytes = b""
    incident: str = ""
    publication: publications.Publication | None = None


class DeadLetters:
    """All of them."""

    def __init__(self, settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        self._publications = pages.publications(settings, connection)
        self._incidents = incident_store.Incidents(connection)
        self._buried = stream.Buried(connection)

    async def read(self) -> list[DeadLetter]:
        """All that a person has not let go, the oldest first."""
        found = [
            DeadLetter(one.id, "a delivery", one.reason, one.buried_at, one.body) for one in await self._buried.read()
        ]
        names = await self._publications.names()
        known = zip(names, await self._publications.look_at_all(names), strict=True)
        refused = {name: [one for one in each if one.dead and not one.settled] for name, each in known}
        held = await self._incidents.read(name for name, each in refused.items() if each)
        found += [
            _operation(name, one)
            for name, holding in held.items()
            for one in refused[name]
            if holding.incident.abandoned.get(one.name, 0) <= one.dead_at
        ]
        return sorted(found, key=lambda one: (one.since, one.id))

    async def redrive(self, one: DeadLetter, who: str, now: int) -> None:
        """Have it tried again."""
        if one.publication is None:
            await self._buried.redrive(one.id)
            return
        await self._say(one, timeline.Event(now, "redrive", f"{who} has {one.what} tried again.", who=who))

    async def discard(self, one: DeadLetter, who: str, why: str, now: int) -> None:
        """Let it go for good."""
        if one.publication is None:
            await self._buried.drop(one.id)
            return
        text = f"{who} has given {one.what} up" + (f": {why}" if why else ".")
        await self._say(one, timeline.Event(now, "discard", text, who=who))

    async def _say(self, one: DeadLetter, event: timeline.Event) -> None:
        """Write down what a person wants of an operation; the worker heeds it."""
        assert one.publication is not None  # noqa: S101 - it is an operation's
        name = one.publication.name

        def make(held: incident_store.Held) -> incident_store.Change:
            incident = held.incident
            if event.what == "redrive":
                after = msgspec.structs.replace(incident, pardons={**incident.pardons, name: event.at})
            else:
                after = msgspec.structs.replace(incident, abandoned={**incident.abandoned, name: event.at})
            return incident_store.Change(after, held.version, wake=True, events=[event])

        await self._incidents.change(one.incident, make)


def _operation(incident: str, one: publications.Publication) -> DeadLetter:
    kind = one.dead_of.partition(":")[0]
    what = f'the {kind} of incident "{incident}" at {one.destination}'
    said = msgspec.json.format(msgspec.json.encode(one.content.fields)) if one.content is not None else b""
    short = f"{identity.reference(one.episode)}-{one.destination}"
    return DeadLetter(short, what, one.dead, one.dead_at, said + b"\n", incident, one)
