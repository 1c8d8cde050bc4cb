"""Maintenance windows of the simulated DevHelm: scheduled, listed, and refused if they are invalid."""

import datetime as dt

import pytest

from tests.unit.simulator_devhelm import accounts

MONITOR = "11111111-1111-4111-8111-111111111111"
PATH = "/maintenance-windows"


def moment(seconds: int) -> str:
    """The time this many seconds after the account's start."""
    return (
        dt.datetime.fromtimestamp(accounts.BEGIN_AT // 1_000_000, dt.UTC) + dt.timedelta(seconds=seconds)
    ).isoformat()


def planned(account, begins: int, ends: int, **more):
    return account.expect(201, "POST", PATH, {"startsAt": moment(begins), "endsAt": moment(ends), **more})


def reasons(account, **query) -> list[str]:
    return [one["reason"] for one in account.expect(200, "GET", PATH, params=query)["data"]]


def test_created_window_has_the_requested_fields(account):
    made = planned(account, -60, 60, monitorId=MONITOR, reason="disks")
    assert (made["monitorId"], made["reason"], made["suppressAlerts"]) == (MONITOR, "disks", True)
    assert made["startsAt"] < made["createdAt"] < made["endsAt"]
    everything = planned(account, -60, 60, suppressAlerts=False)
    assert (everything["monitorId"], everything["suppressAlerts"]) == (None, False)


def test_windows_are_listed_by_state_and_monitor(account):
    planned(account, -60, 60, reason="now", monitorId=MONITOR)
    planned(account, 600, 660, reason="later")
    planned(account, -60, -30, reason="over")
    assert reasons(account) == ["now", "later", "over"]
    assert reasons(account, filter="active") == ["now"]
    assert reasons(account, filter="upcoming") == ["later"]
    assert reasons(account, monitorId=MONITOR) == ["now"]
    account.now += 620 * accounts.SECOND
    assert reasons(account, filter="active") == ["later"]
    assert reasons(account, size=2, page=1) == ["over"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"endsAt": moment(1)}, "startsAt"),
        ({"startsAt": moment(2), "endsAt": moment(1)}, "endsAt"),
        ({"startsAt": moment(0), "endsAt": moment(1), "monitorId": "seven"}, "monitorId"),
        ({"startsAt": moment(0), "endsAt": moment(1), "reason": "x" * 501}, "reason"),
    ],
)
def test_invalid_window_is_refused_with_its_field(account, body, field):
    told = account.expect(400, "POST", PATH, body)
    assert field in [one["field"] for one in told["errors"]]


def test_reset_deletes_maintenance_windows(account):
    planned(account, -60, 60, reason="now")
    account.vendor.reset()
    assert reasons(account) == []
