"""No accepted alert is lost and no incident is opened twice, whichever processes are killed."""

import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults import chaos, notification_checks, oracles, sentinels, topologies
from tests.integration import receiver

CUT = ({"worker": 8, "web": 3, "valkey": 2}, 2_000, 60)
FULL = ({"worker": 20, "web": 5, "valkey": 3}, 10_000, 500)  # Every message is sent twice.
WATCHED_CUT = ({"worker": 2, "web": 1, "valkey": 2}, 1_000, 40)
WATCHED_FULL = ({"worker": 10, "web": 3, "valkey": 8}, 4_000, 150)  # Two disturbances of each kind.
CLUSTERED_FULL = ({"worker": 10, "web": 3, "valkey": 6}, 4_000, 150)


def format_report(report: chaos.Report) -> str:
    return f"seed {report.seed}: {report}"


Length = tuple[dict[str, int], int, int]
"""The number of kills by process, of messages, and of incident keys."""


def check(folder: Path, make: Callable[[Path], topologies.Topology], cut: Length, full: Length) -> None:
    """Run the short or the full stage, and compare the state with the oracle."""
    seed = int(os.environ.get("CHAOS_SEED", "20261121"))
    kills, count, incident_keys = full if os.environ.get("CHAOS") == "full" else cut
    total = [kind for kind, times in kills.items() for _ in range(times)]
    report = chaos.run(folder, make, seed=seed, count=count, incident_keys=incident_keys, kills=total)
    print(format_report(report))
    assert report.wrong == [], format_report(report)
    assert report.settled_seconds < chaos.SETTLED_SECONDS, format_report(report)
    assert report.accepted == 2 * count
    assert report.kills == kills
    assert all(status in {0, 202} or status >= 500 for status in report.answers), format_report(report)


@pytest.mark.timeout(240)
def test_killed_processes_lose_and_double_nothing(tmp_path):
    check(tmp_path, topologies.Standalone, CUT, FULL)


@pytest.mark.timeout(240)
def test_accepted_alerts_survive_sentinel_failovers(tmp_path):
    check(tmp_path, sentinels.SentinelTopology, WATCHED_CUT, WATCHED_FULL)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_accepted_alerts_survive_cluster_failovers(tmp_path):
    check(tmp_path, topologies.Clustered, WATCHED_CUT, CLUSTERED_FULL)


def test_oracle_uses_alert_times_not_arrival():
    oracle = oracles.Oracle()
    fires, ends, again = (
        oracles.Message("k1", "a", 10, 0),
        oracles.Message("k1", "a", 10, 20),
        oracles.Message("k1", "a", 30, 0),
    )
    for message in (ends, fires, ends):
        oracle.accept(message)
    assert oracle.firing() == {"k1": set()}
    oracle.accept(again)
    oracle.accept(fires)
    assert oracle.firing() == {"k1": {"a"}}


def test_messages_are_reproducible_and_out_of_order():
    made = oracles.messages(random.Random(1), 500, 20)
    assert [(m.key, m.alert, bool(m.ends_at)) for m in made] == [
        (m.key, m.alert, bool(m.ends_at)) for m in oracles.messages(random.Random(1), 500, 20)
    ]
    moments = [message.ends_at or message.starts_at for message in made]
    assert moments != sorted(moments)
    assert {message.key for message in made} == {f"k{number}" for number in range(20)}


def request(identity: str, *, reference: str = "IR-1", title: str = "Down") -> receiver.Request:
    data = {"incident": {"reference": reference, "title": title}}
    event = {"id": identity, "type": "incident-router.incident.opened", "data": data}
    return receiver.Request("/", {"webhook-id": identity}, json.dumps(event).encode())


@pytest.mark.parametrize(
    ("requests", "problem"),
    [
        ([], "no event was delivered"),
        ([request("a")] * 34, "33 events were delivered again after 1 kills"),
        ([request("a"), request("a", title="Up")], "a has 2 bodies"),
        ([request("a"), request("b")], "IR-1 was announced 2 times"),
    ],
)
def test_doubled_notifications_are_found(requests, problem):
    assert list(notification_checks.list_unexplained(requests, 1)) == [problem]


def test_repeated_event_after_a_kill_is_accepted():
    assert (
        list(notification_checks.list_unexplained([request("a"), request("b", reference="IR-2"), request("a")], 1))
        == []
    )
