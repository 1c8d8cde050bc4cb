"""Prometheus' messages, beyond the contract's cases."""

import datetime as dt
import json

import pytest

from router.domain import alert_states, severities
from router.sources import base, prometheus

SECOND = 1_000_000
MINUTE = 60 * SECOND
NOW = 1_772_450_040_000_000  # A full minute.


def format_time(moment: int) -> str:
    return (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=moment)).isoformat()


def make_alert(starts_at: int, ends_at: int, **fields) -> dict:
    return {"labels": {"alertname": "A"}, "startsAt": format_time(starts_at), "endsAt": format_time(ends_at), **fields}


def parse(source: prometheus.Prometheus, *alerts, now: int = NOW) -> base.Parsed:
    return source.parse(json.dumps(alerts).encode(), {}, now)


class Sender:
    """A Prometheus with its own clock. A firing alert ends four minutes after each time it is sent."""

    def __init__(self, skew: int, **settings) -> None:
        self.source = prometheus.Prometheus("here", **settings)
        self.skew = skew
        self.began = NOW - MINUTE

    def fire(self, now: int) -> base.Parsed:
        return self._sends(now, now + 4 * MINUTE)

    def resolved(self, now: int, since: int) -> base.Parsed:
        return self._sends(now, since)

    def _sends(self, now: int, ends_at: int) -> base.Parsed:
        return parse(self.source, make_alert(self.began + self.skew, ends_at + self.skew), now=now)


def statuses(*found: base.Parsed) -> list[str]:
    return [alert.status for one in found for alert in one.alerts]


@pytest.mark.parametrize("skew", [0, -2 * MINUTE, -4 * MINUTE + SECOND])
def test_clock_offset_within_four_minutes_has_no_effect(skew):
    sender = Sender(skew)
    fired = [sender.fire(NOW), sender.fire(NOW + MINUTE)]
    over = [sender.resolved(NOW + k * MINUTE, NOW + 2 * MINUTE) for k in (2, 3)]
    assert statuses(*fired, *over) == ["firing", "firing", "resolved", "resolved"]
    assert [notice for one in (*fired, *over) for notice in one.notices] == []


@pytest.mark.parametrize("behind", [5, 6, 60, 24 * 60])
def test_extended_alert_fires_despite_a_slow_clock(behind):
    sender = Sender(-behind * MINUTE)
    found = [sender.fire(NOW + k * MINUTE) for k in range(4)]
    assert statuses(*found) == ["resolved", "firing", "firing", "firing"]
    assert [notice.code for one in found for notice in one.notices] == ["clock_behind"] * 3
    assert found[1].notices[0].fingerprint == found[1].alerts[0].fingerprint
    # By the router's clock, it fires until well after the next message is due.
    assert all(one.alerts[0].ends_at >= NOW + k * MINUTE + 4 * MINUTE for k, one in enumerate(found) if k)


def test_end_is_accepted_once_no_longer_extended():
    sender = Sender(-6 * MINUTE)
    fired = [sender.fire(NOW + k * MINUTE) for k in range(3)]
    over = [sender.resolved(NOW + k * MINUTE, NOW + 3 * MINUTE) for k in (3, 4, 5)]
    assert statuses(*fired, *over) == ["resolved", "firing", "firing", "resolved", "resolved", "resolved"]


def states(*found: base.Parsed) -> list[bool]:
    """Return whether the alert fires after each message, as the worker merges the messages within the retry window."""
    state, fires = None, []
    for position, one in enumerate(found):
        (alert,) = one.alerts
        resolved, received_at = alert.status == "resolved", NOW + position * MINUTE
        message = alert_states.AlertState(
            alert.starts_at,
            resolved,
            alert.ends_at,
            severities.Severity.MAJOR,
            learned_at=received_at,
            first_at=received_at,
        )
        state, _ = alert_states.merge(state, message, 60 * MINUTE)
        fires.append(not state.resolved)
    return fires


def test_mistakenly_resolved_alert_fires_again():
    sender = Sender(-6 * MINUTE)
    fired = [sender.fire(NOW + k * MINUTE) for k in range(3)]
    over = [sender.resolved(NOW + k * MINUTE, NOW + 3 * MINUTE) for k in (3, 4)]
    assert states(*fired, *over) == [False, True, True, False, False]


