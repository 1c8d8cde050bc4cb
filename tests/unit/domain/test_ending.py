"""Ending an incident while accepted deliveries wait to be folded."""

import msgspec
import pytest

from router.domain import decisions, ending, incidents, timing

NOW = 1_800_000_000_000_000
SECOND = 1_000_000
OVERTAKEN_AT = NOW - SECOND


def fold_resolution(resolve_after: int = 0, **fields) -> tuple[incidents.Incident, incidents.Incident]:
    """Fold the resolution of an open incident's last alert."""
    timings = decisions.Timing(resolve_after=resolve_after)
    response = decisions.Response("down", "rules/a.yaml:3", "v1", timing=timings)
    before = incidents.Incident("key", status="open", episode="e1", generation=1, response=response, **fields)
    return before, timing.quiet(before, NOW)


def postpone(resolve_after: int = 0, **fields) -> incidents.Incident:
    return ending.postpone(*fold_resolution(resolve_after, **fields), OVERTAKEN_AT, NOW)


def test_incident_without_earlier_deliveries_closes():
    before, after = fold_resolution()
    assert after.status == "closed"
    assert ending.postpone(before, after, 0, NOW) is after


def test_incident_with_an_earlier_delivery_becomes_quiet():
    found = postpone(closed_at=5)
    assert (found.status, found.closed_at) == ("open", 5)
    assert found.quiet == incidents.QuietPeriod(NOW, overtaken_at=OVERTAKEN_AT)


def test_quiet_incident_waits_for_earlier_deliveries():
    found = postpone(resolve_after=60 * SECOND)
    assert found.quiet == incidents.QuietPeriod(NOW, overtaken_at=OVERTAKEN_AT)


def test_later_fold_does_not_close_a_waiting_incident():
    before = postpone()
    later = ending.postpone(before, timing.quiet(before, NOW + SECOND), OVERTAKEN_AT, NOW + SECOND)
    assert (later.status, later.quiet) == ("open", incidents.QuietPeriod(NOW, overtaken_at=OVERTAKEN_AT))


def test_fold_without_earlier_pending_deliveries_ends_waiting_incidents():
    before = postpone()
    assert ending.postpone(before, timing.quiet(before, NOW + SECOND), 0, NOW + SECOND).status == "closed"


def test_heartbeat_ends_the_incident_despite_pending_deliveries():
    before, after = fold_resolution()
    beats = msgspec.structs.replace(before.response, timing=decisions.Timing(heartbeat=SECOND))
    before = msgspec.structs.replace(before, response=beats)
    assert ending.postpone(before, after, OVERTAKEN_AT, NOW) is after


@pytest.mark.parametrize("status", ["closed", "pending"])
def test_only_open_incidents_wait_for_earlier_deliveries(status):
    before = incidents.Incident("key", status=status)
    after = incidents.Incident("key")
    assert ending.postpone(before, after, OVERTAKEN_AT, NOW) is after


@pytest.mark.parametrize(
    ("unfolded_at", "later", "expected"),
    [
        (0, 0, False),
        (OVERTAKEN_AT - 1, 0, True),
        (OVERTAKEN_AT, 0, True),
        (OVERTAKEN_AT + 1, 0, False),
        (OVERTAKEN_AT - 1, ending.MAX_WAIT, True),
        (OVERTAKEN_AT - 1, ending.MAX_WAIT + 1, False),
    ],
)
def test_end_waits_for_earlier_deliveries_for_limited_time(unfolded_at, later, expected):
    assert ending.is_waiting(postpone(), unfolded_at, NOW + later) is expected


@pytest.mark.parametrize(
    ("waited", "pause"),
    [(0, ending.SHORTEST_PAUSE), (SECOND, SECOND // 2), (60 * SECOND, ending.LONGEST_PAUSE)],
)
def test_recheck_interval_grows_with_the_waiting_time(waited, pause):
    assert ending.due(postpone(), NOW + waited) == NOW + waited + pause


def test_other_incidents_are_due_by_their_timing():
    assert ending.due(postpone(resolve_after=60 * SECOND), NOW) == NOW + 60 * SECOND
    _, after = fold_resolution(resolve_after=60 * SECOND)
    assert ending.due(after, NOW + 61 * SECOND) == NOW + 60 * SECOND
