"""One incident under a lease. Only this session records the observed states of its publications."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping

import msgspec

from router.destinations import components
from router.domain import incidents, operations, publications, retention, steps, timeline
from router.domain.times import Timestamp
from router.outbound import errors
from router.store import dataset
from router.store.publications import Lease, LeaseLostError
from router.store.store import Store
from router.worker import configured_destinations, desired_state, publishing_guard

_ENDING = frozenset({"retract", "resolve", "dismiss"})  # The operations after which a post affects no component.
FRESH = 100_000
"""Microseconds for which a session uses its copy of the publishing controls, the incident, and the data set."""


class LeaseSession:
    """One incident under a lease: its publications, and the only way to write them."""

    def __init__(
        self,
        lease: Lease,
        store: Store,
        ticks: Callable[[], Timestamp],
        desires: desired_state.DesiredStateBuilder,
        pages: publishing_guard.PublishingGuard,
    ) -> None:
        self._pages = pages
        self.lease = lease
        self.announced_state = lease.announced  # The announced state of the incident, packed.
        self.desires = desires
        kept_publications = retention.retain(lease.incident, lease.publications, lease.claimed_at)
        self.publications = desired_state.ensure_publications(lease.incident, kept_publications)
        self._store = store
        self._ticks = ticks
        self._claimed_at_tick = ticks()
        self.version = lease.version  # The version of the incident when it was last read, and the time of that.
        self.seen_at = lease.claimed_at
        self._writing = asyncio.Lock()
        self._looking = asyncio.Lock()
        self._data_set: dataset.DataSetState | None = None
        self._data_set_at = 0
        self.unchecked_names: frozenset[str] = frozenset()
        # Names of publications for which nothing may be planned yet (see ``restored``).
        self.waits: dict[str, steps.Wait] = {}  # The waits of the publications by name, as last planned.

    def now(self) -> Timestamp:
        """Return the time by Redis' clock, continued with this machine's ticks since the lease was taken."""
        return Timestamp(self.lease.claimed_at + self._ticks() - self._claimed_at_tick)

    @property
    def incident(self) -> incidents.Incident:
        """Return the incident as last read: when the lease was taken, or before customers were shown something."""
        return self.lease.incident

    async def data_set(self, data: dataset.WatchedDataSet) -> dataset.DataSetState:
        """Return the state of the data set, read at most ``FRESH`` microseconds ago."""
        # The publications are advanced concurrently, and share one read.
        async with self._looking:
            if self._data_set is None or self.now() - self._data_set_at > FRESH:
                self._data_set_at = self.now()
                self._data_set = await data.check()
            return self._data_set

    def with_lease(self, lease: Lease) -> "LeaseSession":
        """Return a session for the same incident under another lease."""
        return LeaseSession(lease, self._store, self._ticks, self.desires, self._pages)

    def refresh(self, desires: desired_state.DesiredStateBuilder, incident: incidents.Incident, version: int) -> None:
        """Continue with the current desired state."""
        self.desires, self.version, self.seen_at = desires, version, self.now()
        self.lease = self.lease._replace(incident=incident)

    def replace_incident(self, incident: incidents.Incident, version: int) -> None:
        """Continue with the incident that this worker has just written."""
        self.lease = self.lease._replace(incident=incident, version=version)
        self.version = version

    def add_missing_publications(self) -> None:
        """Add the publications that the incident's episode needs now."""
        self.publications = desired_state.ensure_publications(self.incident, self.publications)

    def add(self, publication: publications.Publication) -> None:
        """Add a publication. The next write of any publication includes it."""
        if all(sibling.name != publication.name for sibling in self.publications):
            self.publications = [*self.publications, publication]

    async def with_component_context(
        self, place: configured_destinations.ConfiguredDestination, operation: operations.Operation
    ) -> operations.Operation:
        """Return the operation with the statuses that other incidents need for its components."""
        # Only pages have components, and these operations change none.
        if not place.kind.public or operation.kind in {"adopt", "correct"}:
            return operation
        touched: Mapping[str, str] = {}
        is_shown = operation.kind == "publish" or not self._is_draft(place.name, operation.episode)
        # An episode that ends affects no component any longer, so the others decide. Customers don't see a draft.
        if operation.kind not in _ENDING and is_shown:
            with contextlib.suppress(errors.Permanent):  # The call itself reports invalid fields.
                touched = place.destination.touches(operation)
        statuses = await self._pages.sync_components(place.name, operation.episode, touched)
        return msgspec.structs.replace(operation, others=dict(components.worst_status(statuses)))

    def _is_draft(self, destination: str, episode: str) -> bool:
        return any(
            publication.state == "draft"
            for publication in self.publications
            if (publication.destination, publication.episode) == (destination, episode)
        )

    async def other_vendor_ids(self, place: configured_destinations.ConfiguredDestination) -> frozenset[str]:
        """Return the IDs at the vendor of all other publications at the destination. Reads every publication."""
        ids: set[str] = set()
        async for _, documents in self._store.publications.each():
            present = [document for document in documents if document.destination == place.name]
            ids |= {publication.vendor_id for publication in present if publication.vendor_id}
            ids.update(*(publication.retracted_ids for publication in present))
        return frozenset(ids)

    async def read_vendor_ids(self, destinations: Collection[str]) -> set[str]:
        """Return the IDs at the vendor of every publication at these destinations. Reads every publication."""
        return await self._store.publications.vendor_ids(destinations)

    def is_reopened(self, publication: publications.Publication) -> bool:
        """Return whether another publication of the incident has the same ID at the vendor."""
        return any(
            sibling.vendor_id == publication.vendor_id and sibling.destination == publication.destination
            for sibling in self.publications
            if sibling.name != publication.name
        )

    async def record(self, publication: publications.Publication, *events: timeline.Event) -> None:
        """Replace the publication and write all publications. Raises ``LeaseLostError``."""
        previous = next((p for p in self.publications if p.name == publication.name), publication)
        self.publications = [
            publication if (p.episode, p.destination) == (publication.episode, publication.destination) else p
            for p in self.publications
        ]
        # Write one at a time: two writes on separate connections may overtake one another, and the older one would
        # stay.
        async with self._writing:
            if not await self._store.publications.record(self.lease, self.publications, events):
                raise LeaseLostError
        # A resolution releases the components before its call. Here the vendor never created the post, a person has
        # resolved it, or it is gone. Otherwise other posts would show the statuses of this one from then on.
        is_ending = previous.intent is not None and previous.intent.kind in _ENDING
        if publications.holds_components(previous) and not publications.holds_components(publication) and not is_ending:
            await self._pages.sync_components(publication.destination, publication.episode, {})
