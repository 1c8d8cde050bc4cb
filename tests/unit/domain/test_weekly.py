"""Recurring silences: the format of their windows, and when they mute."""

from datetime import UTC, datetime

import msgspec
import pytest

from router.domain import alerts, silences, weekly

HOUR = 3_600_000_000
NIGHTS = weekly.parse("mon-fri 22:00-06:00 Europe/Zurich")


def at(text):
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 1_000_000


def make_silence(*during, starts="2030-01-01T00:00", ends="2031-01-01T00:00"):
    matchers = (silences.matcher('service="checkout"'),)
    return silences.Silence("s", matchers, at(starts), at(ends), "ann", during=tuple(map(weekly.parse, during)))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("mon-fri 22:00-06:00 Europe/Zurich", "mon-fri 22:00-06:00 Europe/Zurich"),
        ("Saturday,Sunday", "sat,sun UTC"),
        ("8:00-9:30,18:00-24:00", "08:00-09:30,18:00-24:00 UTC"),
        ("sat:mon Asia/Tokyo", "sat-mon Asia/Tokyo"),
    ],
)
def test_displayed_window_parses_to_the_same_window(text, written):
    assert str(weekly.parse(text)) == written
    assert weekly.parse(written) == weekly.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "neither days nor times"),
        ("Europe/Zurich", "neither days nor times"),
        ("mon-frey", '"frey" is not a day of the week'),
        ("25:00-26:00", '"25:00-26:00" in "25:00-26:00" is not a time of the day'),
        ("22:00", "is not a time of the day"),
        ("06:00-06:00", "ends when it begins"),
        ("mon nightly", '"nightly" in "mon nightly" is neither a day, a time, nor a time zone'),
    ],
)
def test_invalid_window_error_shows_the_syntax(text, said):
    with pytest.raises(weekly.InvalidWeeklyWindow) as raised:
        weekly.parse(text)
    assert said in str(raised.value)


def test_recurring_silence_mutes_within_its_windows_only():
    one = make_silence("mon-fri 22:00-06:00 Europe/Zurich")
    silencer = silences.Silencer([one])
    subject = alerts.Alert("am", "f", "firing", 1, 0, labels={"service": "checkout"})
    assert (one.state(at("2030-01-07T20:59")), one.state(at("2030-01-07T21:00"))) == ("pending", "active")
    assert silencer.mute(subject, at("2030-01-07T20:59")) is None
    assert silencer.mute(subject, at("2030-01-08T04:59")) is not None
    assert silencer.mute(subject, at("2030-01-08T05:00")) is None
    assert one.state(at("2031-01-01T00:00")) == "expired"


def test_current_or_next_window_is_returned():
    one = make_silence("mon-fri 22:00-06:00 Europe/Zurich", starts="2030-01-07T23:00", ends="2030-01-09T23:00")
    assert one.window(at("2030-01-01T00:00")) == (at("2030-01-07T23:00"), at("2030-01-08T05:00"))
    assert one.window(at("2030-01-08T12:00")) == (at("2030-01-08T21:00"), at("2030-01-09T05:00"))
    assert one.window(at("2030-01-09T12:00")) == (at("2030-01-09T21:00"), at("2030-01-09T23:00"))
    assert one.window(at("2030-01-10T00:00")) is None


def test_silence_of_an_older_version_is_readable():
    older = msgspec.to_builtins(make_silence())[:7]
    assert msgspec.convert(older, silences.Silence) == make_silence()
    encoded = msgspec.msgpack.encode(make_silence("sunday"))
    assert msgspec.msgpack.decode(encoded, type=silences.Silence) == make_silence("sunday")


def test_missing_time_zone_is_read_as_utc():
    assert weekly.WeeklyWindow(((0, 6),), (), "Mars/Olympus").interval().zone.key == "UTC"
