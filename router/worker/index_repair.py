"""Keeps the lists of each shard consistent with the documents, a page at a time: rebuilds missing timers and members.

Timers and lists are written together with the documents. They differ only after an operator has deleted or damaged them
by hand, or after a failover. Expired members are removed from the lists here, too.

An incident that waits for an operator, or is in sync, rests without a timer, and stays so. Only the first pass of a
worker wakes resting incidents, because the configuration may have changed before it started.
"""

from router.domain import incidents, timing
from router.store import keys, publications
from router.store.incidents import StoredIncident
from router.store.store import Store
from router.telemetry import log
from router.worker import aggregator

PAGE = 200  # Incidents of each list of each shard that one turn checks.


class IndexRepair:
    """Walks through all shards' lists, and starts again at their ends."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._offsets = dict.fromkeys(range(keys.SHARDS), 0)
        self._unvisited_shards = set(range(keys.SHARDS))  # Shards whose lists this worker hasn't walked through yet.
        self._log = log.get("worker")

    async def turn(self) -> int:
        """Check the next page of each shard.

        Return how many incidents got a timer. Raises ``store.errors.Unavailable``.
        """
        await self._store.publications.repair_keys()
        woken = 0
        for shard, offset in self._offsets.items():
            page = await self._store.publications.sweep(
                shard, offset, PAGE, with_resting=shard in self._unvisited_shards
            )
            self._offsets[shard] = offset + PAGE if page.more else 0
            await self._store.publications.wake(page.resting)
            woken += await self._wake(page)
            if not page.more:
                self._unvisited_shards.discard(shard)
        if woken:
            self._log.info("timers_rebuilt", incidents=woken)
        return woken

    async def _wake(self, page: publications.Swept) -> int:
        """Wake the incidents of the page that lost a timer they need. Return how many."""
        stored = await self._store.incidents.read(page.untimed, {})
        names = [name for name, unfinished in page.untimed.items() if unfinished or _wants(stored.get(name))]
        await self._store.publications.wake(names)
        return len(names)


def _wants(stored: StoredIncident | None) -> bool:
    """Return whether an incident without publications needs some, or has to be checked when time has passed."""
    if stored is None:
        return False
    incident: incidents.Incident = stored.incident
    return bool(timing.due(incident)) or (incident.status == "open" and aggregator.has_targets(incident))
