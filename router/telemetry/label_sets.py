"""Exports label sets that are known at the start as 0, because ``increase`` misses the first count of a new series."""

import typing
from collections.abc import Iterable

from router.domain import notices, publications
from router.telemetry import metrics

DELIVERY_OUTCOMES = (
    "accepted",
    "empty",
    "dry_run",
    "quarantined",
    "duplicate",
    "disconnected",
    "unauthorized",
    "forbidden",
    "method",
    "too_large",
    "too_slow",
    "encoding",
    "origin",
    "unknown_call",
    "unavailable",
    "internal",
)
UNKNOWN_SOURCE = "unknown_source"
ALERT_OUTCOMES = ("firing", "resolved", "ignored")
CODES = ("2xx", "4xx", "5xx")
POLL_RESULTS = ("whole", "partial", "failed", "unavailable")
POLLED_OUTCOMES = ("found", "repeated", "ended")
RELOAD_RESULTS = ("loaded", "unchanged", "refused")
OPERATION_RESULTS = ("done", "temporary", "unanswered", "refused", "not_found")
CIRCUIT_BREAKER_STATES = ("closed", "open", "half_open")
NOTIFICATION_RESULTS = ("delivered", "failed", "dropped", "coalesced")
VENDOR_WEBHOOK_OUTCOMES = (
    "looked_at",
    "unrelated",
    "duplicate",
    "unreadable",
    "disconnected",
    "unauthorized",
    "method",
    "too_large",
    "too_slow",
    "unavailable",
)
UNKNOWN_DESTINATION = "unknown_destination"
LOSS_REASONS = ("vanished", "replaced", "went_back", "restored", "unattended", "new")


def start_web(sources: Iterable[str], polled: Iterable[str], with_webhooks: Iterable[str]) -> None:
    """Export 0 for a webhook server.

    ``polled`` are the sources whose Alertmanager is polled, ``with_webhooks`` the destinations whose vendor sends
    webhooks.
    """
    _start_data_set()
    # An unknown name from a path isn't a label value: any client could create series without limit.
    metrics.deliveries.labels("", UNKNOWN_SOURCE)
    # This series counts the alerts that no rule matches.
    metrics.decisions.labels("")
    metrics.vendor_webhooks.labels("", UNKNOWN_DESTINATION)
    for result in RELOAD_RESULTS:
        metrics.rules_reloads.labels(result)
    for source in sources:
        _start_source(source)
    for source in polled:
        for result in POLL_RESULTS:
            metrics.polls.labels(source, result)
        for outcome in POLLED_OUTCOMES:
            metrics.polled_alerts.labels(source, outcome)
    for destination in with_webhooks:
        for outcome in VENDOR_WEBHOOK_OUTCOMES:
            metrics.vendor_webhooks.labels(destination, outcome)


def _start_source(source: str) -> None:
    metrics.truncated_alerts.labels(source)
    metrics.quarantined.labels(source)
    for outcome in DELIVERY_OUTCOMES:
        metrics.deliveries.labels(source, outcome)
    for outcome in ALERT_OUTCOMES:
        metrics.alerts.labels(source, outcome)
    for code in typing.get_args(notices.Code):
        metrics.notices.labels(source, code)
    for status in CODES:
        metrics.webhook_duration_seconds.labels(source, status)


def _start_data_set() -> None:
    for reason in LOSS_REASONS:
        metrics.data_set_losses.labels(reason)


def start_rules(rules: Iterable[str]) -> None:
    """Export 0 for the decisions of these rules."""
    for rule in rules:
        metrics.decisions.labels(rule)


def start_worker(sources: Iterable[str], destinations: Iterable[str], notifiers: Iterable[str] = ()) -> None:
    """Export 0 for a worker."""
    _start_data_set()
    for notifier in notifiers:
        # A circuit breaker is closed when the worker starts. Without these values, its gauge would appear with the
        # first failure.
        for state in CIRCUIT_BREAKER_STATES:
            metrics.circuit_breaker_state.labels(notifier, state).set(state == "closed")
        metrics.notification_delay_seconds.labels(notifier)
        for result in NOTIFICATION_RESULTS:
            metrics.notifications.labels(notifier, result)
    for source in sources:
        metrics.late_alerts.labels(source)
        metrics.conflicting_deliveries.labels(source)
    for destination in destinations:
        metrics.not_found.labels(destination)
        metrics.duplicates_ended.labels(destination)
        metrics.failovers.labels(destination)
        metrics.retractions.labels(destination)
        for state in CIRCUIT_BREAKER_STATES:
            metrics.circuit_breaker_state.labels(destination, state).set(state == "closed")
        metrics.accepted_to_opened_seconds.labels(destination)
        for operation in typing.get_args(publications.Kind):
            for result in OPERATION_RESULTS:
                metrics.operations.labels(destination, operation, result)
