"""What tells of the router's own failure, made from the settings."""

from collections.abc import Mapping

import redis.asyncio

from router import settings as configuration
from router.domain import identity
from router.outbound import fetch
from router.store import gate, stream
from router.store import incidents as incident_store
from router.worker import bound, breaker, own

_MOST_OF_PING = 1024 * 1024


def itself(
    settings: configuration.Settings,
    connection: "redis.asyncio.Redis",
    at: Mapping[str, bound.Bound],
    breakers: breaker.Breakers,
    randomness: identity.Randomness,
) -> own.Own:
    """What tells of the router's own failure."""
    return own.Own(
        _wanted(settings),
        at,
        breakers,
        store=incident_store.Incidents(connection),
        inbox=stream.Inbox(connection, replicas=settings.redis.replicas, wait_seconds=settings.redis.wait_seconds),
        at_gate=gate.Gate(connection),
        randomness=randomness,
    )


def _wanted(settings: configuration.Settings) -> own.Wanted:
    """How the router is to tell of its own failure."""
    wanted = settings.self_report
    if wanted.ping_url is None:
        return own.Wanted(wanted.destinations, wanted.after, wanted.frozen_after, None, settings.file)
    url = wanted.ping_url.get_secret_value()

    async def ping() -> None:
        await fetch.get(url, timeout_seconds=10.0, most_bytes=_MOST_OF_PING)

    return own.Wanted(wanted.destinations, wanted.after, wanted.frozen_after, ping, settings.file)
