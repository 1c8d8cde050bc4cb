"""Dead letters of both kinds: operations that a vendor has refused, and deliveries that could not be processed."""

import contextlib
from typing import NamedTuple

import msgspec

from router.domain import identity, incidents, publications, timeline
from router.domain.times import Timestamp
from router.store import dead_deliveries, incident_snapshot
from router.store.incidents import Change, StoredIncident
from router.store.store import Store


class DeadLetter(NamedTuple):
    """A dead letter. ``since`` is in microseconds; ``incident`` and ``publication`` are set for an operation.

    ``decided_at`` is when an operator had last decided on the operation when it was read (0: never).
    """

    id: str
    what: str
    problem: str
    since: Timestamp
    body: bytes = b""
    incident: str = ""
    publication: publications.Publication | None = None
    decided_at: Timestamp = Timestamp(0)


class ChangedError(Exception):
    """Another operator has decided on the dead letter since it was read: ``who``, empty if unknown."""

    def __init__(self, who: str = "") -> None:
        self.who = who
        super().__init__(f"{who or 'another operator'} decided first")


class Filter(NamedTuple):
    """Selects dead letters. An empty field matches all of them.

    ``destination`` and ``operation`` are names of operations' dead letters, ``problem`` is a part of the error.
    """

    destination: str = ""
    operation: str = ""
    problem: str = ""

    def fits(self, one: DeadLetter) -> bool:
        """Return whether the filter selects a dead letter."""
        known = one.publication
        destination = known.destination if known is not None else ""
        operation = _rejected_kind(known) if known is not None else ""
        return (
            self.destination in {"", destination}
            and self.operation in {"", operation}
            and self.problem.casefold() in one.problem.casefold()
        )


Place = tuple[int, str]
"""The position of a dead letter in the list: ``since``, then ``id``."""

FIRST: Place = (0, "")


class DeadLetters:
    """The dead letters of one router."""

    def __init__(self, store: Store) -> None:
        self._publications = store.publications
        self._incidents = store.incidents
        self._buried = store.dead_deliveries

    async def read(self) -> list[DeadLetter]:
        """Return the current dead letters that no operator has discarded, the oldest first."""
        names = await self._publications.names()
        known = dict(zip(names, await self._publications.look_at_all(names), strict=True))
        refused = [name for name, documents in known.items() if any(_is_dead(one) for one in documents)]
        seen = incident_snapshot.Snapshot(await self._incidents.read(refused, {}), known)
        return _merged(await self._buried.read(), _operations(seen))

    async def page(self, seen: incident_snapshot.Snapshot, after: Place, most: int) -> list[DeadLetter]:
        """Return at most ``most`` dead letters after a position, the oldest first.

        Operations are those of the snapshot.
        """
        since, identity = after
        begin = f"({identity}" if identity[:1].isdigit() else f"{since // 1000 + 1}-0" if since else "-"
        refused = [one for one in _operations(seen) if (one.since, one.id) > after]
        return _merged(await self._buried.read(begin, most), refused)[:most]

    async def count(self, seen: incident_snapshot.Snapshot) -> int:
        """Return the number of dead letters."""
        return await self._buried.size() + len(_operations(seen))

    async def redrive(self, one: DeadLetter, who: str, now: Timestamp) -> None:
        """Retry a dead letter. Raises ``ChangedError`` if another operator has decided on it since it was read."""
        if one.publication is None:
            if not await self._buried.redrive(one.id):
                raise ChangedError
            return
        await self._say(one, timeline.Event(now, "redrive", f"{who} has {one.what} tried again.", who=who))

    async def redrive_all(self, meant: Filter, who: str, now: Timestamp) -> int:
        """Retry all dead letters that the filter selects.

        Return the number of retried dead letters.
        """
        redriven = 0
        for one in await self.read():
            if meant.fits(one):
                with contextlib.suppress(ChangedError):
                    await self.redrive(one, who, now)
                    redriven += 1
        return redriven

    async def discard(self, one: DeadLetter, who: str, why: str, now: Timestamp) -> None:
        """Discard a dead letter. Raises ``ChangedError`` if another operator has decided on it since it was read."""
        if one.publication is None:
            if not await self._buried.discard(one.id):
                raise ChangedError
            return
        text = f"{who} has given {one.what} up" + (f": {why}" if why else ".")
        await self._say(one, timeline.Event(now, "discard", text, who=who))

    async def _say(self, one: DeadLetter, event: timeline.Event) -> None:
        """Store an operator's decision on an operation. A worker applies the decision."""
        assert one.publication is not None  # noqa: S101 - it is an operation's
        name = one.publication.name

        def make(held: StoredIncident) -> Change | None:
            incident = held.incident
            if _decided_at(incident, name) != one.decided_at:
                return None
            if event.what == "redrive":
                after = incidents.with_interventions(
                    incident, redriven_at={**incident.interventions.redriven_at, name: event.at}
                )
            else:
                after = incidents.with_interventions(
                    incident, discarded_at={**incident.interventions.discarded_at, name: event.at}
                )
            return Change(after, held.version, wake=True, events=[event])

        if not await self._incidents.update(one.incident, make):
            events = await self._incidents.timeline(one.incident)
            raise ChangedError(next((e.who for e in reversed(events) if e.what in {"redrive", "discard"}), ""))


def _merged(graves: list[dead_deliveries.DeadDelivery], operations: list[DeadLetter]) -> list[DeadLetter]:
    """Return both kinds in one order. At the same time, deliveries come first, in the order of their receipt."""
    found = [DeadLetter(one.id, "a delivery", one.reason, one.dead_lettered_at, one.body) for one in graves]
    found += sorted(operations, key=lambda one: one.id)
    return sorted(found, key=lambda one: one.since)


def _operations(seen: incident_snapshot.Snapshot) -> list[DeadLetter]:
    """Return the operations that a vendor has refused and no operator has discarded, in no order."""
    return [
        _operation(name, one, seen.incidents.get(name))
        for name, documents in seen.publications.items()
        for one in documents
        if _is_dead(one) and not _let_go(seen.incidents.get(name), one)
    ]


def _let_go(held: StoredIncident | None, one: publications.Publication) -> bool:
    if held is None or one.rejection is None:
        return False
    return held.incident.interventions.discarded_at.get(one.name, 0) > one.rejection.at


def _is_dead(one: publications.Publication) -> bool:
    return one.rejection is not None and not one.settled


def _rejected_kind(one: publications.Publication) -> str:
    """Return the kind of the operation that the vendor refused; empty if it refused none."""
    return one.rejection.operation.partition(":")[0] if one.rejection is not None else ""


def _decided_at(incident: incidents.Incident, name: str) -> Timestamp:
    """Return when an operator last decided on a publication's dead letter, in microseconds; 0 for never."""
    return Timestamp(
        max(incident.interventions.redriven_at.get(name, 0), incident.interventions.discarded_at.get(name, 0))
    )


def _operation(incident: str, one: publications.Publication, held: StoredIncident | None) -> DeadLetter:
    kind = _rejected_kind(one)
    what = f'the {kind} of incident "{incident}" at {one.destination}'
    said = msgspec.json.format(msgspec.json.encode(one.content.fields)) if one.content is not None else b""
    short = f"{identity.reference(one.episode)}-{one.destination}"
    decided_at = _decided_at(held.incident, one.name) if held is not None else Timestamp(0)
    rejected_at = one.rejection.at if one.rejection is not None else Timestamp(0)
    return DeadLetter(short, what, one.refusal, rejected_at, said + b"\n", incident, one, decided_at)
