"""Handles resolved alerts of incidents that the data set has lost: their incidents at the vendors must be resolved.

Such an incident gets an episode that ends immediately. ``reclaim`` adopts its open items, and the plan resolves them.
"""

from typing import NamedTuple

from router.domain import fold, identity, incidents, restored
from router.domain.times import Timestamp
from router.store import dataset
from router.worker import recovery, routing


class Found(NamedTuple):
    """The incidents of a batch that may have been lost, and when data of an earlier time were restored (0: never).

    What was received after ``oldest_received_at`` was received after the restore: the data are older than that.
    """

    unknown: frozenset[str] = frozenset()
    restored_at: Timestamp = Timestamp(0)
    received_since: Timestamp = Timestamp(0)

    def record_received(
        self, before: incidents.Incident, after: incidents.Incident, group: list[routing.Arrival]
    ) -> incidents.Incident:
        """Record in an incident that was not closed which alerts were received after the restore."""
        if not self.restored_at or before.status == "closed":
            return after
        # A late message that the fold ignored doesn't say what the alert does now.
        names = {
            arrival.identity
            for arrival in group
            if arrival.received_at >= self.received_since
            and (state := after.alerts.get(arrival.identity)) is not None
            and state.resolved == (arrival.routed.alert.status == "resolved")
        }
        return restored.record_received(after, names, self.restored_at)


NONE = Found()


class Ends:
    """Finds the incidents of a batch that may have been lost, and ends them."""

    def __init__(
        self, data: dataset.WatchedDataSet | None, installation: str = "", randomness: identity.Randomness | None = None
    ) -> None:
        """Set up with the data set (None: it is never lost), the installation's name, and a source of random IDs."""
        self._data = data
        self._installation = installation
        self._randomness = randomness

    async def find(self, routed: routing.Routing) -> Found:
        """Return the keys of incidents with a resolved alert that isn't known, if the data set was lost."""
        if self._data is None:
            return NONE
        groups: dict[str, list[routing.Arrival]] = {}
        goes_on = False
        for key, group in routed.groups.items():
            if routed.held[key].incident.status != "closed":
                goes_on = True
            elif any(map(_may_end, group)):
                groups[key] = group
        # Nothing in this batch can belong to a lost incident, so the round trip to Redis is saved.
        if not (groups or goes_on):
            return NONE
        state = await self._data.check()
        restored_at = dataset.restored_at(state)
        lost_at = Timestamp(state.lost_at - recovery.JUST_BEFORE)
        heard_since = min(state.saved_at or lost_at, lost_at)
        # Every destination was read, and each open item belongs to an incident.
        if not (state.since or state.orphans):
            return Found(NONE.unknown, restored_at, heard_since)
        keys = [key for key, group in groups.items() if _is_unreceived(group, routed.held[key].incident, lost_at)]
        # Until every destination is read, the open items of these incidents may not be known yet.
        if state.since:
            return Found(frozenset(keys), restored_at, heard_since)
        unknown = [key for key in keys if await self._data.has_orphans(self._owners(key))]
        return Found(frozenset(unknown), restored_at, heard_since)

    def _owners(self, incident_key: str) -> tuple[str, str]:
        """Return the owners whose orphans may be an incident's: its own, and that of orphans without a reference."""
        return identity.owner(self._installation, incident_key), ""

    def end_episode(
        self, incident: incidents.Incident, group: list[routing.Arrival], now: Timestamp
    ) -> incidents.Incident:
        """Return the incident after an episode of which only the end is known."""
        assert self._randomness is not None  # noqa: S101 - asked only of what ``find`` has found
        last = [arrival.routed for arrival in group if _may_end(arrival)][-1]
        episode = identity.new_episode(self._installation, incident.key, self._randomness)
        return fold.end_unknown_episode(incident, last, now=now, episode=episode)


def _may_end(arrival: routing.Arrival) -> bool:
    """Return whether a message may be the end of an incident that isn't known, or no longer."""
    response = arrival.routed.decision.response
    return not arrival.fires and response is not None and bool(response.targets)


def _is_unreceived(group: list[routing.Arrival], incident: incidents.Incident, lost_at: Timestamp) -> bool:
    """Return whether a resolved alert of the group was not received since the data set was lost."""
    states = [incident.alerts.get(arrival.identity) for arrival in group if _may_end(arrival)]
    return any(state is None or state.learned_at < lost_at for state in states)
