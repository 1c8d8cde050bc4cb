"""Maintenance windows of the simulated DevHelm: scheduled, listed, and refused if they are invalid."""

import datetime as dt

import pytest

from tests.unit.simulator_devhelm import accounts

MONITOR = "11111111-1111-4111-8111-111111111111"
PATH = "/maintenance-windows"


def format_time(seconds: int) -> str:
    """The time this many seconds after the account's start."""
    return (
        dt.datetime.fromtimestamp(accounts.BEGIN_AT // 1_000_000, dt.UTC) + dt.timedelta(seconds=seconds)
    ).isoformat()


def create_window(account, begins: int, ends: int, **more):
    return account.expect(201, "POST", PATH, {"startsAt": format_time(begins), "endsAt": format_time(ends), **more})


def list_reasons(account, **query) -> list[str]:
    return [item["reason"] for item in account.expect(200, "GET", PATH, params=query)["data"]]


def test_created_window_has_the_requested_fields(account):
    window = create_window(account, -60, 60, monitorId=MONITOR, reason="disks")
    assert (window["monitorId"], window["reason"], window["suppressAlerts"]) == (MONITOR, "disks", True)
    assert window["startsAt"] < window["createdAt"] < window["endsAt"]
    everything = create_window(account, -60, 60, suppressAlerts=False)
    assert (everything["monitorId"], everything["suppressAlerts"]) == (None, False)


def test_windows_are_listed_by_state_and_monitor(account):
    create_window(account, -60, 60, reason="now", monitorId=MONITOR)
    create_window(account, 600, 660, reason="later")
    create_window(account, -60, -30, reason="over")
    assert list_reasons(account) == ["now", "later", "over"]
    assert list_reasons(account, filter="active") == ["now"]
    assert list_reasons(account, filter="upcoming") == ["later"]
    assert list_reasons(account, monitorId=MONITOR) == ["now"]
    account.now += 620 * accounts.SECOND
    assert list_reasons(account, filter="active") == ["later"]
    assert list_reasons(account, size=2, page=1) == ["over"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"endsAt": format_time(1)}, "startsAt"),
        ({"startsAt": format_time(2), "endsAt": format_time(1)}, "endsAt"),
        ({"startsAt": format_time(0), "endsAt": format_time(1), "monitorId": "seven"}, "monitorId"),
        ({"startsAt": format_time(0), "endsAt": format_time(1), "reason": "x" * 501}, "reason"),
    ],
)
def test_invalid_window_is_refused_with_its_field(account, body, field):
    told = account.expect(400, "POST", PATH, body)
    assert field in [error["field"] for error in told["errors"]]


def test_reset_deletes_maintenance_windows(account):
    create_window(account, -60, 60, reason="now")
    account.vendor.reset()
    assert list_reasons(account) == []
