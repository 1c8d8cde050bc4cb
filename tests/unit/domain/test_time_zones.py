"""Time zones are looked up by name. Any other text is an error and never ends the process."""

import zoneinfo

import pytest

from router.api import params
from router.domain import time_zones, weekly
from router.rules import intervals
from router.sources import times

INVALID = ["a/" * 1000 + "b", "a/" * 5000, "../../etc/passwd", "x" * 3000, "Europe/\0", "/", "", "Europe/", ".", "é"]


def test_every_known_zone_is_found():
    for name in zoneinfo.available_timezones():
        assert time_zones.find(name).key == name


@pytest.mark.parametrize("name", INVALID, ids=range(len(INVALID)))
def test_unknown_time_zone_is_an_error(name):
    with pytest.raises(ValueError, match="time zone"):
        time_zones.find(name)
    with pytest.raises(ValueError, match="time zone"):
        intervals._zone(name)
    with pytest.raises(KeyError):
        times.check_zone(name)
    with pytest.raises(weekly.InvalidWeeklyWindow):
        weekly._zone(name, name)


@pytest.mark.parametrize(
    "cursor", ["0-0", "\u0661-\u0661", "18446744073709551616-0", "1-18446744073709551616", "-", "1", "1-", "00-00"]
)
def test_cursor_that_redis_refuses_is_invalid(cursor):
    with pytest.raises(ValueError, match="cursor"):
        params.StreamPage.model_validate({"cursor": cursor})


@pytest.mark.parametrize("cursor", ["", "1-0", "0-1", "18446744073709551615-18446744073709551615"])
def test_cursor_of_a_stream_is_valid(cursor):
    assert params.StreamPage.model_validate({"cursor": cursor}).cursor == cursor
