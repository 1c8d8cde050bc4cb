"""Alerts per second of one worker, against a bare loop that reads, decodes, and acknowledges the same stream.

    python tests/benchmarks/fold.py --json FILE

Deliveries of 1 or 20 alerts are in the inbox before either reader starts. The benchmark measures how fast the inbox
is emptied. Every alert is new, and belongs to one of 1,000 or 40,000 incidents, whose rule opens nothing at a vendor.
"""

import argparse
import sys
import time
from typing import Any

import msgspec

from router.domain import decisions, severities
from router.domain.alerts import Alert
from router.domain.deliveries import pack
from router.store import keys
from tests.benchmarks import scene
from tests.end_to_end import harness

SIZES = (1, 20)
KEYS = (1_000, 40_000)
GOAL = 0.5
RESPONSE = decisions.Response("storm", "rules.yaml:2", "v1")


def pack_delivery(first: int, alerts: int, incidents: int) -> bytes:
    """Encode a delivery like the webhook server."""
    routed = [
        (
            Alert(
                "alertmanager",
                f"{number:016x}",
                "firing",
                1_700_000_000_000_000,
                0,
                title="HighErrorRate",
                labels={"alertname": "HighErrorRate", "instance": f"node-{number}", "severity": "critical"},
                annotations={"summary": f"node {number} answers with errors"},
            ),
            decisions.Decision(f'storm{{labels.host="{number % incidents}"}}', severities.Severity.MAJOR, RESPONSE),
        )
        for number in range(first, first + alerts)
    ]
    return msgspec.msgpack.encode(pack(f"{first:032x}", "alertmanager", 1, routed))


def fill(stage: scene.Scene, deliveries: int, alerts: int, incidents: int) -> None:
    """Add deliveries with bodies of realistic size to the inbox."""
    pipeline = stage.redis.pipeline(transaction=False)
    for number in range(deliveries):
        pipeline.xadd(keys.INBOX, {"h": pack_delivery(number * alerts, alerts, incidents), "b": b"x" * 400 * alerts})
        if number % 500 == 499:
            pipeline.execute()
    pipeline.execute()


def measure_drain(stage: scene.Scene, reader: str) -> tuple[float, float]:
    """Deliveries per second, from the last time the inbox was full until it is empty.

    Also return the reader's processor time in that period, in seconds.
    """
    process = stage.process_id(reader)
    full = stage.redis.xlen(keys.INBOX)
    deadline = time.monotonic() + 60
    began, before = time.perf_counter(), 0.0
    while stage.redis.xlen(keys.INBOX) == full:
        assert time.monotonic() < deadline, "no worker empties the inbox"
        began, before = time.perf_counter(), scene.cpu_seconds(process)
    while stage.redis.xlen(keys.INBOX):
        time.sleep(0.002)
    return full / (time.perf_counter() - began), scene.cpu_seconds(process) - before


def measure_worker(stage: scene.Scene, deliveries: int, alerts: int, incidents: int) -> tuple[float, float]:
    """Alerts per second, and the worker's processor time per alert in microseconds."""
    fill(stage, deliveries, alerts, incidents)
    process = stage.start([harness.COMMAND, "worker", "--config", "router.yaml"], "worker")
    rate, seconds = measure_drain(stage, "worker")
    process.stop()
    stage.redis.flushall()
    return rate * alerts, seconds / (deliveries * alerts) * 1e6


def measure_bare_loop(stage: scene.Scene, deliveries: int, alerts: int, incidents: int) -> float:
    fill(stage, deliveries, alerts, incidents)
    process = stage.start([sys.executable, "-m", "tests.benchmarks.bare_reader", stage.valkey.socket], "bare")
    rate, _ = measure_drain(stage, "bare")
    process.stop()
    stage.redis.flushall()
    return rate * alerts


def measure(stage: scene.Scene, given: argparse.Namespace, alerts: int, incidents: int) -> dict[str, Any]:
    deliveries = max(1_000, int(50_000 * given.seconds / (alerts + 4)))
    bare = measure_bare_loop(stage, deliveries, alerts, incidents)
    worker, microseconds = measure_worker(stage, deliveries, alerts, incidents)
    return {
        "alerts a delivery": alerts,
        "incident keys": incidents,
        "alerts": deliveries * alerts,
        "worker alerts/s": worker,
        "worker us an alert": microseconds,
        "bare loop alerts/s": bare,
        "ratio": worker / bare,
        "goal": GOAL,
        "reached": scene.format_goal(worker / bare >= GOAL),
    }


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    with scene.scene(arguments) as stage:
        (stage.folder / "rules").mkdir()
        (stage.folder / "rules" / "rules.yaml").write_text("rules: []\n")
        (stage.folder / "router.yaml").write_text(
            "sources: {}\nrules: rules\ndata: data\nlog: {level: error, format: console}\nworker: {health_port: 0}\n"
        )
        scene.measure_on_core_1()
        rows = [measure(stage, arguments, alerts, incidents) for alerts in SIZES for incidents in KEYS]
    scene.report("alerts a second through one worker, which folds them in", rows, arguments)


if __name__ == "__main__":
    main()
