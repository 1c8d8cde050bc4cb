"""Reads the open items at every destination after the data set was lost, once for all workers.

Each destination is read twice: immediately, and again after ``SETTLED``, because a call that was under way when the
data set was lost may be processed after the first reading. Until the first reading, nothing is opened there (see
``reclaim``).
"""

import asyncio
from collections.abc import Mapping, Sequence

from router.domain import identity, times
from router.domain.times import Duration, Timestamp
from router.outbound import call_policy, errors
from router.store import dataset
from router.store.errors import StoreError
from router.store.store import Store
from router.telemetry import log, metrics
from router.worker import configured_destinations

SETTLED = Duration(2 * times.MINUTE)
"""Microseconds after a loss at which each destination is read again."""
JUST_BEFORE = Duration(5 * times.SECOND)
"""Microseconds before a loss was noticed in which it may have happened."""
_MAX_SECONDS = 50.0  # Less than a worker's turn lasts.
_FLOOR = 0.2  # The share of the account's quota that is left to others, as for opening.
_CHUNK = 500


class Recovery:
    """Watches the data set for one worker, and reads the destinations' open items after a loss."""

    def __init__(
        self,
        data: dataset.WatchedDataSet,
        places: Mapping[str, configured_destinations.ConfiguredDestination],
        store: Store,
        *,
        installation: str,
    ) -> None:
        self._data = data
        self._places = places
        self._store = store
        self._installation = installation
        self._reading: dict[str, asyncio.Task[None]] = {}
        self._log = log.get("worker")

    async def turn(self) -> None:
        """Check the data set, and begin to read the destinations that are due. Raises ``Unavailable``."""
        state = await self._data.check()
        metrics.orphans.set(state.orphans)
        metrics.data_set_unread_destinations.set(sum(map(state.is_unread, self._places)))
        if not state.since:
            return
        due = [name for name in self._places if _is_due(state, name)]
        settled_at = state.since + SETTLED
        # Each destination was read once more after every call from before the loss had ended.
        if not due and all(state.read.get(name, 0) >= settled_at for name in self._places):
            await self._data.finish(state.since)
            self._log.info("data_set_reconciled", data_set=state.id, orphans=state.orphans)
        for name in due:
            if name not in self._reading and await self._data.begin_reading(name):
                self._reading[name] = asyncio.create_task(self._read(self._places[name], state.now))

    async def aclose(self) -> None:
        """Cancel the readings under way."""
        tasks = list(self._reading.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def leave(self) -> None:
        """Record that this worker no longer uses the data set. Raises ``Unavailable``."""
        await self._data.leave()

    async def _read(self, place: configured_destinations.ConfiguredDestination, at: Timestamp) -> None:
        try:
            problem = await self._read_open(place, at)
            if problem:
                self._log.warning("open_items_unread", destination=place.name, reason=problem)
                await self._data.record_reading_failure(place.name, problem)
        except StoreError as error:  # The next turn starts it again.
            self._log.warning("store_unavailable", reason=str(error))
        finally:
            self._reading.pop(place.name, None)

    async def _read_open(self, place: configured_destinations.ConfiguredDestination, at: Timestamp) -> str:
        """Read the open items at a destination and store those of no known incident. Return the failure, if any."""
        budget = call_policy.CallBudget(_FLOOR, asyncio.get_running_loop().time() + _MAX_SECONDS)
        destination = place.destination.within(budget)
        try:
            async with asyncio.timeout(_MAX_SECONDS):
                items = await destination.list_open(configured_destinations.other_pages(self._places, place))
        except TimeoutError:
            return f"no answer within {_MAX_SECONDS:g} s"
        except errors.Failure as failure:
            return str(failure)
        # Read these after the list, so that they include items that were adopted since. An ID that any destination
        # holds is no orphan of another.
        held_ids, opened = await self._read_held(place)
        orphans = []
        for item in items:
            owner = identity.owner_of(item.reference)
            # An item with the reference of another installation belongs to that one, although both share the account.
            if item.vendor_id not in held_ids and (not owner or identity.is_of_installation(owner, self._installation)):
                orphans.append(dataset.Orphan(place.name, item, owner))
        await self._data.end_reading(place.name, at, orphans, {orphan.item.vendor_id for orphan in orphans})
        self._log.info("open_items_read", destination=place.name, items=len(items), orphans=len(orphans))
        await self._store.publications.wake(opened)  # They are compared if the data are those of an earlier time.
        await self._wake(place, at, orphans)
        return ""

    async def _read_held(self, place: configured_destinations.ConfiguredDestination) -> tuple[set[str], list[str]]:
        """Return the vendor's IDs that destinations of its kind hold, and the incidents with one open here."""
        destinations = configured_destinations.of_kind(self._places, place)
        vendor_ids: set[str] = set()
        opened: list[str] = []
        async for name, documents in self._store.publications.each():
            vendor_ids |= {
                document.vendor_id
                for document in documents
                if document.destination in destinations and document.vendor_id
            }
            if any(document.state == "open" and document.destination == place.name for document in documents):
                opened.append(name)
        return vendor_ids, opened

    async def _wake(
        self, place: configured_destinations.ConfiguredDestination, at: Timestamp, orphans: Sequence[dataset.Orphan]
    ) -> None:
        """Wake the incidents that have waited for this, and those that have ended since the loss."""
        woken = await self._store.accounts.resume(place.name, at)
        lost_at = (await self._data.check()).lost_at - JUST_BEFORE
        for names in _chunks(await self._store.incidents.names()) if orphans else ():
            stored = await self._store.incidents.read(names, {})
            woken += [
                name
                for name, entry in stored.items()
                if entry.incident.status == "closed" and (entry.incident.closed_at or 0) >= lost_at
            ]
        await self._store.publications.wake(woken)


def _is_due(state: dataset.DataSetState, name: str) -> bool:
    read_at = state.read.get(name)
    return read_at is None or (read_at < state.since + SETTLED <= state.now)


def _chunks(names: Sequence[str]) -> list[Sequence[str]]:
    return [names[first : first + _CHUNK] for first in range(0, len(names), _CHUNK)]
