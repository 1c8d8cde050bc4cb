"""Timers wait for a backlog of deliveries for a limited time."""

import asyncio

import pytest

from router.domain import alerts, decisions, ending, fold, incidents, severities, timing
from router.worker import backlog

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
ENDS_AT = NOW + 60 * SECOND
LATER = ENDS_AT + SECOND


def firing(ends_at: int = ENDS_AT, now: int = NOW) -> incidents.Incident:
    response = decisions.Response("down", "rules/a.yaml:3", "v1")
    decided = decisions.Decision("key", severities.Severity.MAJOR, response)
    routed = decisions.Routed(alerts.Alert("am", "a", "firing", NOW, ends_at), decided)
    return fold.fold(incidents.Incident(key="key"), [routed], now=now, episode="e1")


class WaitingBacklog:
    """A backlog whose oldest delivery was accepted at ``at``."""

    def __init__(self, at: int) -> None:
        self.at = at
        self.backlog = backlog.Backlog(self.oldest)

    async def oldest(self) -> int:
        return self.at

    def is_held_back(self, now: int, before: incidents.Incident | None = None) -> bool:
        before = before or firing()
        after = timing.apply_timers(before, now=now, episode="e2")
        return asyncio.run(self.backlog.is_delayed(before, after, now))


@pytest.mark.parametrize(("accepted_at", "expected"), [(0, False), (ENDS_AT - 1, True), (ENDS_AT + 1, False)])
def test_earlier_accepted_deliveries_delay_the_end(accepted_at, expected):
    assert WaitingBacklog(accepted_at).is_held_back(LATER) is expected


def test_end_is_not_delayed_before_its_time():
    assert not WaitingBacklog(NOW).is_held_back(ENDS_AT - SECOND)


def test_end_is_delayed_for_a_limited_time():
    waits = WaitingBacklog(NOW)
    assert waits.is_held_back(LATER)
    assert waits.is_held_back(LATER + ending.MAX_WAIT)
    assert not waits.is_held_back(LATER + ending.MAX_WAIT + 1)


def test_wait_starts_with_the_first_check_after_downtime():
    assert WaitingBacklog(NOW).is_held_back(ENDS_AT + 10 * ending.MAX_WAIT)


def test_later_end_of_an_incident_waits_separately():
    waits = WaitingBacklog(NOW)
    assert waits.is_held_back(LATER)
    assert waits.is_held_back(LATER + 10 * ending.MAX_WAIT, firing(ENDS_AT + SECOND))


def test_delayed_end_is_checked_after_a_pause():
    waits = WaitingBacklog(NOW)
    assert waits.backlog.due(firing(), NOW) == ENDS_AT
    assert waits.backlog.due(firing(), LATER) == ENDS_AT
    assert waits.is_held_back(LATER)
    assert waits.backlog.due(firing(), LATER + SECOND) == LATER + SECOND + ending.pause(SECOND)
    waits.at = 0
    assert not waits.is_held_back(LATER)
    assert waits.backlog.due(firing(), LATER) == ENDS_AT
