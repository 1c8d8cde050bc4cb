"""Announces an incident elsewhere if its vendor has blocked it for too long.

A destination with ``failover`` has a limit for the time in which an incident may wait for the vendor. Then notifiers
and other destinations announce the incident. The router keeps retrying, and opens the incident when the vendor
recovers. The vendor's outage delays the incident, but not the page.

    22:00:00  the call fails            blocked since 22:00:00
    22:00:25  the circuit breaker opens
    22:05:00  ``after: 5m`` has passed  delayed: the event ``publication.delayed``, and the stand-ins open
    22:40:00  the vendor recovers       the incident opens: the event ``publication.recovered``
    23:10:00  the alerts resolve        the incident and its stand-ins are resolved

Only vendor failures count: a failed attempt, an open circuit breaker, or a rejection. A review, a freeze, or an
alert storm delays an incident on purpose. The times are stored with the publication, so a restart changes nothing.
"""

from collections.abc import Mapping

import msgspec

from router.domain import publications, steps
from router.domain.reasons import Reason
from router.telemetry import log, metrics
from router.worker import configured_destinations, lease_session, timeline_messages

_BLOCKED = frozenset({Reason.CIRCUIT_OPEN, Reason.DEAD_LETTER})


async def apply(
    session: lease_session.LeaseSession, places: Mapping[str, configured_destinations.ConfiguredDestination]
) -> tuple[bool, int]:
    """Record the publications that vendors block, and announce those that exceed their limit.

    Return whether publications were added, and when the next one exceeds its limit (microseconds; 0 for never).
    """
    moments, added = [], False
    for publication in list(session.publications):
        place = places.get(publication.destination)
        wait = session.waits.get(publication.name)
        if place is None or place.failover is None or not _is_blocked(session, publication, wait):
            continue
        since = publication.delay.since if publication.delay is not None else session.now()
        due = since + place.failover.after
        if due <= session.now():
            added |= await _announce(session, publication, place.failover.publish, places)
            continue
        moments.append(due)
        # The start is stored once, so that a restart doesn't prolong the delay.
        if publication.delay is None:
            delay = publications.OpeningDelay(since)
            await session.record(msgspec.structs.replace(publication, delay=delay))
    return added, min(moments, default=0)


def _is_blocked(
    session: lease_session.LeaseSession, publication: publications.Publication, wait: steps.Wait | None
) -> bool:
    """Return whether the vendor keeps a publication from opening, and the delay isn't announced yet."""
    incident = session.incident
    is_announced = publication.delay is not None and publication.delay.announced_at is not None
    # The post exists, its delay is announced, or it is a stand-in. A stand-in has no failover, so that failovers can't
    # form a loop.
    if publication.state != "absent" or is_announced or publication.stands_in_for:
        return False
    # There is no longer an outage to announce.
    if incident.status != "open" or publication.episode != incident.episode:
        return False
    if wait is None:
        return False
    # The last attempt failed because of the vendor or the account, and the router retries it.
    is_failing = bool(publication.condition) and wait.waiting_on is steps.WaitingOn.TIME
    return is_failing or wait.cause.code in _BLOCKED


async def _announce(
    session: lease_session.LeaseSession,
    publication: publications.Publication,
    stand_ins: tuple[str, ...],
    places: Mapping[str, configured_destinations.ConfiguredDestination],
) -> bool:
    """Record a delayed publication together with its stand-ins. Return whether there are new stand-ins."""
    destinations = {sibling.destination for sibling in session.publications if sibling.episode == publication.episode}
    added = [name for name in stand_ins if name in places and name not in destinations]
    for name in added:
        session.add(
            publications.Publication(
                publication.episode,
                name,
                opened_at=publication.opened_at,
                admitted=publication.admitted,
                stands_in_for=publication.destination,
            )
        )
    now = session.now()
    since = publication.delay.since if publication.delay is not None else now
    after = msgspec.structs.replace(publication, delay=publications.OpeningDelay(since, now))
    metrics.failovers.labels(publication.destination).inc()
    log.get("worker").error(
        "publication_delayed",
        destination=publication.destination,
        incident=session.incident.key,
        episode=publication.episode,
        failover=added,
        reason=publication.refusal or publication.problem,
    )
    await session.record(after, timeline_messages.delay_event(after, added, now))
    return bool(added)
