"""Quiet hours: their bounds in a time zone, the events that pass, and the digest at the end."""

from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import events, quiet_hours, recurrence, times
from router.notifiers import quiet_settings
from tests.contract import notifier_samples

HOUR, DAY = recurrence.HOUR, recurrence.DAY
CRITICAL = msgspec.structs.replace(notifier_samples.INCIDENT, severity="critical")


def at(text: str, zone: str = "UTC", fold: int = 0) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()) * 1_000_000


def make_quiet_hours(**given) -> quiet_hours.QuietHours:
    return quiet_settings.QuietHoursConfig(**{"time_zone": "UTC", **given}).build()


NIGHT = make_quiet_hours(**{"from": "22:00", "to": "07:00"})


def record(*found: events.Event, first: int = 1, moment: int | None = None) -> list[events.Recorded]:
    """Return the events of one night, a minute apart."""
    begins = at("2030-01-09T23:00") if moment is None else moment
    return [
        events.Recorded(number, begins + number * 60_000_000, "down", "IR-1", event)
        for number, event in enumerate(found, first)
    ]


def list_types(found) -> list[str]:
    return [one.type for one in found]


class TestWindows:
    @pytest.mark.parametrize(
        ("now", "until"),
        [
            ("2030-01-09T21:59:59", ""),
            ("2030-01-09T22:00:00", "2030-01-10T07:00"),
            ("2030-01-10T00:00:00", "2030-01-10T07:00"),
            ("2030-01-10T06:59:59", "2030-01-10T07:00"),
            ("2030-01-10T07:00:00", ""),
        ],
    )
    def test_window_may_cross_midnight(self, now, until):
        assert NIGHT.until(at(now)) == (at(until) if until else 0)

    def test_adjacent_windows_are_merged(self):
        both = make_quiet_hours(
            time_zone="Europe/Zurich",
            windows=[{"days": "mon-fri", "from": "18:00", "to": "08:00"}, {"days": "sat,sun"}],
        )
        # The night to Monday begins on Sunday, which has no quiet hours here.
        assert both.until(at("2030-01-11T20:00", "Europe/Zurich")) == at("2030-01-14T00:00", "Europe/Zurich")
        assert both.until(at("2030-01-14T03:00", "Europe/Zurich")) == 0

    @pytest.mark.parametrize(
        ("zone", "now", "until"),
        [
            # Clocks skip from 02:00 to 03:00: the night is an hour shorter and ends at the configured time.
            ("Europe/Zurich", "2030-03-31T01:59", "2030-03-31T05:00:00+00:00"),
            ("Europe/Zurich", "2030-10-27T01:00", "2030-10-27T06:00:00+00:00"),
            ("America/New_York", "2030-03-10T01:30", "2030-03-10T11:00:00+00:00"),
            ("America/New_York", "2030-11-03T00:30", "2030-11-03T12:00:00+00:00"),
        ],
    )
    def test_night_ends_by_the_local_clock(self, zone, now, until):
        night = make_quiet_hours(**{"time_zone": zone, "from": "22:00", "to": "07:00"})
        assert night.until(at(now, zone)) == int(datetime.fromisoformat(until).timestamp()) * 1_000_000

    def test_skipped_end_time_is_the_dst_change(self):
        night = make_quiet_hours(**{"time_zone": "Europe/Zurich", "from": "22:00", "to": "02:30"})
        assert night.until(at("2030-03-31T01:30", "Europe/Zurich")) == at("2030-03-31T01:00")

    def test_skipped_start_time_is_the_dst_change(self):
        morning = make_quiet_hours(**{"time_zone": "Europe/Zurich", "from": "02:30", "to": "05:00"})
        assert morning.until(at("2030-03-31T00:59")) == 0
        assert morning.until(at("2030-03-31T01:00")) == at("2030-03-31T03:00")

    def test_repeated_local_time_is_quiet_twice(self):
        """02:00 to 03:00 occurs twice, and so does the half hour before the end at 02:30."""
        night = make_quiet_hours(**{"time_zone": "Europe/Zurich", "from": "22:00", "to": "02:30"})
        zurich = "Europe/Zurich"
        assert night.until(at("2030-10-27T02:10", zurich)) == at("2030-10-27T02:30", zurich)
        assert night.until(at("2030-10-27T02:40", zurich)) == 0
        assert night.until(at("2030-10-27T02:10", zurich, fold=1)) == at("2030-10-27T02:30", zurich, fold=1)
        assert night.until(at("2030-10-27T02:30", zurich, fold=1)) == 0

    @given(
        st.integers(at("2030-03-29T00:00"), at("2030-04-02T00:00"))
        | st.integers(at("2030-10-25T00:00"), at("2030-10-29T00:00"))
    )
    def test_window_always_ends_within_a_night(self, now):
        night = make_quiet_hours(**{"time_zone": "Europe/Zurich", "from": "22:00", "to": "07:00"})
        until = night.until(now)
        assert not until or now < until <= now + 10 * HOUR
        assert not until or night.until(until) == 0


