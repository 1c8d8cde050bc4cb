"""Time to replay recorded alerts under two rule folders, against only reading the recordings.

    python tests/benchmarks/replay.py --json FILE

A million alerts in deliveries of ten come from eight services with 4,000 instances each. Most alerts repeat, some
resolve, and the example rules aggregate them into incidents. The goal is a minute on two cores. No figure fails the
run.
"""

import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from router.domain import alerts, recordings
from tests.benchmarks import figures
from tests.end_to_end import harness

ROOT = pathlib.Path(__file__).parents[2]
ALERTS = 1_000_000
QUICK = 20_000
A_DELIVERY = 10
GOAL_SECONDS = 60.0
SERVICES = ("checkout", "search", "api-orders", "api-users", "db", "mail", "cart", "stock")
START = 1_893_456_000_000_000


def deliveries(count):
    """Generate recordings of this many alerts, deterministically."""
    chance = random.Random(1)
    firing = {}
    now = START
    for number in range(count // A_DELIVERY):
        now += chance.randint(1_000, 600_000)
        arrived = [_alert(chance, firing, now) for _ in range(A_DELIVERY)]
        yield recordings.Recording(f"{number:032x}", "alertmanager", now, arrived)


def _alert(chance, firing, now):
    service, instance = chance.choice(SERVICES), chance.randrange(4_000)
    name = chance.choice(("Errors", "Slow", "Down"))
    labels = {
        "alertname": name,
        "service": service,
        "instance": f"host-{instance}:9100",
        "region": chance.choice(("Europe", "America", "eu")),
        "env": "staging" if instance % 4 == 0 else "production",
        "job": "postgres" if service == "db" else "app",
        "cluster": f"c{instance % 50}",
        "error_rate": "0.5",
    }
    fingerprint = f"{service}-{instance}-{name}"
    resolved = fingerprint in firing and chance.random() < 0.4
    starts_at = firing.pop(fingerprint) if resolved else firing.setdefault(fingerprint, now)
    status, ends_at = ("resolved", now) if resolved else ("firing", 0)
    title = f"{name} on host-{instance}: requests are slow"
    summary = {"summary": "Many requests fail or take longer than they should."}
    severity = chance.choice(("critical", "warning"))
    return alerts.Alert("alertmanager", fingerprint, status, starts_at, ends_at, title, labels, summary, severity)


def measure_reading(file):
    """Seconds to read the recordings without processing them."""
    begun = time.perf_counter()
    with file.open("rb") as lines:
        for line in lines:
            recordings.decode(line)
    return time.perf_counter() - begun


def measure_replay(file, folder):
    """Seconds of the whole command, and its counts."""
    other = folder / "rules"
    other.mkdir()
    for path in (ROOT / "rules").glob("*.yaml"):
        (other / path.name).write_text(path.read_text().replace("open_after: 2m", "open_after: 5m"))
    command = [harness.COMMAND, "deliveries", "replay", "rules", str(other), "--file", str(file), "--format", "json"]
    begun = time.perf_counter()
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return time.perf_counter() - begun, json.loads(done.stdout)


def main():
    """Measure, print, and write the result to the requested file."""
    arguments = figures.parse_arguments(__doc__, "few alerts")
    count = QUICK if arguments.quick else ALERTS
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        file = folder / "recordings.jsonl"
        with file.open("wb") as output:
            for delivery in deliveries(count):
                output.write(recordings.encode(delivery) + b"\n")
        baseline = measure_reading(file)
        seconds, said = measure_replay(file, folder)
    row = {
        "alerts": said["alerts"],
        "incidents": said["counts"]["incidents"]["before"],
        "changed": len(said["change"]),
        "seconds": round(seconds, 2),
        "reading alone": round(baseline, 2),
        "to reading": round(seconds / baseline, 2),
        "goal seconds": GOAL_SECONDS,
        "reached": "yes" if seconds <= GOAL_SECONDS else "no",
    }
    machine = {"cores": os.cpu_count(), "python": sys.version.split()[0]}
    result = {"benchmark": "seconds to replay under two rule folders", "machine": machine, "rows": [row]}
    figures.report(result, arguments.json)


if __name__ == "__main__":
    main()
