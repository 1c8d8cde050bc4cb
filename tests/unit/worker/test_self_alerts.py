"""Alerts about the router follow from the state of its accounts and of the publishing guard."""

import pytest

from router.domain import severities
from router.store import publishing_state, storm_queue
from router.worker import circuit_breaker, self_alerts

NOW = 1_700_000_000_000_000
HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("condition", "fires"),
    [
        (circuit_breaker.AccountHealth(), None),
        (circuit_breaker.AccountHealth(works=True), False),
        (circuit_breaker.AccountHealth(failing_since=NOW - HOUR, reason="503"), True),
        (circuit_breaker.AccountHealth(failing_since=NOW - HOUR + 1, reason="503"), None),
    ],
)
def test_account_failing_for_an_hour_is_reported(condition, fires):
    (found,) = self_alerts.accounts({"on-call": condition}, HOUR, NOW)
    assert (found.fires, found.since, found.reason) == (fires, condition.failing_since, condition.reason)
    assert found.report == self_alerts.of_account("on-call")


def test_tripped_guard_is_reported_immediately_and_freeze_later():
    def fires(state: publishing_state.PublishingState) -> list[bool | None]:
        found = list(self_alerts.pages(state, HOUR, NOW))
        assert [alert.fires for alert in found if alert.report is self_alerts.EARLIER_GUARD] == [False]
        return [alert.fires for alert in found if alert.report is not self_alerts.EARLIER_GUARD]

    assert fires(publishing_state.ACTIVE) == [False, False]
    assert fires(publishing_state.PublishingState(tripped=publishing_state.Stop("guard", 0, "too many"))) == [
        True,
        False,
    ]
    assert fires(publishing_state.PublishingState(frozen=publishing_state.Stop("ann", NOW - HOUR, ""))) == [False, True]
    assert fires(publishing_state.PublishingState(frozen=publishing_state.Stop("ann", NOW - HOUR + 1, ""))) == [
        False,
        False,
    ]


def test_each_report_has_its_own_incident():
    every = [
        self_alerts.GUARD,
        self_alerts.FREEZE,
        self_alerts.STORM,
        self_alerts.of_account("a"),
        self_alerts.of_account("b"),
    ]
    assert len({one.key for one in every}) == len({one.alert("firing", 1, 2, "").identity for one in every}) == 5
    assert self_alerts.of_account("a").key == 'incident-router{destination="a"}'


def test_resolved_report_is_newer_than_firing_report():
    begun = self_alerts.FREEZE.alert("firing", NOW, NOW + 5, "by ann")
    ended = self_alerts.FREEZE.alert("resolved", 0, NOW + 9, "")
    assert (begun.starts_at, begun.ends_at, begun.severity) == (NOW, 0, severities.Severity.MINOR.word)
    assert (ended.starts_at, ended.ends_at) == (NOW + 9, NOW + 9)
    assert begun.identity == ended.identity
    assert begun.labels == {"alertname": "PagesFrozen", "pages": "freeze"}


@pytest.mark.parametrize(
    ("waiting", "told"),
    [(0, "The queue is empty"), (1, "least 1 "), (4, "least 2 "), (99, "least 50 "), (1950, "least 1000 ")],
)
def test_storm_report_has_queue_length_and_start(waiting, told):
    found = self_alerts.storm(storm_queue.StormState(waiting, NOW))
    assert (found.fires, found.since, found.reason) == (True, NOW, f"{waiting} incidents wait")
    assert told in found.report.text
    assert "was queued at 2023-11-14 22:13:20+00:00" in found.report.text
    assert found.report.key == self_alerts.STORM.key == 'incident-router{storm="incidents"}'


def test_report_without_a_storm_does_not_fire():
    assert self_alerts.storm(storm_queue.StormState()).fires is False