class TestExceptions:
    @pytest.mark.parametrize(
        ("exceptions", "event", "passes"),
        [
            ({}, events.IncidentOpened(CRITICAL), False),
            ({"severities": ["critical"]}, events.IncidentOpened(CRITICAL), True),
            ({"severities": ["critical"]}, notifier_samples.ALL[0], False),
            ({"severities": ["critical"]}, events.ReviewWaiting(CRITICAL, notifier_samples.REVIEW), True),
            ({"severities": ["critical"]}, events.FreezeEnded("ann"), False),
            ({"topics": ["reviews"]}, notifier_samples.ALL[6], True),
            ({"topics": ["reviews"]}, notifier_samples.ALL[0], False),
            ({"topics": ["guard"]}, events.GuardTripped(times.to_datetime(1), "why"), True),
            ({"events": ["review.escalated"]}, notifier_samples.ALL[9], True),
            ({"events": ["review.escalated"]}, notifier_samples.ALL[8], False),
            ({}, events.TestSent("ann"), True),
        ],
    )
    def test_only_exceptions_pass_during_quiet_hours(self, exceptions, event, passes):
        night = make_quiet_hours(**{"from": "22:00", "to": "07:00", "except": exceptions})
        assert night.passes(event) is passes
        found, until = quiet_hours.deliverable(night, record(event), at("2030-01-10T01:00"))
        assert (list_types(found), until) == (([events.type_of(event)], 0) if passes else ([], at("2030-01-10T07:00")))

    def test_exempt_event_releases_earlier_events(self):
        """A notifier receives events in order: held events are context for an event that must not wait."""
        night = make_quiet_hours(**{"from": "22:00", "to": "07:00", "except": {"events": ["review.escalated"]}})
        opened, waiting, reminded, escalated = (notifier_samples.ALL[place] for place in (0, 6, 8, 9))
        pending = record(opened, waiting, reminded, escalated, notifier_samples.ALL[2])
        found, until = quiet_hours.deliverable(night, pending, at("2030-01-10T01:00"))
        assert list_types(found) == ["incident.opened", "review.escalated"]
        assert until == at("2030-01-10T07:00")


