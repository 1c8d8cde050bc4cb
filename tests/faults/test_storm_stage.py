"""A storm of large bodies at a nearly full store: accepted deliveries are processed, with few calls per incident."""

import contextlib
import datetime as dt
import hashlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import redis

from tests.faults import chaos, oracles, topologies

IS_FULL = os.environ.get("CHAOS") == "full"
BODIES, ALERTS, KEYS = (1_000 if IS_FULL else 200), 100, 50
KILLS = {"worker": 3, "web": 1, "valkey": 1}
MEMORY_MB = 40 if IS_FULL else 12
# Per incident at a vendor: one open and one resolve, and one repetition after each kill.
MOST_OPERATIONS = 2 + KILLS["worker"] + KILLS["valkey"]
BEGAN_AT, ENDED_AT = 1_795_000_000_000, 1_795_000_600_000  # Milliseconds.


@dataclass(frozen=True)
class Delivery:
    """A body of an Alertmanager: alerts of one incident."""

    messages: tuple[oracles.Message, ...]
    source = "alertmanager"

    @property
    def body(self) -> dict[str, Any]:
        return {"version": "4", "groupKey": "g", "receiver": "r", "status": "firing", "alerts": list(self._alerts())}

    def _alerts(self) -> Iterator[dict[str, Any]]:
        for message in self.messages:
            over = {"endsAt": format_time(message.ends_at)} if message.ends_at else {}
            yield {
                "status": "resolved" if message.ends_at else "firing",
                "labels": {
                    "alertname": "Down",
                    "env": "chaos",
                    "key": message.key,
                    "instance": f"{message.alert}.example:9100",
                },
                # Stored deliveries are compressed. This text can't be.
                "annotations": {"log": hashlib.shake_256(message.alert.encode()).hexdigest(100)},
                "startsAt": format_time(message.starts_at),
                "fingerprint": message.alert,
            } | over


class Oracle(oracles.Oracle):
    """Records deliveries, whose alerts are accepted or rejected together."""

    def accept(self, delivery: Delivery) -> None:
        for message in delivery.messages:
            super().accept(message)


def format_time(milliseconds: int) -> str:
    return dt.datetime.fromtimestamp(milliseconds / 1000, dt.UTC).isoformat()


def storm(chance: random.Random) -> list[list[Delivery]]:
    """Send firing alerts. Then repeat the alerts of even keys, and resolve the alerts of odd keys.

    The second part waits until the first is accepted. Otherwise an incident could correctly resolve and reopen.
    """
    first, then = [], []
    for number in range(BODIES // 2):
        key = number % KEYS
        alerts = [f"{key:04x}{number // KEYS:04x}{alert:08x}" for alert in range(ALERTS)]
        fires = tuple(oracles.Message(f"k{key}", alert, BEGAN_AT, 0) for alert in alerts)
        over = tuple(oracles.Message(f"k{key}", alert, BEGAN_AT, ENDED_AT) for alert in alerts)
        first.append(Delivery(fires))
        then.append(Delivery(over if key % 2 else fires))
    chance.shuffle(first)
    chance.shuffle(then)
    return [first, then]


def operations(deployment: chaos.Deployment) -> Counter[str]:
    """Return the number of writes to each incident at incident.io, including the call that created it."""
    counts = Counter(incident["id"] for incident in deployment.vendors.state()["incident-io"]["incidents"])
    for call in deployment.vendors.calls("POST", vendor="incident-io"):
        if call["path"].startswith("/v2/incidents/"):
            counts[call["path"].split("/")[3]] += 1
    return counts


def peak(deployment: chaos.Deployment) -> int:
    """Return the peak memory of Valkey in bytes."""
    with contextlib.closing(redis.Redis.from_url(deployment.topology.settings["url"])) as connection:
        return int(connection.info("memory")["used_memory_peak"])


def count_refusals(deployment: chaos.Deployment) -> int:
    """Return the number of deliveries that were rejected because memory was nearly full."""
    return sum((deployment.folder / f"web-{number}.log").read_text().count("of its memory") for number in range(2))


@pytest.mark.timeout(240)
def test_storm_on_full_store_loses_and_doubles_nothing(tmp_path):
    """Vendors receive few calls."""
    seed = int(os.environ.get("CHAOS_SEED", "20261121"))
    chance = random.Random(seed)
    seen: dict[str, Any] = {}

    def look(deployment: chaos.Deployment) -> None:
        seen.update(
            operations=operations(deployment), refusals=count_refusals(deployment), peak_mb=peak(deployment) / 1_048_576
        )

    report = chaos.run_phases(
        tmp_path,
        lambda folder: topologies.Standalone(folder, "--maxmemory", f"{MEMORY_MB}mb"),
        storm(chance),
        Oracle(),
        seed=seed,
        chance=chance,
        kills=[kind for kind, times in KILLS.items() for _ in range(times)],
        then=look,
    )
    print(f"seed {seed}: {report} {seen}")
    assert report.wrong == []
    assert report.accepted == 2 * BODIES * ALERTS
    assert report.settled_seconds < chaos.SETTLED_SECONDS
    assert report.answers.keys() <= {0, 202, 503}
    assert seen["peak_mb"] > 0.5 * MEMORY_MB, "the limit was never near"
    assert KEYS // 2 <= len(seen["operations"]) <= KEYS, "incidents that resolve while queued need not open"
    assert max(seen["operations"].values()) <= MOST_OPERATIONS