def test_alert_continues_after_the_clock_is_corrected():
    sender = Sender(-6 * MINUTE)
    fired = [sender.fire(NOW + k * MINUTE) for k in range(3)]
    began, sender.skew = sender.began + sender.skew, 0
    sender.began = began  # Prometheus keeps the recorded start time.
    fired.append(sender.fire(NOW + 3 * MINUTE))
    assert states(*fired, sender.resolved(NOW + 4 * MINUTE, NOW + 4 * MINUTE)) == [False, True, True, True, False]


def test_repeated_message_gives_equal_alerts():
    sender = Sender(-6 * MINUTE)
    sender.fire(NOW)
    assert statuses(sender.fire(NOW + MINUTE), sender.fire(NOW + MINUTE)) == ["firing", "firing"]


def test_repeated_resolution_stays_resolved():
    sender = Sender(0)
    assert statuses(*(sender.resolved(NOW + k * MINUTE, NOW) for k in range(15))) == ["resolved"] * 15


def test_alerts_that_always_end_now_are_resolved():
    sender = Sender(0)
    assert statuses(*(sender.resolved(NOW + k * MINUTE, NOW + k * MINUTE) for k in range(5))) == ["resolved"] * 5


def test_different_start_is_read_as_another_replica():
    source = prometheus.Prometheus("here")
    parse(source, make_alert(NOW - 60 * MINUTE, NOW - 10 * MINUTE))
    assert statuses(parse(source, make_alert(NOW - 59 * MINUTE, NOW - 9 * MINUTE))) == ["resolved"]


def test_clock_offset_setting_corrects_the_first_message():
    sender = Sender(-6 * MINUTE, clock_skew=6 * MINUTE)
    first = sender.fire(NOW)
    assert statuses(first) == ["firing"]
    assert first.alerts[0].ends_at == NOW + 4 * MINUTE
    late = sender.resolved(NOW + 3 * MINUTE, NOW + 2 * MINUTE)
    assert statuses(late) == ["resolved"]


def test_number_of_remembered_ends_is_limited():
    source = prometheus.Prometheus("here")
    several = [
        {**make_alert(NOW - 60 * MINUTE, NOW - 10 * MINUTE), "labels": {"alertname": "A", "n": str(n)}}
        for n in range(10_050)
    ]
    parse(source, *several)
    assert len(source._ends._last_ends) == 10_000


def test_end_before_the_start_is_ignored():
    found = parse(prometheus.Prometheus("here"), make_alert(NOW - MINUTE, NOW - 2 * MINUTE))
    assert [(alert.status, alert.ends_at) for alert in found.alerts] == [("firing", 0)]
    assert [(notice.code, notice.where) for notice in found.notices] == [("field_ignored", "endsAt")]


def test_end_at_the_maximum_date_is_representable():
    found = parse(prometheus.Prometheus("here"), make_alert(NOW, NOW, endsAt="9999-12-31T23:59:59Z"))
    assert format_time(found.alerts[0].ends_at).startswith("9999-12-31")


@pytest.mark.parametrize(
    ("fields", "code", "where"),
    [
        ({"startsAt": "soon"}, "time_unreadable", "[0].startsAt"),
        ({"endsAt": {}}, "time_unreadable", "[0].endsAt"),
        ({"annotations": "text"}, "field_ignored", "[0].annotations"),
        ({"generatorURL": []}, "field_ignored", "[0].generatorURL"),
    ],
)
def test_invalid_optional_field_never_loses_an_alert(fields, code, where):
    alert = {"labels": {"alertname": "A"}, **fields}
    found = parse(prometheus.Prometheus("here"), alert, {"labels": {"alertname": "B"}})
    assert statuses(found) == ["firing", "firing"]
    assert [(notice.code, notice.where, notice.fingerprint) for notice in found.notices] == [
        (code, where, found.alerts[0].fingerprint)
    ]


@pytest.mark.parametrize("alert", [7, {}, {"labels": {}}, {"labels": {"a": ""}}, {"labels": ["a"]}])
def test_alert_without_labels_is_quarantined(alert):
    found = parse(prometheus.Prometheus("here"), {"labels": {"a": "b"}}, alert)
    assert len(found.alerts) == 1
    assert found.rejected.where.startswith("[1]")
    assert json.loads(found.rejected.body) == [alert]


def test_non_text_labels_are_converted_to_text():
    found = parse(prometheus.Prometheus("here"), {"labels": {"a": 1, "b": None, "c": True}})
    assert found.alerts[0].labels == {"a": "1", "c": "true"}
