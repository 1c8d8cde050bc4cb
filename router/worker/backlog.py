"""Deliveries that wait to be folded while time passes. Their alerts may keep an incident from ending."""

from collections.abc import Awaitable, Callable

from router.domain import ending, incidents, timing
from router.domain.times import Duration, Timestamp


class Backlog:
    """Postpones ends by time while earlier deliveries wait (see ``domain.ending``).

    ``oldest_unfolded`` returns when the oldest of them was accepted, in microseconds; 0 if none waits.
    """

    def __init__(self, oldest_unfolded: Callable[[], Awaitable[int]]) -> None:
        self._oldest_unfolded = oldest_unfolded
        # By incident: the postponed moment, and since when it is postponed.
        self._postponements: dict[str, tuple[int, int]] = {}

    async def is_delayed(self, before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> bool:
        """Return whether the incident stays as it was ``before``, instead of becoming ``after`` by time alone."""
        # A fold has postponed this end already, so only the deliveries before that fold count.
        if ending.may_wait(before):
            return ending.is_waiting(before, Timestamp(await self._oldest_unfolded()), now)
        moment = ending.find_end_by_time(before, after, now)
        if moment:
            held_moment, since = self._postponements.get(before.key, (moment, now))
            # Another moment is another end, which may wait for the full time again.
            since = since if held_moment == moment else now
            # A delivery that was accepted before that moment may repeat the alert that time ends.
            if now - since <= ending.MAX_WAIT and 0 < await self._oldest_unfolded() <= moment:
                self._postponements[before.key] = (moment, since)
                return True
        # No earlier delivery waits, or the limit is reached, so the end counts.
        self._postponements.pop(before.key, None)
        return False

    def due(self, incident: incidents.Incident, now: Timestamp) -> Timestamp:
        """Return the time of the next check, as ``timing.due`` does; if an end is postponed, after a pause."""
        moment = timing.due(incident)
        # Only a timer that is due can be postponed.
        if not 0 < moment <= now:
            return moment
        if ending.may_wait(incident):
            return ending.due(incident, now)
        if incident.key in self._postponements:
            return Timestamp(now + ending.pause(Duration(now - self._postponements[incident.key][1])))
        return moment
