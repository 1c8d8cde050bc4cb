"""Parsing the retry delay that a vendor requests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound import retry_after

NOW = 1_700_000_000_000_000  # Tuesday 14 November 2023, 22:13:20 UTC


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("120", 120),
        (" 1.5 ", 1.5),
        ("-3", 0),
        ("Tue, 14 Nov 2023 22:14:20 GMT", 60),
        ("Tue, 14 Nov 2023 22:14:20 +0000", 60),
        ("Tue, 14 Nov 2023 22:00:00 GMT", 0),
        ("2023-11-14T22:14:20Z", 60),
        ("2023-11-14T23:14:20+01:00", 60),
        ("2023-11-14T22:14:20", 60),
        ("999999999", retry_after.MAX_SECONDS),
        ("Thu, 14 Nov 2199 22:14:20 GMT", retry_after.MAX_SECONDS),
    ],
)
def test_seconds_and_dates_are_read(text, seconds):
    assert retry_after.seconds(text, now=NOW) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "nan", "inf", "Tue, 99 Nov 2023", "2023-99-99"])
def test_invalid_retry_after_is_ignored(text):
    assert retry_after.seconds(text, now=NOW) is None


@given(st.text())
def test_any_retry_after_is_parsed_or_ignored(text):
    seconds = retry_after.seconds(text, now=NOW)
    assert seconds is None or 0 <= seconds <= retry_after.MAX_SECONDS
