"""DevHelm's Python client schedules and lists maintenance at the simulated DevHelm, and reads every response."""

import datetime as dt

import pytest

from router.simulator import options, server
from tests.contract import sdks

KEY = "dh-let-me-in"
BEGIN_AT = 1_750_000_000_123_457
NOW = dt.datetime.fromtimestamp(BEGIN_AT // 1_000_000, dt.UTC)
HOUR = dt.timedelta(hours=1)


@pytest.fixture
def client():
    with server.Server(options.Options(clock=lambda: BEGIN_AT)) as simulator:
        one = sdks.devhelm_client.Client(
            KEY, base_url=f"{simulator.url}/devhelm", org_id="4711", workspace_id="1", timeout=10
        )
        yield one
        one.wire.close()


def test_maintenance_is_scheduled_and_listed(client):
    planned = ((NOW - HOUR / 2, "disks"), (NOW + HOUR / 2, "cables"))
    made = [
        client.maintenance_windows.create(
            {"startsAt": begin.isoformat(), "endsAt": (begin + HOUR).isoformat(), "reason": why}
        )
        for begin, why in planned
    ]
    assert [(one.reason, one.monitor_id, one.suppress_alerts) for one in made] == [
        ("disks", None, True),
        ("cables", None, True),
    ]
    assert client.maintenance_windows.list() == made
    assert client.maintenance_windows.list(status="active") == made[:1]
    assert client.maintenance_windows.list(status="upcoming") == made[1:]
