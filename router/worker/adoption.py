"""Adopts an incident's open items at vendors after the data set was lost, so that no second item opens.

An item is an incident's own if its reference names the incident's key and this installation. A kind whose posts carry
no reference recognizes its own by their texts: two incidents that would post exactly the same words are the same to
customers, and each of them adopts one post at the most.
"""

from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from router.domain import identity, operations, publications, steps, times
from router.domain.reasons import Cause, Reason
from router.domain.times import Duration, Timestamp
from router.outbound import errors
from router.store import dataset
from router.store.store import Store
from router.worker import configured_destinations, lease_session, operation_executor, recovery, vendor_calls

_WAIT = times.MINUTE  # Waiting incidents are woken as soon as the destination has been read.
_AGAIN = Duration(15 * times.SECOND)
_TITLES = ("title", "name")
_TEXTS = ("message", "summary", "body")


class Reclaimer:
    """Looks for orphans before anything is opened, and when an incident has ended for which nothing open is known."""

    def __init__(
        self,
        data: dataset.WatchedDataSet,
        performer: operation_executor.OperationExecutor,
        store: Store,
        places: Mapping[str, configured_destinations.ConfiguredDestination],
        *,
        installation: str,
    ) -> None:
        self.data = data
        self._performer = performer
        self._store = store
        self._places = places
        self.installation = installation

    async def adopt_before_opening(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> publications.Publication | steps.Wait:
        """Return the publication after it has adopted an open item, or a wait until the open items are known."""
        state = await session.data_set(self.data)
        if state.is_unread(place.name):
            await self._store.accounts.add_waiting(place.name, session.incident.key)
            # A reading that ended before the incident was added to the waiting ones didn't wake it.
            state = await self.data.check()
        if state.is_unread(place.name):
            return steps.Wait(
                Cause(Reason.READING_AFTER_DATA_LOSS), Timestamp(session.now() + _WAIT), steps.WaitingOn.TIME
            )
        # Every open item belongs to an incident, so none can be adopted, and opening creates no duplicate.
        if not state.orphans:
            return publication
        async for orphan in self._claim_candidates(session, place, publication, desired):
            after = await self._adopt(session, place, publication, desired, orphan)
            if after is not None:
                return after
        return publication

    async def adopt_after_end(
        self, session: lease_session.LeaseSession, places: Mapping[str, configured_destinations.ConfiguredDestination]
    ) -> int:
        """Adopt the open items of an incident that has ended since the loss. The plan resolves it.

        Return when to call this again (microseconds), 0 for never.
        """
        incident = session.incident
        # An open incident adopts its items in ``adopt_before_opening``.
        if incident.status != "closed" or not incident.episode:
            return 0
        state = await session.data_set(self.data)
        # An incident that ended before the loss was resolved by its own publications. The loss may have happened a few
        # seconds before a process noticed it.
        if not state.orphans or (incident.closed_at or 0) < state.lost_at - recovery.JUST_BEFORE:
            return 0
        retry_at = 0
        for place in places.values():
            publication = publications.Publication(incident.episode, place.name, opened_at=incident.opened_at)
            existing = next(
                (candidate for candidate in session.publications if candidate.name == publication.name), publication
            )
            # A publication with an item at the vendor resolves that item, and can't hold a second one.
            if existing.state == "absent":
                retry_at = max(retry_at, await self._adopt_to_end(session, place, existing))
        return retry_at

    async def _adopt_to_end(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
    ) -> int:
        desired = session.desires.build(session.incident, publication, session.publications, place)
        async for orphan in self._claim_candidates(session, place, publication, desired):
            session.add(publication)
            after = await self._adopt(session, place, publication, desired, orphan)
            if after is not None:
                return after.until or 0 if isinstance(after, steps.Wait) else 0
        return 0

    async def _claim_candidates(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
    ) -> AsyncIterator[dataset.Orphan]:
        """Claim the orphans at a destination that belong to the incident, and yield them, the oldest first."""
        key = session.incident.key
        owner = identity.owner(self.installation, key)
        orphans = [candidate async for candidate in self.data.orphans(owner) if candidate.destination == place.name]
        # Customers read every text of such a post, so it carries no reference. Only items without an owner are compared
        # by their texts.
        if not place.kind.has_references:
            operation = vendor_calls.operation_of(
                publication, _intent(publication, desired, session.now()), desired, Timestamp(0)
            )
            unowned = [candidate async for candidate in self.data.orphans("") if candidate.destination == place.name]
            orphans += [candidate for candidate in unowned if _recognizes(place, candidate, operation)]
        held_ids = await self._read_held_ids(session, place, owner, orphans)
        for orphan in sorted(orphans, key=lambda orphan: (orphan.item.opened_at, orphan.item.vendor_id)):
            if orphan.item.vendor_id in held_ids:  # It was adopted or opened since the destination was read.
                await self.data.remove_orphan(orphan)
            # Two incidents may post the same texts. The claim keeps them from adopting one item.
            elif await self.data.claim(orphan, key):
                yield orphan

    async def _read_held_ids(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        owner: str,
        orphans: Sequence[dataset.Orphan],
    ) -> set[str]:
        """Return the IDs at the vendor that the router's publications hold, at this destination or another of its kind.

        An item with the incident's own reference can't belong to another incident.
        """
        vendor_ids = {publication.vendor_id for publication in session.publications if publication.vendor_id}
        if all(identity.owner_of(orphan.item.reference) == owner for orphan in orphans):
            return vendor_ids
        return vendor_ids | await session.read_vendor_ids(configured_destinations.of_kind(self._places, place))

    async def _adopt(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
        desired: publications.Desired,
        orphan: dataset.Orphan,
    ) -> publications.Publication | steps.Wait | None:
        """Adopt an orphan with its current state at the vendor. Return None if it has ended, or a wait if its state is
        unknown.
        """
        # The incident has no rule's content, so the item's own texts count as sent. The resolution then changes no
        # text.
        if not desired.content.fields:
            desired = msgspec.structs.replace(desired, content=_content(place, orphan, desired.content))
        after = await self._performer.take_over(session, place, publication, desired, orphan.item)
        # The item may still be open, and opening now could create a second one. The incident waits instead.
        if isinstance(after, errors.Failure):
            cause = Cause(Reason.OPEN_ITEM_UNREADABLE, detail=str(after))
            return steps.Wait(cause, Timestamp(session.now() + _AGAIN), steps.WaitingOn.TIME)
        # The publication is recorded by now. In the other order, a crash in between would lose the item.
        await self.data.remove_orphan(orphan)
        return after


def _recognizes(
    place: configured_destinations.ConfiguredDestination, orphan: dataset.Orphan, operation: operations.Operation
) -> bool:
    try:
        return place.destination.recognizes(orphan.item, operation)
    except errors.Permanent:  # These fields can't be posted, so no post has them.
        return False


def _intent(
    publication: publications.Publication, desired: publications.Desired, now: Timestamp
) -> publications.Intent:
    return publications.Intent("adopt", publication.number, now, desired.content)


def _content(
    place: configured_destinations.ConfiguredDestination, orphan: dataset.Orphan, content: publications.Content
) -> publications.Content:
    """Return the content of an item, for an incident without a rule's content."""
    field_infos = place.kind.opening.model_fields
    fields = {name: orphan.item.title for name in _TITLES if name in field_infos}
    fields |= {name: orphan.item.text or orphan.item.title for name in _TEXTS if name in field_infos}
    return publications.Content(content.severity, fields)
