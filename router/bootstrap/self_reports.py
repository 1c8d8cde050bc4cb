"""Builds the monitor that reports the router's own failures, from the settings."""

import functools
from collections.abc import Mapping

from router import configuration
from router.domain import identity, severities
from router.outbound import fetch
from router.store import publishing_state
from router.store.store import Store
from router.worker import circuit_breaker, configured_destinations, self_alerts, self_monitor, storm_control

_MAX_PING_LENGTH = 1024 * 1024


def make_monitor(
    settings: configuration.Settings,
    store: Store,
    at: Mapping[str, configured_destinations.ConfiguredDestination],
    breakers: circuit_breaker.CircuitBreakers,
    randomness: identity.Randomness,
) -> self_monitor.SelfMonitor:
    """Return the monitor that reports the router's own failures."""
    return self_monitor.SelfMonitor(
        _monitor_settings(settings),
        at,
        breakers,
        store=store,
        storms=make_storm_control(settings, store),
        randomness=randomness,
    )


def make_storm_control(settings: configuration.Settings, store: Store) -> storm_control.StormControl:
    """Return the control that queues incidents in an alert storm. It is off without a configured destination."""
    storm = settings.storm
    limit = publishing_state.Limit(storm.max_incidents, storm.window) if storm.destinations else None
    return storm_control.StormControl(store, limit)


def _monitor_settings(settings: configuration.Settings) -> self_monitor.SelfMonitorSettings:
    """Return how the router reports its own failures."""
    self_report = settings.self_report
    ping = None if self_report.ping_url is None else functools.partial(_ping, self_report.ping_url.get_secret_value())
    return self_monitor.SelfMonitorSettings(
        self_report.destinations,
        settings.storm.destinations,
        self_report.after,
        self_report.frozen_after,
        ping,
        settings.file,
        self_report.unreadable.destinations or self_report.destinations,
        self_alerts.UnreadableReportSettings(
            self_report.unreadable.after,
            self_report.unreadable.resolve_after,
            severities.parse(self_report.unreadable.severity),
        ),
    )


async def _ping(url: str) -> None:
    await fetch.get(url, timeout_seconds=10.0, most_bytes=_MAX_PING_LENGTH)
