"""After a restore to an earlier state, checks whether the open publications were resolved since.

Each publication that is open in the restored data and was last seen before the loss is compared with what its vendor
shows, before anything is planned for it. If it has ended there, its episode has ended: nothing is written at that
vendor.
"""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from router.domain import identity, incidents, publications, restored, timeline, times
from router.domain.times import Duration, Timestamp
from router.outbound import errors
from router.store import dataset
from router.store.incidents import Change
from router.store.store import Store
from router.worker import (
    configured_destinations,
    desired_state,
    lease_session,
    not_found,
    operation_executor,
    operation_outcome,
    recovery,
    timeline_messages,
)

_AGAIN = Duration(15 * times.SECOND)  # The time until a vendor that gave no response is read again.
_AT_ONCE = 1  # Microseconds since the epoch: long ago.


class _Comparison(NamedTuple):
    """A publication after its comparison. ``is_known`` is false if the vendor's state is unknown."""

    before: publications.Publication
    after: publications.Publication
    is_known: bool = True

    @property
    def is_over(self) -> bool:
        return self.after.settled


class Restored:
    """Compares incidents with their vendors after a restore, and ends the resolved ones."""

    def __init__(
        self,
        data: dataset.WatchedDataSet,
        performer: operation_executor.OperationExecutor,
        store: Store,
        *,
        randomness: identity.Randomness,
        installation: str,
    ) -> None:
        self._data = data
        self._performer = performer
        self._store = store
        self._randomness = randomness
        self._installation = installation

    async def compare(
        self, session: lease_session.LeaseSession, places: Mapping[str, configured_destinations.ConfiguredDestination]
    ) -> int:
        """Compare the open publications with the vendors, once after each loss.

        Return when to do this again (microseconds), 0 for never.
        """
        opened = [
            publication
            for publication in session.publications
            if publication.state == "open" and publication.destination in places
        ]
        if not opened:
            return 0
        state = await session.data_set(self._data)
        lost_at = dataset.restored_at(state)
        # A publication that was read or changed since the loss is current.
        old = [publication for publication in opened if max(publication.acted_at, publication.looked_at) < lost_at]
        if not old:
            return 0
        comparisons = await asyncio.gather(
            *(self._ask(session, places[publication.destination], publication) for publication in old)
        )
        unchecked = {comparison.before.name for comparison in comparisons if not comparison.is_known}
        over = [comparison for comparison in comparisons if comparison.is_known and comparison.is_over]
        # Another process has changed the incident. Nothing is planned for these publications until they are compared
        # again.
        if over and not await self._end(session, [comparison.before for comparison in over], lost_at):
            session.unchecked_names = frozenset(comparison.before.name for comparison in comparisons)
            return _AT_ONCE
        for comparison in comparisons:
            await session.record(comparison.after, *self._build_events(comparison, session))
        # If an alert fires, the next episode has begun and needs publications.
        session.add_missing_publications()
        session.unchecked_names = frozenset(unchecked)
        return session.now() + _AGAIN if unchecked else 0

    async def end_rest(
        self, session: lease_session.LeaseSession, places: Mapping[str, configured_destinations.ConfiguredDestination]
    ) -> int:
        """Begin and end one more episode for an incident's open items that aren't among its publications.

        It was opened after the data were saved. ``reclaim`` adopts it, and the plan resolves it. Return when to call
        this again (microseconds), 0 for never.
        """
        incident = session.incident
        if incident.status != "closed" or not incident.episode:
            return 0
        state = await session.data_set(self._data)
        # Only ends by a message or a time limit count: an alert that ``compare`` has ended may have fired again since.
        is_ended = any(alert.resolved and alert.learned_at >= state.lost_at for alert in incident.alerts.values())
        if not state.orphans or not is_ended or (incident.closed_at or 0) < state.lost_at - recovery.JUST_BEFORE:
            return 0
        owner = identity.owner(self._installation, incident.key)
        destinations = {orphan.destination async for orphan in self._data.orphans(owner)}
        own_publications = [
            publication
            for publication in session.publications
            if publication.episode == incident.episode and publication.state != "absent"
        ]
        # Where this episode has no item, ``adopt_after_end`` adopts the orphan. A further episode is needed only for a
        # second item.
        if not destinations & {publication.destination for publication in own_publications} & places.keys():
            return 0
        now = session.now()
        after = restored.add_ended_episode(incident, now=now, episode=self._new_episode(incident.key))
        await self._write(session, after, [timeline.unknown_end_event(after, now)])
        return _AT_ONCE

    async def _ask(
        self,
        session: lease_session.LeaseSession,
        place: configured_destinations.ConfiguredDestination,
        publication: publications.Publication,
    ) -> _Comparison:
        # The vendor is failing, so its state stays unknown until a later comparison.
        if self._performer.breakers.is_open(place.name, session.now(), Timestamp(0)):
            return _Comparison(publication, publication, is_known=False)
        desired = session.desires.build(session.incident, publication, session.publications, place)
        began = session.now()
        seen = await self._performer.read_state(session, place, publication, desired)
        if isinstance(seen, not_found.ConfirmedMissing):
            noted = not_found.record_missing(publication, seen, session.now())
            # Until "not found" is proved, the vendor is read again as if it had not been read.
            after = noted if noted.gone else msgspec.structs.replace(noted, looked_at=publication.looked_at)
            return _Comparison(publication, after, is_known=noted.gone)
        if seen is None or isinstance(seen, errors.Failure):
            return _Comparison(publication, publication, is_known=False)
        after = msgspec.structs.replace(publication, missing=None)
        # The post is open at the vendor, so the plan continues from there.
        if seen.state not in {"resolved", "dismissed"}:
            return _Comparison(publication, operation_outcome.after_observation(after, seen, began))
        # It has ended at the vendor. An intent or a retry from the backup would call the vendor again.
        after = msgspec.structs.replace(
            after, state=seen.state, looked_at=began, intent=None, retry_at=0, attempts=0, problem="", condition=""
        )
        return _Comparison(publication, after)

    def _build_events(self, comparison: _Comparison, session: lease_session.LeaseSession) -> list[timeline.Event]:
        if comparison.is_over or not comparison.is_known:
            return []
        return list(timeline_messages.person_events(comparison.before, comparison.after, session.now(), present=True))

    async def _end(
        self, session: lease_session.LeaseSession, over: list[publications.Publication], lost_at: Timestamp
    ) -> bool:
        """End the episode if it is the current one. Return False if another process has changed the incident meanwhile.

        The incident is written first: after a crash, its publications are compared again.
        """
        incident = session.incident
        current = [
            publication for publication in over if desired_state.is_current(incident, publication, session.publications)
        ]
        # Only posts of earlier episodes have ended, which doesn't affect the incident.
        if incident.status != "open" or not current:
            return True
        now = session.now()
        after = restored.end_episode(incident, lost_at=lost_at, now=now, episode=self._new_episode(incident.key))
        return await self._write(
            session, after, restored.build_events([publication.destination for publication in current], after, now)
        )

    async def _write(
        self, session: lease_session.LeaseSession, after: incidents.Incident, events: list[timeline.Event]
    ) -> bool:
        change = Change(after, session.lease.version, wake=False, events=events)
        version = await self._store.incidents.write(change)
        if version:
            session.replace_incident(after, version)
        return bool(version)

    def _new_episode(self, incident_key: str) -> str:
        return identity.new_episode(self._installation, incident_key, self._randomness)
