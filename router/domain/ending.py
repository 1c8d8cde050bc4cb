"""Postpones an incident's end until the deliveries that were accepted before it are folded.

Deliveries are folded in any order. If a worker is killed, or its writes are refused, other workers take over its
entries seconds later. Meanwhile they fold later deliveries. Say that a delivery with the firing alert A waits, and that
a later delivery resolves B, the only other alert. Without A no alert fires: the incident would be resolved everywhere,
and opened again as soon as A is folded.

So an incident that goes quiet in this way stays open (``postpone``) until no earlier delivery waits (``is_waiting``),
and its posts aren't monitored before that. Likewise, time alone ends no alert while a delivery waits that may prolong
it (``find_end_by_time``): after all workers were down for a while, the repeats of every alert are in the inbox.
"""

import msgspec

from router.domain import incidents, times, timing
from router.domain.times import Duration, Timestamp

SHORTEST_PAUSE, LONGEST_PAUSE = Duration(100_000), Duration(2 * times.SECOND)  # Between checks for waiting deliveries.
# A delivery becomes a dead letter after three workers. An end is never postponed for longer than that takes.
MAX_WAIT = Duration(2 * times.MINUTE)


def postpone(
    before: incidents.Incident, after: incidents.Incident, overtaken_at: Timestamp, now: Timestamp
) -> incidents.Incident:
    """Return the incident's state if a fold resolves all its alerts while earlier deliveries wait.

    ``overtaken_at`` is when the newest delivery of the fold was accepted, in microseconds; 0 if no earlier one waits.
    """
    if not overtaken_at or before.status != "open" or after.episode != before.episode:
        return after
    # A received heartbeat ends the incident, regardless of earlier deliveries.
    if timing.timing_of(before).heartbeat:
        return after
    period = before.quiet or incidents.QuietPeriod(after.quiet.since if after.quiet is not None else now)
    if after.status == "closed":
        after = msgspec.structs.replace(after, status="open", closed_at=before.closed_at, ended_at=None)
    # An alert fires, or the incident was quiet before and the fold changes nothing about that.
    elif after.quiet is None or (before.quiet is not None and after.monitored_since == before.monitored_since):
        return after
    # The page must not say that no alert fires before that is known.
    period = msgspec.structs.replace(period, overtaken_at=max(period.overtaken_at or overtaken_at, overtaken_at))
    return msgspec.structs.replace(after, quiet=period)


def may_wait(incident: incidents.Incident) -> bool:
    """Return whether the incident's end depends on the deliveries that wait."""
    return incident.status == "open" and incident.quiet is not None and incident.quiet.overtaken_at is not None


def is_waiting(incident: incidents.Incident, unfolded_at: Timestamp, now: Timestamp) -> bool:
    """Return whether the incident's end still waits.

    ``unfolded_at`` is when the oldest waiting delivery was accepted, in microseconds; 0 if none waits.
    """
    period = incident.quiet
    # The incident fires, or no earlier delivery waited when it went quiet.
    if incident.status != "open" or period is None or period.overtaken_at is None:
        return False
    return now - period.since <= MAX_WAIT and 0 < unfolded_at <= period.overtaken_at


def due(incident: incidents.Incident, now: Timestamp) -> Timestamp:
    """Return the time of the next check, as ``timing.due`` does; if the end is postponed, after a pause."""
    moment = timing.due(incident)
    period = incident.quiet
    # The end doesn't wait, or isn't due yet.
    if period is None or not may_wait(incident) or not 0 < moment <= now:
        return moment
    return Timestamp(now + pause(Duration(now - period.since)))


def pause(waited: Duration) -> Duration:
    """Return how long to pause before the next check, in microseconds. The pause grows with the wait."""
    return Duration(min(max(waited // 2, SHORTEST_PAUSE), LONGEST_PAUSE))


def find_end_by_time(before: incidents.Incident, after: incidents.Incident, now: Timestamp) -> Timestamp:
    """Return when time alone ended alerts of the incident, in microseconds; 0 if it didn't."""
    return Timestamp(min(timing.due(before), now) if after.still_fires < before.still_fires else 0)
