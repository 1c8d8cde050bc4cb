"""For every kind, the newer message decides whether an alert is over, regardless of the order of arrival."""

import json
from pathlib import Path

import pytest

from router.domain import alert_states, alerts, decisions, severities
from router.sources import registry

DATA = Path(__file__).parent.parent / "data" / "sources"
NOW = 1_772_450_000_000_000
LATER = NOW + 60_000_000
KINDS = sorted(registry.KINDS)

# These kinds have no event time, so their messages are ordered by arrival.
BY_ARRIVAL = {
    "argocd",
    "cronitor",
    "dynatrace",
    "gatus",
    "honeycomb",
    "incident-io-alerts",
    "json",
    "librenms",
    "netdata",
    "opsgenie-api",
    "pagerduty-events",
    "prtg",
    "splunk",
    "statuscake",
}


def read(kind: str, now: int) -> list[alerts.Alert]:
    found = []
    for path in sorted((DATA / kind).glob("*.json")):
        case = json.loads(path.read_text())
        config = registry.KINDS[kind].config(auth="none", **case.get("settings", {}))
        source = registry.build("here", config).source
        found += source.parse(json.dumps(case["body"]).encode(), {}, now).alerts
    return found


def message(alert: alerts.Alert, received_at: int) -> alert_states.AlertState:
    routed = decisions.Routed(alert, decisions.Decision("key", severities.Severity.MAJOR))
    return alert_states.message_of(routed, received_at)


def is_over(*messages: tuple[alerts.Alert, int]) -> bool:
    """Whether an alert is over after messages with these times of receipt."""
    state = None
    for alert, received_at in messages:
        state, _ = alert_states.merge(state, message(alert, received_at), alert_states.DEFAULT_RETRY_WINDOW)
    return state is not None and state.resolved


def order(alert: alerts.Alert) -> tuple[object, ...]:
    return (alert.starts_at, alert.status == "resolved", alert.ends_at)


def pair_alerts(firing: list[alerts.Alert], resolved: list[alerts.Alert]) -> list[tuple[alerts.Alert, alerts.Alert]]:
    """Pair the first firing state of each alert with its last resolved state."""
    ends = {alert.fingerprint: alert for alert in sorted(resolved, key=order) if alert.status == "resolved"}
    starts = {alert.fingerprint: alert for alert in sorted(firing, key=order, reverse=True) if alert.status == "firing"}
    return [(starts[fingerprint], ends[fingerprint]) for fingerprint in starts.keys() & ends.keys()]


@pytest.mark.parametrize("kind", KINDS)
def test_resolution_after_its_start_ends_the_alert(kind):
    found = pair_alerts(read(kind, NOW), read(kind, LATER))
    assert found
    for fired, over in found:
        assert is_over((fired, NOW), (over, LATER))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in BY_ARRIVAL])
def test_resolution_before_its_start_ends_the_alert(kind):
    overtaken = pair_alerts(read(kind, LATER), read(kind, NOW))
    assert overtaken
    for fired, over in overtaken:
        assert is_over((over, NOW), (fired, LATER))


@pytest.mark.parametrize("kind", KINDS)
def test_repeated_delivery_is_never_older(kind):
    once, again = read(kind, NOW), read(kind, LATER)
    assert [alert.identity for alert in once] == [alert.identity for alert in again]
    for alert, repeated in zip(once, again, strict=True):
        assert order(repeated) >= order(alert)