class TestDigest:
    def test_digest_contains_no_outdated_events(self):
        opened, published, updated, resolved = (notifier_samples.ALL[place] for place in (0, 2, 3, 4))
        waiting, changed, reminded, decided = (notifier_samples.ALL[place] for place in (6, 7, 8, 10))
        pending = record(
            opened, waiting, reminded, reminded, changed, reminded, decided, published, updated, updated, resolved
        )
        found, until = quiet_hours.deliverable(NIGHT, pending, at("2030-01-10T07:00"))
        assert until == 0
        assert list_types(found) == [
            "incident.opened",
            "review.decided",
            "incident.published",
            "incident.updated",
            "incident.resolved",
        ]

    def test_waiting_review_is_shown_once(self):
        pending = record(*(notifier_samples.ALL[place] for place in (6, 8, 8, 7)))
        assert [one.sequence for one in quiet_hours.coalesce(NIGHT, pending)] == [4]

    def test_reviews_of_different_destinations_are_coalesced_separately(self):
        other = msgspec.structs.replace(notifier_samples.REVIEW, destination="other")
        pending = record(
            notifier_samples.ALL[6], events.ReviewWaiting(notifier_samples.INCIDENT, other), notifier_samples.ALL[10]
        )
        assert [one.sequence for one in quiet_hours.coalesce(NIGHT, pending)] == [2, 3]

    def test_only_last_guard_and_freeze_events_are_kept(self):
        tripped, reset = events.GuardTripped(times.to_datetime(1), "why"), events.GuardReset("ann")
        frozen, thawed = events.FreezeStarted(times.to_datetime(1), "ann"), events.FreezeEnded("ann")
        pending = record(tripped, frozen, reset, thawed, frozen)
        assert list_types(quiet_hours.coalesce(NIGHT, pending)) == ["guard.reset", "freeze.started"]

    def test_ended_publication_delay_keeps_only_its_recovery(self):
        delayed = [event for event in notifier_samples.ALL if events.type_of(event).startswith("publication.")]
        assert list_types(quiet_hours.coalesce(NIGHT, record(*delayed))) == ["publication.recovered"]

    def test_daytime_events_are_not_coalesced(self):
        pending = record(
            notifier_samples.ALL[8], notifier_samples.ALL[8], notifier_samples.ALL[8], moment=at("2030-01-10T12:00")
        )
        assert quiet_hours.coalesce(NIGHT, pending) == pending

    @given(st.lists(st.sampled_from(notifier_samples.ALL), min_size=1, max_size=30))
    def test_coalescing_keeps_the_order_and_newest_events(self, found):
        pending = record(*found)
        kept = quiet_hours.coalesce(NIGHT, pending)
        assert kept == sorted(kept, key=lambda one: one.sequence)
        assert kept[-1] == pending[-1]
        assert {one.type for one in kept} >= {one.type for one in pending} & {
            "incident.opened",
            "incident.resolved",
            "review.decided",
            "operation.failed",
        }
        # The first delivery doesn't change the rest, so a crash in between repeats no other event.
        for count in range(1, len(kept)):
            rest = [one for one in pending if one.sequence > kept[count - 1].sequence]
            assert quiet_hours.coalesce(NIGHT, rest) == kept[count:]


def test_retries_count_from_the_end_of_the_window():
    weekend = make_quiet_hours(windows=[{"days": "sat,sun"}])
    friday, monday = at("2030-01-11T23:30"), at("2030-01-14T00:00")
    assert weekend.retries_begin(friday, DAY) == monday
    assert weekend.retries_begin(at("2030-01-12T10:00"), DAY) == monday
    assert weekend.retries_begin(at("2030-01-09T10:00"), DAY) == at("2030-01-09T10:00")


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"time_zone": "Europe/Zurick", "from": "22:00", "to": "07:00"}, 'did you mean "Europe/Zurich"?'),
        ({"time_zone": "UTC"}, 'set "from" and "to", or "windows"'),
        ({"time_zone": "UTC", "from": "22:00"}, '"from" and "to" must be set together'),
        ({"time_zone": "UTC", "from": "22:00", "to": "22:00"}, "ends when it begins"),
        ({"time_zone": "UTC", "from": "10pm", "to": "07:00"}, "is not a time of the day"),
        ({"time_zone": "UTC", "days": "funday"}, '"fun'),
        ({"time_zone": "UTC", "from": "00:00", "to": "24:00"}, "the quiet hours never end"),
        ({"time_zone": "UTC", "windows": [{"days": "mon-sun"}]}, "the quiet hours never end"),
        (
            {"time_zone": "UTC", "days": "sun", "except": {"events": ["review.escalatd"]}},
            'unknown event "review.escalatd"; did you mean "review.escalated"?',
        ),
        ({"time_zone": "UTC", "days": "sun", "except": {"topics": ["review"]}}, "topics"),
        ({"time_zone": "UTC", "days": "sun", "except": {"severities": ["high"]}}, "severities"),
    ],
)
def test_invalid_quiet_hours_are_reported(given, problem):
    with pytest.raises(pydantic.ValidationError) as raised:
        quiet_settings.QuietHoursConfig(**given)
    assert problem in str(raised.value)
