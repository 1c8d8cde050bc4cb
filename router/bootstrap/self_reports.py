"""Builds the monitor that reports the router's own failures, from the settings."""

import functools
from collections.abc import Mapping

import redis.asyncio

from router import configuration
from router.bootstrap import public_pages
from router.domain import identity, severities
from router.outbound import fetch
from router.store import incidents, publishing_state, storm_queue, unreadable_deliveries
from router.store.inbox import Inbox
from router.worker import circuit_breaker, configured_destinations, self_alerts, self_monitor, storm_control

_MOST_OF_PING = 1024 * 1024


def itself(
    settings: configuration.Settings,
    connection: "redis.asyncio.Redis",
    at: Mapping[str, configured_destinations.ConfiguredDestination],
    breakers: circuit_breaker.CircuitBreakers,
    randomness: identity.Randomness,
    *,
    inbox: Inbox,
) -> self_monitor.SelfMonitor:
    """Return the monitor that reports the router's own failures."""
    return self_monitor.SelfMonitor(
        _wanted(settings),
        at,
        breakers,
        store=incidents.Incidents(connection),
        inbox=inbox,
        publishing=publishing_state.PublishingControls(connection),
        storms=storms(settings, connection),
        randomness=randomness,
        ledger=unreadable_deliveries.UnreadableCounts(connection),
    )


def storms(settings: configuration.Settings, connection: "redis.asyncio.Redis") -> storm_control.StormControl:
    """Return the control that queues incidents in an alert storm. It is off without a configured destination."""
    wanted = settings.storm
    limit = publishing_state.Limit(wanted.max_incidents, wanted.window)
    count = storm_queue.StormQueue(connection, limit) if wanted.destinations else None
    return storm_control.StormControl(
        count, incidents.Incidents(connection), public_pages.publications(settings, connection)
    )


def _wanted(settings: configuration.Settings) -> self_monitor.Wanted:
    """Return how the router reports its own failures."""
    wanted = settings.self_report
    ping = None if wanted.ping_url is None else functools.partial(_ping, wanted.ping_url.get_secret_value())
    return self_monitor.Wanted(
        wanted.destinations,
        settings.storm.destinations,
        wanted.after,
        wanted.frozen_after,
        ping,
        settings.file,
        wanted.unreadable.destinations or wanted.destinations,
        self_alerts.Unreadable(
            wanted.unreadable.after, wanted.unreadable.resolve_after, severities.parse(wanted.unreadable.severity)
        ),
    )


async def _ping(url: str) -> None:
    await fetch.get(url, timeout_seconds=10.0, most_bytes=_MOST_OF_PING)
