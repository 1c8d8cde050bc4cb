"""An incident's end waits for deliveries that were accepted before it, and that no worker has folded yet.

Deliveries are folded in any order. A worker that is killed, or whose writes are refused, leaves what it has read to
others, who take it over seconds later. Meanwhile the others fold later deliveries. Say that a delivery with the firing
alert A waits, and that a later one resolves B, the only other alert. Without A nothing fires: the incident would be
resolved everywhere, and opened anew as soon as A is folded.

So an incident that goes quiet in this way stays open (``postponed``) until no earlier delivery waits (``waits``), and
its posts aren't monitored before that.
Likewise, time alone ends no alert while a delivery waits that may prolong it (``ended_by_time_at``): after all workers
were down for a while, the repeats of every alert are in the inbox.
"""

import msgspec

from router.domain import incidents, timing

SHORTEST_PAUSE, LONGEST_PAUSE = 100_000, 2_000_000  # Microseconds between two looks at what still waits.
# A delivery is given up for dead after three workers. An end is never held back for longer than that takes.
LONGEST_WAIT = 2 * 60 * 1_000_000


def postponed(before: incidents.Incident, after: incidents.Incident, overtaken_at: int, now: int) -> incidents.Incident:
    """Return what the incident becomes if a fold quiets it while earlier deliveries wait.

    ``overtaken_at`` is when the newest delivery of the fold was accepted, in microseconds; 0 if no earlier one waits.
    """
    if not overtaken_at or before.status != "open" or after.episode != before.episode:
        return after
    if timing.timing_of(before).heartbeat:
        return after  # A heartbeat that is heard ends the incident, whatever came before it.
    if after.status == "closed":
        since = before.quiet_since or now
        after = msgspec.structs.replace(after, status="open", quiet_since=since, closed_at=before.closed_at, ended_at=0)
    elif not after.quiet_since or (before.quiet_since and after.monitored_since == before.monitored_since):
        return after
    # Customers aren't told either that nothing fires before it is known.
    return msgspec.structs.replace(
        after, quiet_after=max(before.quiet_after, overtaken_at), monitored_since=before.monitored_since
    )


def may_wait(incident: incidents.Incident) -> bool:
    """Return whether it has to be known what waits before the incident ends."""
    return incident.status == "open" and incident.quiet_since > 0 and incident.quiet_after > 0


def waits(incident: incidents.Incident, unfolded_at: int, now: int) -> bool:
    """Return whether the incident's end still waits.

    ``unfolded_at`` is when the oldest delivery that waits was accepted, in microseconds; 0 if none does.
    """
    if not may_wait(incident) or now - incident.quiet_since > LONGEST_WAIT:
        return False
    return 0 < unfolded_at <= incident.quiet_after


def due(incident: incidents.Incident, now: int) -> int:
    """Return when to look at the incident again, as ``timing.due`` does; for an end that waits, after a pause."""
    moment = timing.due(incident)
    if not may_wait(incident) or not 0 < moment <= now:
        return moment
    return now + pause(now - incident.quiet_since)


def pause(waited: int) -> int:
    """Return how long to wait until the next look, in microseconds: the longer the wait, the longer the pause."""
    return min(max(waited // 2, SHORTEST_PAUSE), LONGEST_PAUSE)


def ended_by_time_at(before: incidents.Incident, after: incidents.Incident, now: int) -> int:
    """Return when time alone ended alerts of the incident, in microseconds; 0 if it didn't."""
    return min(timing.due(before), now) if after.still_fires < before.still_fires else 0
