"""One incident under lease: what stands at the vendors is known here, and written down from here alone."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping

import msgspec

from router.destinations import components
from router.domain import incidents, operations, publications, retention, timeline
from router.outbound import errors as outbound_errors
from router.store import dataset
from router.store import publications as publication_store
from router.worker import configured_destinations, desired_state
from router.worker import publishing_guard as showing

FRESH = 100_000
"""Microseconds for which a session uses what it has read of the gate, the incident, and the data set."""


class LeaseSession:
    """One incident under lease: its publications, and the only way to write them."""

    def __init__(
        self,
        lease: publication_store.Lease,
        store: publication_store.Publications,
        ticks: Callable[[], int],
        desires: desired_state.DesiredStateBuilder,
        pages: showing.PublishingGuard,
    ) -> None:
        self._pages = pages
        self.lease = lease
        self.announced = lease.announced  # What was announced of the incident to notifiers, packed.
        self.desires = desires
        kept = retention.retained(lease.incident, lease.publications, lease.claimed_at)
        self.publications = desired_state.ensure_publications(lease.incident, kept)
        self._store = store
        self._ticks = ticks
        self._claimed_at_tick = ticks()
        self.version = lease.version  # Of the incident as it was last seen, and when that was.
        self.seen_at = lease.claimed_at
        self._writing = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._data_set: dataset.DataSetState | None = None
        self._data_set_at = 0
        self.unchecked: frozenset[str] = frozenset()
        # Publications, by name, of which nothing may be planned yet (see ``restored``).

    def now(self) -> int:
        """The time by Redis' clock, carried on by this machine's ticks since the lease was taken."""
        return self.lease.claimed_at + self._ticks() - self._claimed_at_tick

    @property
    def incident(self) -> incidents.Incident:
        """The incident as it was last seen: when the lease was taken, or before customers were shown something."""
        return self.lease.incident

    async def data_set(self, data: dataset.DataSet) -> dataset.DataSetState:
        """Return the state of the data set, read at most ``FRESH`` microseconds ago."""
        async with self._looking:
            if self._data_set is None or self.now() - self._data_set_at > FRESH:
                self._data_set_at = self.now()
                self._data_set = await data.check()
            return self._data_set

    def with_lease(self, lease: publication_store.Lease) -> "LeaseSession":
        """The same session after its incident has become another."""
        return LeaseSession(lease, self._store, self._ticks, self.desires, self._pages)

    def refresh(self, desires: desired_state.DesiredStateBuilder, incident: incidents.Incident, version: int) -> None:
        """Go on with what is to be by now."""
        self.desires, self.version, self.seen_at = desires, version, self.now()
        self.lease = self.lease._replace(incident=incident)

    def become(self, incident: incidents.Incident, version: int) -> None:
        """Go on with what this worker has just written of the incident."""
        self.lease = self.lease._replace(incident=incident, version=version)
        self.version = version

    def complete(self) -> None:
        """Add what the incident's episode lacks by now."""
        self.publications = desired_state.ensure_publications(self.incident, self.publications)

    def add(self, publication: publications.Publication) -> None:
        """Have one more publication, which the next write of any writes, too."""
        if all(one.name != publication.name for one in self.publications):
            self.publications = [*self.publications, publication]

    async def with_component_context(
        self, place: configured_destinations.ConfiguredDestination, operation: operations.Operation
    ) -> operations.Operation:
        """The operation, knowing what other incidents say of the components that it touches."""
        if not place.kind.public or operation.kind in {"adopt", "correct"}:
            return operation
        touched: Mapping[str, str] = {}
        if operation.kind not in {"retract", "resolve", "dismiss"}:
            with contextlib.suppress(outbound_errors.Permanent):  # What is wrong with the fields, the call will tell.
                touched = place.destination.touches(operation)
        said = await self._pages.sync_components(place.name, operation.episode, touched)
        return msgspec.structs.replace(operation, others=dict(components.worst_status(said)))

    async def other_vendor_ids(self, place: configured_destinations.ConfiguredDestination) -> frozenset[str]:
        """The IDs at the vendor of what belongs to any other publication at the destination; reads all of them."""
        ids: set[str] = set()
        async for _, documents in self._store.each():
            there = [one for one in documents if one.destination == place.name]
            ids |= {one.vendor_id for one in there if one.vendor_id}
            ids.update(*(one.retracted_ids for one in there))
        return frozenset(ids)

    async def held(self, destinations: Collection[str]) -> set[str]:
        """The IDs at the vendor of what any publication at these destinations holds; reads all of them."""
        return await self._store.vendor_ids(destinations)

    def is_reopened(self, publication: publications.Publication) -> bool:
        """Whether another publication of the incident holds what this one has at the vendor."""
        return any(
            one.vendor_id == publication.vendor_id and one.destination == publication.destination
            for one in self.publications
            if one.name != publication.name
        )

    async def record(self, publication: publications.Publication, *events: timeline.Event) -> None:
        """Put the publication in the place of its predecessor and write all of them; ``LeaseLostError``."""
        self.publications = [
            publication if (p.episode, p.destination) == (publication.episode, publication.destination) else p
            for p in self.publications
        ]
        # One write at a time: two on connections of their own may overtake one another, and the older would stay.
        async with self._writing:
            if not await self._store.record(self.lease, self.publications, events):
                raise publication_store.LeaseLostError
