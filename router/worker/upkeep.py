"""Keeps the lists of each shard true to the documents, a page at a time: missing timers and members are rebuilt.

Timers and lists are written together with the documents. They differ only after somebody has deleted or damaged them
by hand, or after a fail-over. What has expired leaves the lists here, too, whether or not anybody asks for them.
"""

from router.domain import incident as incidents
from router.domain import timing
from router.store import incidents as incident_store
from router.store import keys
from router.store import publications as publication_store
from router.telemetry import log
from router.worker import triage

PAGE = 200  # Incidents of each list of each shard that one turn looks at.


class Upkeep:
    """Walks through all shards' lists, and begins anew at their ends."""

    def __init__(self, store: publication_store.Publications, known: incident_store.Incidents) -> None:
        self._store = store
        self._incidents = known
        self._offsets = dict.fromkeys(range(keys.SHARDS), 0)
        self._log = log.get("worker")

    async def turn(self) -> int:
        """Look at the next page of each shard; returns how many incidents got a timer. ``store.errors.Unavailable``."""
        await self._store.mend()
        woken = 0
        for shard, offset in self._offsets.items():
            page = await self._store.sweep(shard, offset, PAGE)
            self._offsets[shard] = offset + PAGE if page.more else 0
            woken += await self._wake(page)
        if woken:
            self._log.info("timers_rebuilt", incidents=woken)
        return woken

    async def _wake(self, page: publication_store.Swept) -> int:
        """Have those looked at that want attention; what waits for an operator may rest without a timer."""
        held = await self._incidents.read(page.untimed, {})
        names = [name for name, unfinished in page.untimed.items() if unfinished or _wants(held.get(name))]
        await self._store.wake(names)
        return len(names)


def _wants(held: incident_store.StoredIncident | None) -> bool:
    """Whether an incident that is nowhere to be seen yet should be, or has to be looked at when time has passed."""
    if held is None:
        return False
    incident: incidents.Incident = held.incident
    return bool(timing.due(incident)) or (incident.status == "open" and triage.has_targets(incident))
