"""Workers are killed while posts are monitored and the vendors fail at random: no post stays false, doubled, or open.

Two webs get every alert. Of three workers, one dies at a point of an operation of ``resolve: {monitor_for: …}``.
"""

import itertools
import os
import time

import pytest

from tests.end_to_end import harness
from tests.faults import chaos, setups, test_vendors_stage

FULL = os.environ.get("CHAOS") == "full"
MONITORED = 'message: We are investigating., resolve: {monitor_for: 3s, message: "It works again."}'
RULES = chaos.RULES.replace("message: We are investigating.", MONITORED)
# The router sets a post to monitoring immediately, even if posts change often.
LIMITS = chaos.LIMITS.replace("pages: {", "pages: {min_update_interval: 0s, max_updates_per_hour: 100000, ")
PLACES = ["devhelm-page", "public-page"]
POINTS = test_vendors_stage.POINTS if FULL else ["after-call"]
KINDS = ["monitor", "update", "resolve"] if FULL else ["monitor"]
# Requests that are carried out a few seconds late arrive between the changes of a post.
FAULTS = [
    *([{"action": "act-late", "probability": 0.01, "hang_seconds": 3}] if FULL else []),
    *test_vendors_stage.FAULTS,
]
SETTLE_SECONDS = test_vendors_stage.SETTLE_SECONDS
MONITORING = {"MONITORING", "monitoring"}


@pytest.fixture
def setup(tmp_path):
    with setups.run_setup(tmp_path, RULES, LIMITS) as setup:
        for seed, fault in enumerate(FAULTS, int(os.environ.get("CHAOS_SEED", "1"))):
            setup.vendors.fault(**fault, seed=seed, count=1_000_000)
        for name in ("w2", "w3"):
            setup.worker(name)
        yield setup


def statuses(setup: setups.Setup, key: str) -> set[str]:
    """Return the statuses of the unresolved posts of an incident key."""
    posts = [*setup.vendors.state()["incident-io"]["status_page_incidents"], *setup.vendors.posts()]
    about = [post for post in posts if chaos.parse_key(post.get("title", post.get("name"))) == key]
    said = {one.get("incident_status", one.get("status")) for one in about}
    return said - {"RESOLVED", "resolved"}


def wait_until_settled(setup: setups.Setup, firing: dict[str, set[str]]) -> None:
    """Wait until the destinations show what fires, and no post of a firing alert is monitored."""
    test_vendors_stage.wait_until_settled(setup, firing, SETTLE_SECONDS)
    fires = [key for key, alerts in firing.items() if alerts]
    harness.eventually(
        "no post of what fires is monitored",
        lambda: not any(statuses(setup, key) & MONITORING for key in fires),
        SETTLE_SECONDS,
        every=0.5,
    )


def send_until_killed(
    setup: setups.Setup, senders: test_vendors_stage.Senders, dying: harness.Process, kind: str
) -> list[str]:
    """Send and resolve alerts (for an update, fire them again) until the worker is killed; return the firing keys."""
    deadline = time.monotonic() + SETTLE_SECONDS
    firing: list[str] = []
    while dying.is_running_after(test_vendors_stage.AGAIN_SECONDS):
        assert time.monotonic() < deadline, dying.output
        senders.fire()
        key = senders.keys[-1]
        harness.eventually("both pages show the post", lambda key=key: len(statuses(setup, key)) > 0, SETTLE_SECONDS)
        senders.send(key, "resolved")
        if kind == "update":
            harness.eventually(
                "it is monitored", lambda key=key: statuses(setup, key) & MONITORING or not statuses(setup, key), 60
            )
            senders.send(key)
            firing.append(key)
    assert setups.is_killed(dying), dying.output
    return firing


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", KINDS)
def test_workers_killed_during_monitoring_leave_no_post(setup, kind):
    senders = test_vendors_stage.Senders(setup)
    firing: list[str] = []
    for place, point in itertools.product(PLACES if FULL else PLACES[:1], POINTS):
        firing += send_until_killed(setup, senders, setup.start_dying_worker(place, kind, point), kind)
    if FULL:  # The vendor refuses the API key for a while.
        setup.vendors.fault(action="status", status=401, vendor="devhelm", count=20)
    wait_until_settled(setup, {key: {"alert"} if key in firing else set() for key in senders.keys})
    for key in firing:
        senders.send(key, "resolved")
    wait_until_settled(setup, {key: set() for key in senders.keys})
    assert test_vendors_stage.faults_met(setup)
