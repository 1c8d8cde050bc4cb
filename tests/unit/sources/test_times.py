"""Senders' times: any form in, microseconds since the epoch out."""

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.sources import times

SECOND = 1_000_000
NOON = 1_772_452_800 * SECOND  # 2026-03-02T12:00:00Z


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02T12:00:00Z", NOON),
        ("2026-03-02t12:00:00z", NOON),
        ("2026-03-02 12:00:00Z", NOON),
        ("2026-03-02T12:00:00", NOON),
        ("2026-03-02T12:00:00+00:00", NOON),
        ("2026-03-02T17:30:00+05:30", NOON),
        ("2026-03-01T24:00:00-12:00", None),
        ("2026-03-02T12:00:00.5Z", NOON + 500_000),
        ("2026-03-02T12:00:00.123456Z", NOON + 123_456),
        ("2026-03-02T12:00:00.123456789Z", NOON + 123_457),
        ("2026-03-02T12:00:00.999999999Z", NOON + SECOND),
        ("0001-01-01T00:00:00Z", 0),
        ("0001-01-01T00:00:00+14:00", 0),
        ("1969-12-31T23:59:59Z", 0),
        ("1772452800", NOON),
        ("1772452800.25", NOON + 250_000),
        ("1772452800123", NOON + 123_000),
        ("", 0),
        ("0", 0),
        ("yesterday", None),
        ("nan", None),
        ("inf", None),
        ("1e300", None),
        ("2026-02-30T00:00:00Z", None),
        ("2026-03-02", None),
    ],
)
def test_text_is_rfc_3339_or_digits(text, expected):
    if expected is None:
        with pytest.raises(ValueError, match="is neither RFC 3339 nor"):
            times.from_text(text)
    else:
        assert times.from_text(text) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (1_772_452_800, NOON),
        (1_772_452_800.123456, NOON + 123_456),
        (1_772_452_800_123, NOON + 123_000),
        (1_772_452_800_123_456, NOON + 123_456),
        (1_772_452_800_123_456_789, NOON + 123_457),
        (0, 0),
        (-1, 0),
        (1, SECOND),
    ],
)
def test_a_number_is_seconds_or_a_thousandth_of_them_by_its_size(number, expected):
    assert abs(times.from_number(number) - expected) <= 1


@pytest.mark.parametrize("number", [10**20, 10**400, float("inf"), float("nan")])
def test_a_number_beyond_all_times_is_refused(number):
    with pytest.raises(ValueError, match="is not a time"):
        times.from_number(number)


@given(
    seconds=st.integers(0, 250_000_000_000),
    micros=st.integers(0, 999_999),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_a_moment_keeps_its_every_microsecond_in_any_zone(seconds, micros, offset):
    zone = dt.timezone(dt.timedelta(minutes=offset))
    moment = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds, microseconds=micros)).astimezone(
        zone
    )
    assert times.micros(moment) == seconds * SECOND + micros
    assert times.from_text(moment.isoformat()) == seconds * SECOND + micros


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_a_value_error(text):
    found = None
    try:
        found = times.from_text(text)
    except ValueError:
        return
    assert 0 <= found < 2**63


def test_longer_texts_are_refused_and_not_remembered():
    """Senders that aren't authenticated yet reach the cache, which would keep 4,096 texts of any length."""
    before = times._from_text.cache_info()
    with pytest.raises(ValueError, match="has 1000000 characters"):
        times.from_text("0" * 999_990 + "1772452800")
    assert times._from_text.cache_info() == before
    assert times.from_text("0" * (times.LONGEST_TEXT - 10) + "1772452800") == NOON
