"""Occurrences of recurring intervals, compared with an oracle that calls ``holds`` for every minute."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import hypothesis
import pytest
from hypothesis import strategies as st

from router.domain import recurrence

MINUTE = 60_000_000
ALWAYS = ((), (), (), (), ())


def at(text, zone="UTC"):
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


def format_spans(spans, zone="UTC"):
    return [
        tuple(datetime.fromtimestamp(end / 1e6, UTC).astimezone(ZoneInfo(zone)).isoformat()[:16] for end in span)
        for span in spans
    ]


def interval(*times, weekdays=(), zone="UTC", months=()):
    return recurrence.Interval(times, weekdays, (), months, (), ZoneInfo(zone))


NIGHTS = interval((22 * 60, 6 * 60), weekdays=((4, 5),), zone="Europe/Zurich")


def test_night_belongs_to_its_first_day():
    found = format_spans(recurrence.occurrences([NIGHTS], at("2030-01-09T12:00")), "Europe/Zurich")
    assert found[:2] == [("2030-01-11T22:00", "2030-01-12T06:00"), ("2030-01-12T22:00", "2030-01-13T06:00")]
    assert len(found) == 4


def test_current_occurrence_is_first_and_past_ones_omitted():
    (first, *_) = format_spans(recurrence.occurrences([NIGHTS], at("2030-01-12T01:30")), "Europe/Zurich")
    assert first == ("2030-01-11T22:00", "2030-01-12T06:00")
    (first, *_) = format_spans(recurrence.occurrences([NIGHTS], at("2030-01-12T05:00")), "Europe/Zurich")
    assert first == ("2030-01-12T22:00", "2030-01-13T06:00")


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        ("2030-03-31", "2030-03-31T00:30:00+00:00", "2030-03-31T01:30:00+00:00"),  # 02:30 does not exist.
        ("2030-10-27", "2030-10-26T23:30:00+00:00", "2030-10-27T02:30:00+00:00"),  # 02:00 to 03:00 occurs twice.
    ],
)
def test_occurrences_follow_the_wall_clock_over_dst(day, start, end):
    zurich = interval((90, 210), zone="Europe/Zurich")
    found = recurrence.occurrences([zurich], at(f"{day}T00:10", "Europe/Zurich"))
    assert found[0] == (at(start), at(end))


def test_adjacent_occurrences_are_merged():
    both = [interval((0, 12 * 60), weekdays=((0, 0),)), interval((12 * 60, 24 * 60), weekdays=((0, 0),))]
    assert format_spans(recurrence.occurrences(both, at("2030-01-06T12:00")))[0] == (
        "2030-01-07T00:00",
        "2030-01-08T00:00",
    )


def test_occurrence_beyond_the_horizon_has_its_true_end():
    december = interval(months=((12, 12),))
    assert format_spans(recurrence.occurrences([december], at("2030-12-02T12:34"))) == [
        ("2030-12-01T12:00", "2031-01-01T00:00")
    ]


def test_permanent_interval_has_one_bounded_occurrence():
    assert len(recurrence.occurrences([interval()], at("2030-12-02T12:34"))) == 1
    assert interval().is_always
    assert not NIGHTS.is_always


minutes = st.integers(0, 24 * 60 - 1)
intervals = st.builds(
    recurrence.Interval,
    st.lists(st.tuples(minutes, minutes).filter(lambda pair: pair[0] != pair[1]), max_size=2).map(tuple),
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=1).map(tuple),
    st.just(()),
    st.just(()),
    st.just(()),
    st.sampled_from(["UTC", "Europe/Zurich", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]).map(ZoneInfo),
)


@hypothesis.settings(max_examples=60, deadline=None)
@hypothesis.given(
    intervals=st.lists(intervals, min_size=1, max_size=2),
    now=st.sampled_from(["2030-03-30T20:17", "2030-10-26T20:17", "2030-11-02T20:17", "2030-06-01T20:17"]),
)
def test_occurrences_agree_with_checks_at_single_minutes(intervals, now):
    moment = at(now)
    found = recurrence.occurrences(intervals, moment)
    for minute in range(0, 2 * 24 * 60, 7):
        asked = moment + minute * MINUTE
        inside = any(start <= asked < end for start, end in found)
        assert inside == any(one.holds(asked) for one in intervals), datetime.fromtimestamp(asked / 1e6, UTC)
