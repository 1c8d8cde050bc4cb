"""Time intervals, compared with an oracle that checks each minute."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import hypothesis
import pydantic
import pytest
from hypothesis import strategies as st

from router.rules import intervals

DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
START = datetime(2028, 2, 26, tzinfo=UTC)  # The days around a leap day, and the end of the first quarter.

clock = st.builds(lambda hour, minute: f"{hour:02}:{minute:02}", st.integers(0, 23), st.sampled_from([0, 1, 30, 59]))
times = st.tuples(clock, clock).filter(lambda pair: pair[0] != pair[1])
weekdays = st.tuples(st.integers(0, 6), st.integers(0, 6))
zones = st.sampled_from(["UTC", "Europe/Zurich", "Asia/Kolkata", "America/New_York"])


def to_micros(at):
    return int(at.timestamp()) * 1_000_000


def parse_minutes(text):
    return int(text[:2]) * 60 + int(text[3:])


def is_inside(local, spans, days):
    """Return whether a local time is in the interval, without the module's own arithmetic."""

    def day_counts(day):
        if not days:
            return True
        first, last = days[0]
        wanted = {first}
        while first != last:
            first = (first + 1) % 7
            wanted.add(first)
        return day.weekday() in wanted

    now = local.hour * 60 + local.minute
    if not spans:
        return day_counts(local)
    for start, end in spans:
        if parse_minutes(start) < parse_minutes(end):
            if parse_minutes(start) <= now < parse_minutes(end) and day_counts(local):
                return True
        elif (now >= parse_minutes(start) and day_counts(local)) or (
            now < parse_minutes(end) and day_counts(local.date() - timedelta(days=1))
        ):
            return True
    return False


@hypothesis.settings(max_examples=300)
@hypothesis.given(
    spans=st.lists(times, max_size=2),
    days=st.lists(weekdays, max_size=1),
    zone=zones,
    after=st.integers(0, 8 * 24 * 60),
)
def test_interval_agrees_with_a_plain_evaluation(spans, days, zone, after):
    shape = intervals.Shape.model_validate(
        {
            "times": [{"start_time": start, "end_time": end} for start, end in spans],
            "weekdays": [f"{DAYS[first]}:{DAYS[last]}" for first, last in days],
            "location": zone,
        }
    )
    at = START + timedelta(minutes=after)
    assert shape.interval().holds(to_micros(at)) == is_inside(at.astimezone(ZoneInfo(zone)), spans, days)


@pytest.mark.parametrize(
    ("given", "inside", "outside"),
    [
        ({"days_of_month": ["29"]}, "2028-02-29", "2028-02-28"),
        ({"days_of_month": ["-1"]}, "2027-02-28", "2028-02-28"),
        ({"days_of_month": ["-3:-1"]}, "2028-02-27", "2028-02-26"),
        ({"days_of_month": ["30:31"]}, "2028-03-30", "2028-02-29"),
        ({"months": ["feb"]}, "2028-02-01", "2028-03-01"),
        ({"months": ["january:march", "12"]}, "2028-12-31", "2028-11-30"),
        ({"years": ["2028"]}, "2028-12-31", "2029-01-01"),
        ({"years": ["2026:2028"], "weekdays": ["sat"]}, "2028-02-26", "2029-02-24"),
    ],
)
def test_months_days_and_years_limit_the_interval(given, inside, outside):
    interval = intervals.Shape.model_validate(given).interval()
    for text, holds in ((inside, True), (outside, False)):
        assert interval.holds(to_micros(datetime.fromisoformat(f"{text}T12:00+00:00"))) is holds


def test_empty_interval_always_holds():
    interval = intervals.Shape.model_validate({}).interval()
    assert all(interval.holds(to_micros(START + timedelta(hours=hours))) for hours in range(0, 1000, 7))


@pytest.mark.parametrize(
    "wrong",
    [
        {"weekdays": ["mo"]}, {"weekdays": ["monday:"]}, {"days_of_month": ["0"]}, {"days_of_month": ["5:-1"]},
        {"days_of_month": ["31:30"]}, {"months": ["13"]}, {"months": ["may:april"]}, {"years": ["99999"]},
        {"location": "Mars/Olympus"}, {"location": "../etc/passwd"}, {"day": ["monday"]},
        {"times": [{"start_time": "9:00", "end_time": "17:00"}]}, {"times": [{"start_time": "09:00"}]},
        {"times": [{"start_time": "25:00", "end_time": "26:00"}]},
    ],
)  # fmt: skip
def test_invalid_interval_is_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        intervals.Shape.model_validate(wrong)


def test_schedule_is_evaluated_for_each_minute():
    interval = intervals.Shape.model_validate({"times": [{"start_time": "12:00", "end_time": "12:01"}]}).interval()
    inside, outside = intervals.Schedule((interval,)), intervals.Schedule((interval,), outside=True)
    noon = START.replace(hour=12)
    for seconds, holds in ((-1, False), (0, True), (59, True), (60, False), (0, True)):
        at = to_micros(noon) + seconds * 1_000_000
        assert inside(at) is holds
        assert outside(at) is not holds
