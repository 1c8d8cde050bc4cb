"""Dead letters of both kinds: operations that a vendor has refused, deliveries that could not be processed."""

import contextlib
from typing import NamedTuple

import msgspec
import redis.asyncio

from router import settings as configuration
from router.assembly import pages
from router.domain import identity, incidents, publications, timeline
from router.store import dead_deliveries, incident_snapshot
from router.store import incidents as incident_store


class DeadLetter(NamedTuple):
    """One of them. ``since`` is microseconds; of an operation ``incident`` and ``publication`` say whose it is.

    ``decided_at`` is when an operator last decided on the operation (0: never), as it was read.
    """

    id: str
    what: str
    problem: str
    since: int
    body: bytes = b""
    incident: str = ""
    publication: publications.Publication | None = None
    decided_at: int = 0


class ChangedError(Exception):
    """Another operator has decided on the dead letter since it was read: ``who``, if that is known."""

    def __init__(self, who: str = "") -> None:
        self.who = who
        super().__init__(f"{who or 'another operator'} decided first")


class Filter(NamedTuple):
    """Which dead letters are meant; what is empty fits all of them.

    ``destination`` and ``operation`` are names of operations' dead letters, ``problem`` is a part of what is wrong.
    """

    destination: str = ""
    operation: str = ""
    problem: str = ""

    def fits(self, one: DeadLetter) -> bool:
        """Whether a dead letter is meant."""
        known = one.publication
        destination = known.destination if known is not None else ""
        operation = known.dead_of.partition(":")[0] if known is not None else ""
        return (
            self.destination in {"", destination}
            and self.operation in {"", operation}
            and self.problem.casefold() in one.problem.casefold()
        )


Place = tuple[int, str]
"""Where a dead letter stands among all of them: ``since``, then ``id``."""

FIRST: Place = (0, "")


class DeadLetters:
    """All of them."""

    def __init__(self, settings: configuration.Settings, connection: "redis.asyncio.Redis") -> None:
        self._publications = pages.publications(settings, connection)
        self._incidents = incident_store.Incidents(connection)
        self._buried = dead_deliveries.DeadDeliveries(connection)

    async def read(self) -> list[DeadLetter]:
        """All that a person has not let go, the oldest first, as they are now."""
        names = await self._publications.names()
        known = dict(zip(names, await self._publications.look_at_all(names), strict=True))
        refused = [name for name, documents in known.items() if any(_is_dead(one) for one in documents)]
        seen = incident_snapshot.Snapshot(await self._incidents.read(refused, {}), known)
        return _merged(await self._buried.read(), _operations(seen))

    async def page(self, seen: incident_snapshot.Snapshot, after: Place, most: int) -> list[DeadLetter]:
        """So many of them from behind a place on, the oldest first; operations as they were seen."""
        since, identity = after
        begin = f"({identity}" if identity[:1].isdigit() else f"{since // 1000 + 1}-0" if since else "-"
        refused = [one for one in _operations(seen) if (one.since, one.id) > after]
        return _merged(await self._buried.read(begin, most), refused)[:most]

    async def count(self, seen: incident_snapshot.Snapshot) -> int:
        """How many there are."""
        return await self._buried.size() + len(_operations(seen))

    async def redrive(self, one: DeadLetter, who: str, now: int) -> None:
        """Have it tried again; ``ChangedError`` if another operator has decided on it since it was read."""
        if one.publication is None:
            if not await self._buried.redrive(one.id):
                raise ChangedError
            return
        await self._say(one, timeline.Event(now, "redrive", f"{who} has {one.what} tried again.", who=who))

    async def redrive_all(self, meant: Filter, who: str, now: int) -> int:
        """Have all that are meant tried again; returns how many, without those that were decided meanwhile."""
        redriven = 0
        for one in await self.read():
            if meant.fits(one):
                with contextlib.suppress(ChangedError):
                    await self.redrive(one, who, now)
                    redriven += 1
        return redriven

    async def discard(self, one: DeadLetter, who: str, why: str, now: int) -> None:
        """Let it go for good; ``ChangedError`` if another operator has decided on it since it was read."""
        if one.publication is None:
            if not await self._buried.discard(one.id):
                raise ChangedError
            return
        text = f"{who} has given {one.what} up" + (f": {why}" if why else ".")
        await self._say(one, timeline.Event(now, "discard", text, who=who))

    async def _say(self, one: DeadLetter, event: timeline.Event) -> None:
        """Write down what a person wants of an operation; the worker heeds it."""
        assert one.publication is not None  # noqa: S101 - it is an operation's
        name = one.publication.name

        def make(held: incident_store.StoredIncident) -> incident_store.Change | None:
            incident = held.incident
            if _decided_at(incident, name) != one.decided_at:
                return None
            if event.what == "redrive":
                after = msgspec.structs.replace(incident, pardons={**incident.pardons, name: event.at})
            else:
                after = msgspec.structs.replace(incident, abandoned={**incident.abandoned, name: event.at})
            return incident_store.Change(after, held.version, wake=True, events=[event])

        if not await self._incidents.update(one.incident, make):
            events = await self._incidents.timeline(one.incident)
            raise ChangedError(next((e.who for e in reversed(events) if e.what in {"redrive", "discard"}), ""))


def _merged(graves: list[dead_deliveries.DeadDelivery], operations: list[DeadLetter]) -> list[DeadLetter]:
    """Both kinds in one order; of the same time, deliveries stand first, in the order in which they came."""
    found = [DeadLetter(one.id, "a delivery", one.reason, one.dead_lettered_at, one.body) for one in graves]
    found += sorted(operations, key=lambda one: one.id)
    return sorted(found, key=lambda one: one.since)


def _operations(seen: incident_snapshot.Snapshot) -> list[DeadLetter]:
    """The operations that a vendor has refused for good and no person has let go, in no order."""
    return [
        _operation(name, one, seen.incidents.get(name))
        for name, documents in seen.publications.items()
        for one in documents
        if _is_dead(one) and not _let_go(seen.incidents.get(name), one)
    ]


def _let_go(held: incident_store.StoredIncident | None, one: publications.Publication) -> bool:
    return held is not None and held.incident.abandoned.get(one.name, 0) > one.dead_at


def _is_dead(one: publications.Publication) -> bool:
    return bool(one.dead) and not one.settled


def _decided_at(incident: incidents.Incident, name: str) -> int:
    """When an operator last decided on a publication's dead letter, in microseconds; 0 for never."""
    return max(incident.pardons.get(name, 0), incident.abandoned.get(name, 0))


def _operation(incident: str, one: publications.Publication, held: incident_store.StoredIncident | None) -> DeadLetter:
    kind = one.dead_of.partition(":")[0]
    what = f'the {kind} of incident "{incident}" at {one.destination}'
    said = msgspec.json.format(msgspec.json.encode(one.content.fields)) if one.content is not None else b""
    short = f"{identity.reference(one.episode)}-{one.destination}"
    decided_at = _decided_at(held.incident, one.name) if held is not None else 0
    return DeadLetter(short, what, one.dead, one.dead_at, said + b"\n", incident, one, decided_at)
