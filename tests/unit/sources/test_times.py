"""Senders' times in any format become microseconds since the epoch."""

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
        ("2026-03-01T24:00:00-12:00", NOON),
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
        ("2026-03-02 12:00:00 +0000 UTC", NOON),
        ("2026-03-02 13:00:00.5 +0100 CET", NOON + 500_000),
        ("2026-03-02 12:00:00.123456789 +0000 UTC m=+0.012345678", NOON + 123_456),
        ("2026-03-02 12:00:00 -0000 +00", NOON),
        ("2026-03-02 12:00:00 UTC", NOON),
        ("2026/03/02 12:00:00 GMT", NOON),
        ("2026/03/02 07:00:00 EST", NOON),
        ("2026.03.02 12:00:00", NOON),
        ("2026-3-2 12:00:00", NOON),
        ("2026-03-02, 12:00", NOON),
        ("2026-03-02T12:00Z", NOON),
        ("2026-03-02T13:00+01", NOON),
        ("20260302T120000Z", NOON),
        ("20260302T1300+0100", NOON),
        ("20260302T120000.5", NOON + 500_000),
        ("2026-03-02T12:00:00,123Z", NOON + 123_000),
        ("2026-03-02T11:59:60Z", NOON),
        ("2026-03-02T24:00:00Z", NOON + 12 * 3600 * SECOND),
        ("Mon, 02 Mar 2026 12:00:00 GMT", NOON),
        ("Mon, 2 Mar 2026 13:00:00 +0100", NOON),
        ("02 Mar 2026 12:00:00", NOON),
        ("Monday, 02-Mar-2026 12:00:00 GMT", NOON),
        ("03/02/2026 12:00:00 PM", NOON),
        ("3/2/2026, 07:00 am EST", NOON),
        ("03/02/2026 12:00:00 AM", NOON - 12 * 3600 * SECOND),
        (" 2026-03-02T12:00:00Z\n", NOON),
        ("9999-12-31T23:59:59-14:00", times.LATEST),
        ("0001-01-01 00:00:00 +0000 UTC", 0),
        ("2026-03-02 12:00:00 CET", None),  # The abbreviation is ambiguous between countries.
        ("03/02/2026 12:00:00", None),  # Either March 2nd or February 3rd.
        ("03/02/2026 13:00:00 PM", None),
        ("2026-03-02T24:00:01Z", None),
        ("2026-03-02T12:60:00Z", None),
        ("2026-03-02T11:59:61Z", None),
        ("2026-02-30 12:00:00 UTC", None),
        ("2026-13-02 12:00:00 UTC", None),
        ("02 Foo 2026 12:00:00 GMT", None),
        ("2026-03-02 12:00:00 +9900", None),
        ("9999-12-31T24:00:00Z", None),
        ("0000-03-02 12:00:00", None),
        ("2026-03/02 12:00:00", None),
        ("٢٠٢٦-03-02 12:00:00", None),
    ],
)
def test_text_time_is_read_in_every_usual_form(text, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"isn't a known form of a time|there is no such day or hour"):
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
def test_number_is_seconds_or_milliseconds_by_size(number, expected):
    assert abs(times.from_number(number) - expected) <= 1


@pytest.mark.parametrize("number", [10**20, 10**400, float("inf"), float("nan")])
def test_number_outside_the_time_range_is_refused(number):
    with pytest.raises(ValueError, match="is not a time"):
        times.from_number(number)


@given(
    seconds=st.integers(0, 250_000_000_000),
    micros=st.integers(0, 999_999),
    offset=st.integers(-14 * 60, 14 * 60),
)
def test_time_keeps_its_microseconds_in_any_zone(seconds, micros, offset):
    zone = dt.timezone(dt.timedelta(minutes=offset))
    moment = (dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(seconds=seconds, microseconds=micros)).astimezone(
        zone
    )
    assert times.micros(moment) == seconds * SECOND + micros
    assert times.from_text(moment.isoformat()) == seconds * SECOND + micros


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_value_error(text):
    found = None
    try:
        found = times.from_text(text)
    except ValueError:
        return
    assert 0 <= found < 2**63


def test_long_text_is_refused_before_parsing():
    before = times._from_text.cache_info()
    for text in ("2026-03-02T12:00:00Z" + " " * 60, "9" * 100_000):
        with pytest.raises(ValueError, match="longer than 64 characters") as caught:
            times.from_text(text)
        with pytest.raises(ValueError, match="longer than 64 characters"):
            times.from_format(text, "%Y")
        assert len(str(caught.value)) < 200
    assert times._from_text.cache_info() == before


@pytest.mark.parametrize(
    ("text", "pattern", "expected"),
    [
        ("02.03.2026 12:00:00", "%d.%m.%Y %H:%M:%S", NOON),
        ("02.03.2026 13:00:00 +0100", "%d.%m.%Y %H:%M:%S %z", NOON),
        ("20260302120000", "%Y%m%d%H%M%S", NOON),
        ("1772452800", "unix", NOON),
        ("1772452800123", "unix_ms", NOON + 123_000),
        ("1772452800123456", "unix_us", NOON + 123_456),
        ("1772452800000000000", "unix_ns", NOON),
        ("5000", "unix_ms", 5 * SECOND),
        ("0", "unix", 0),
        ("", "%Y", 0),
        ("01.01.0001 00:00:00", "%d.%m.%Y %H:%M:%S", 0),
        ("2026-03-02T12:00:00Z", "%d.%m.%Y", None),
        ("31.02.2026", "%d.%m.%Y", None),
        ("soon", "unix", None),
        ("1e300", "unix_ms", None),
        ("nan", "unix", None),
        ("31.12.9999 23:59:59 -1400", "%d.%m.%Y %H:%M:%S %z", times.LATEST),
    ],
)
def test_format_parses_only_matching_times(text, pattern, expected):
    if expected is None:
        with pytest.raises(ValueError, match=r"."):
            times.from_format(text, pattern)
    else:
        assert abs(times.from_format(text, pattern) - expected) <= 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-02 13:00:00", NOON),  # Winter: UTC+1.
        ("2026-07-02 14:00:00", 1_782_993_600 * SECOND),  # Summer: UTC+2.
        ("2026-03-02T12:00:00Z", NOON),  # An explicit time zone is kept.
        ("2026-10-25 02:30:00", 1_792_888_200 * SECOND),  # This time occurs twice in this night: the first one counts.
        ("1772452800", NOON),
    ],
)
def test_time_without_zone_uses_the_configured_zone(text, expected):
    assert times.from_text(text, "Europe/Zurich") == expected
    if "-" in text and not text.endswith("Z"):
        assert times.from_format(text, "%Y-%m-%d %H:%M:%S", "Europe/Zurich") == expected


def test_unknown_time_zone_is_refused():
    assert times.check_zone("Europe/Zurich") == "Europe/Zurich"
    for name in ("Europe/Zurick", "../etc/passwd", "/etc/passwd", "a\0b"):
        with pytest.raises(KeyError):
            times.check_zone(name)


@pytest.mark.parametrize("unit", sorted(times.UNITS))
def test_number_beyond_the_last_year_is_refused(unit):
    for number in (10**30, 10**400, float("inf"), float("nan")):
        with pytest.raises(ValueError, match="is not a time"):
            times.from_unit(number, unit)
    assert times.from_unit(-5, unit) == 0
