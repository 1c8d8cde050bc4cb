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


class AlreadyDecidedError(Exception):
    """Another operator has decided on the dead letter since it was read: ``who``, empty if unknown."""

    def __init__(self, person: str = "") -> None:
        self.who = person
        super().__init__(f"{person or 'another operator'} decided first")


class Filter(NamedTuple):
    """Selects dead letters. An empty field matches all of them.

    ``destination`` and ``operation`` are names of operations' dead letters, ``problem`` is a part of the error.
    """

    destination: str = ""
    operation: str = ""
    problem: str = ""

    def fits(self, dead_letter: DeadLetter) -> bool:
        """Return whether the filter selects a dead letter."""
        publication = dead_letter.publication
        destination = publication.destination if publication is not None else ""
        operation = _rejected_kind(publication) if publication is not None else ""
        return (
            self.destination in {"", destination}
            and self.operation in {"", operation}
            and self.problem.casefold() in dead_letter.problem.casefold()
        )


Place = tuple[int, str]
"""The position of a dead letter in the list: ``since``, then ``id``."""

FIRST: Place = (0, "")


class DeadLetters:
    """The dead letters of one router."""

    def __init__(self, store: Store) -> None:
        self._publications = store.publications
        self._incidents = store.incidents
        self._dead_deliveries = store.dead_deliveries

    async def read(self) -> list[DeadLetter]:
        """Return the current dead letters that no operator has discarded, the oldest first."""
        names = await self._publications.names()
        publications_of_incidents = dict(zip(names, await self._publications.look_at_all(names), strict=True))
        # Few incidents have a dead letter. Reading only these keeps the command fast with many incidents.
        names_with_dead_letters = [
            name
            for name, documents in publications_of_incidents.items()
            if any(_is_dead(document) for document in documents)
        ]
        seen = incident_snapshot.Snapshot(
            # The second argument collects unreadable incidents: one of them must not hide the other dead letters.
            await self._incidents.read(names_with_dead_letters, {}),
            publications_of_incidents,
        )
        return _merge(await self._dead_deliveries.read(), _operations(seen))

    async def page(self, seen: incident_snapshot.Snapshot, after: Place, limit: int) -> list[DeadLetter]:
        """Return at most ``limit`` dead letters after a position, the oldest first.

        Operations are those of the snapshot.
        """
        since, identity = after
        # Stream IDs begin with a digit and those of operations with a letter. After an operation, reading continues
        # with the next millisecond: deliveries of the operation's own millisecond come before the operation.
        begin = f"({identity}" if identity[:1].isdigit() else f"{since // 1000 + 1}-0" if since else "-"
        dead_letters = [operation for operation in _operations(seen) if (operation.since, operation.id) > after]
        return _merge(await self._dead_deliveries.read(begin, limit), dead_letters)[:limit]

    async def count(self, seen: incident_snapshot.Snapshot) -> int:
        """Return the number of dead letters."""
        return await self._dead_deliveries.size() + len(_operations(seen))

    async def redrive(self, dead_letter: DeadLetter, person: str, now: Timestamp) -> None:
        """Retry a dead letter. Raises ``AlreadyDecidedError`` if another operator has decided since it was read."""
        # A dead delivery is absent if another operator has redriven or discarded it.
        if dead_letter.publication is None:
            if not await self._dead_deliveries.redrive(dead_letter.id):
                raise AlreadyDecidedError
            return
        await self._record_decision(
            dead_letter, timeline.Event(now, "redrive", f"{person} has {dead_letter.what} tried again.", who=person)
        )

    async def redrive_all(self, selection: Filter, person: str, now: Timestamp) -> int:
        """Retry all dead letters that the filter selects.

        Return the number of retried dead letters.
        """
        redriven = 0
        for dead_letter in await self.read():
            if selection.fits(dead_letter):
                # Another operator's decision on one letter must not keep the rest from being retried.
                with contextlib.suppress(AlreadyDecidedError):
                    await self.redrive(dead_letter, person, now)
                    redriven += 1
        return redriven

    async def discard(self, dead_letter: DeadLetter, person: str, why: str, now: Timestamp) -> None:
        """Discard a dead letter. Raises ``AlreadyDecidedError`` if another operator has decided since it was read."""
        if dead_letter.publication is None:
            if not await self._dead_deliveries.discard(dead_letter.id):
                raise AlreadyDecidedError
            return
        text = f"{person} has given {dead_letter.what} up" + (f": {why}" if why else ".")
        await self._record_decision(dead_letter, timeline.Event(now, "discard", text, who=person))

    async def _record_decision(self, dead_letter: DeadLetter, event: timeline.Event) -> None:
        """Store an operator's decision on an operation. A worker applies the decision."""
        assert dead_letter.publication is not None  # noqa: S101 - it is an operation's
        name = dead_letter.publication.name

        def make(stored: StoredIncident) -> Change | None:
            incident = stored.incident
            # Another operator decided after this caller read the list. The first decision stays.
            if _decided_at(incident, name) != dead_letter.decided_at:
                return None
            if event.what == "redrive":
                after = incidents.with_interventions(
                    incident, redriven_at={**incident.interventions.redriven_at, name: event.at}
                )
            else:
                after = incidents.with_interventions(
                    incident, discarded_at={**incident.interventions.discarded_at, name: event.at}
                )
            # Waking the incident lets a worker apply the decision immediately instead of at the next timer.
            return Change(after, stored.version, wake=True, events=[event])

        if not await self._incidents.update(dead_letter.incident, make):
            # The incident stores only when it was decided on, so the name comes from the newest decision in the
            # timeline.
            events = await self._incidents.timeline(dead_letter.incident)
            raise AlreadyDecidedError(next((e.who for e in reversed(events) if e.what in {"redrive", "discard"}), ""))


