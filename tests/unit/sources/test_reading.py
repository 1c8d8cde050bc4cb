"""Parsing a delivery collects times in any format, and notices about unusable values."""

import pytest

from router.domain import alerts
from router.domain.notices import MAX_PER_CODE
from router.sources import base, reading

NOW = 1_772_450_000_000_000
ALERT = alerts.Alert("here", "f", "firing", NOW, 0)


def list_notices(delivery: reading.Reading, *found: alerts.Alert):
    return delivery.close(base.Parsed(list(found))).notices


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, 0),
        ("", 0),
        (0, 0),
        ("2026-03-02T12:00:00Z", 1_772_452_800_000_000),
        ("2026-03-02T12:00:00.000+0000", 1_772_452_800_000_000),
        ("2026-03-02T12:00:00.0000000Z", 1_772_452_800_000_000),
        ("2026-03-02 12:00:00.000", 1_772_452_800_000_000),
        (1_772_452_800, 1_772_452_800_000_000),
        (1_772_452_800.5, 1_772_452_800_500_000),
        ("1772452800000", 1_772_452_800_000_000),
    ],
)
def test_times_of_all_vendor_forms_are_read(value, expected):
    delivery = reading.Reading("here", NOW)
    assert delivery.moment(value, "at") == expected
    assert list_notices(delivery) == ()


@pytest.mark.parametrize("value", ["yesterday", True, [], {}, "1" * 41, 10**30, 1e300])
def test_unreadable_time_is_reported_with_its_path(value):
    delivery = reading.Reading("here", NOW)
    assert delivery.moment(value, "at") == 0
    (notice,) = list_notices(delivery)
    assert (notice.code, notice.where) == ("time_unreadable", "at")
    assert notice.detail.endswith("the time of receipt is used")
    assert len(notice.detail) < 200


def test_notice_about_a_single_alert_names_it():
    delivery = reading.Reading("here", NOW)
    delivery.ignore("link", "expected a text")
    assert [notice.fingerprint for notice in list_notices(delivery, ALERT)] == ["f"]


def test_notice_without_an_alert_belongs_to_the_delivery():
    delivery = reading.Reading("here", NOW)
    delivery.ignore("query", "not UTF-8")
    assert [notice.fingerprint for notice in list_notices(delivery, ALERT, ALERT)] == [""]


def test_many_notices_are_limited_and_counted():
    delivery = reading.Reading("here", NOW)
    for position in range(2_500):
        delivery.ignore(f"[{position}].link", "expected a text")
    notices = list_notices(delivery)
    assert len(notices) == MAX_PER_CODE + 1
    assert sum(notice.count for notice in notices) == 2_500