def _merge(deliveries: list[dead_deliveries.DeadDelivery], operations: list[DeadLetter]) -> list[DeadLetter]:
    """Return both kinds in one order. At the same time, deliveries come first, in the order of their receipt."""
    merged = [
        DeadLetter(letter.id, "a delivery", letter.reason, letter.dead_lettered_at, letter.body)
        for letter in deliveries
    ]
    # Sorting by time below is stable, so this order decides between operations of the same microsecond.
    merged += sorted(operations, key=lambda dead_letter: dead_letter.id)
    return sorted(merged, key=lambda dead_letter: dead_letter.since)


def _operations(seen: incident_snapshot.Snapshot) -> list[DeadLetter]:
    """Return the operations that a vendor has refused and no operator has discarded, in no order."""
    return [
        _operation(name, document, seen.incidents.get(name))
        for name, documents in seen.publications.items()
        for document in documents
        if _is_dead(document) and not _is_discarded(seen.incidents.get(name), document)
    ]


def _is_discarded(stored: StoredIncident | None, publication: publications.Publication) -> bool:
    # Without a readable incident, decisions are unknown. Listing a discarded operation is safer than hiding one.
    if stored is None or publication.rejection is None:
        return False
    # A rejection that is newer than the discard is of a later operation, and needs its own decision.
    return stored.incident.interventions.discarded_at.get(publication.name, 0) > publication.rejection.at


def _is_dead(publication: publications.Publication) -> bool:
    return publication.rejection is not None and not publication.settled


def _rejected_kind(publication: publications.Publication) -> str:
    """Return the kind of the operation that the vendor refused; empty if it refused none."""
    return publication.rejection.operation.partition(":")[0] if publication.rejection is not None else ""


def _decided_at(incident: incidents.Incident, name: str) -> Timestamp:
    """Return when an operator last decided on a publication's dead letter, in microseconds; 0 for never."""
    return Timestamp(
        max(incident.interventions.redriven_at.get(name, 0), incident.interventions.discarded_at.get(name, 0))
    )


def _operation(incident: str, publication: publications.Publication, stored: StoredIncident | None) -> DeadLetter:
    kind = _rejected_kind(publication)
    description = f'the {kind} of incident "{incident}" at {publication.destination}'
    content = (
        msgspec.json.format(msgspec.json.encode(publication.content.fields)) if publication.content is not None else b""
    )
    short = f"{identity.reference(publication.episode)}-{publication.destination}"
    decided_at = _decided_at(stored.incident, publication.name) if stored is not None else Timestamp(0)
    rejected_at = publication.rejection.at if publication.rejection is not None else Timestamp(0)
    return DeadLetter(
        short, description, publication.refusal, rejected_at, content + b"\n", incident, publication, decided_at
    )
