"""Alerts per second through web and worker in one process on one core, from the first POST to the last fold.

    python tests/benchmarks/end_to_end.py --json FILE

Alerts belong to 1,000 incidents, whose rules open nothing at a vendor. "new" alerts have not been seen before, and
each changes its incident. "repeats" are 20,000 firing alerts that are sent repeatedly, as in most storms.
"""

import itertools
import time
from collections.abc import Iterator
from typing import Any

from router.store import keys
from tests.benchmarks import load, payloads, scene
from tests.end_to_end import harness

GOALS = {1: 12_000, 20: 40_000}
HOSTS = 1_000  # Incident keys.
KNOWN = 20_000
CONNECTIONS = 32


def generate_numbers(kind: str, first: int, count: int) -> Iterator[int]:
    """The numbers of the alerts: all different, or a smaller set repeated."""
    if kind == "new":
        return iter(range(first, first + count))
    return itertools.islice(itertools.cycle(range(KNOWN)), count)


def send_and_fold(stage: scene.Scene, port: int, alerts: int, given: Iterator[int]) -> tuple[float, float]:
    """Seconds from the first POST until every accepted delivery is folded, committed, and acknowledged.

    Also return the 99th percentile of the response times of the POSTs, in seconds.
    """
    bodies = payloads.webhooks(alerts, numbers=given, hosts=HOSTS)
    run = load.Closed((load.request("/v1/webhooks/alertmanager", body, harness.TOKEN) for body in bodies), CONNECTIONS)
    began = time.perf_counter()
    run.drive(port)
    run.only(202)
    harness.eventually("all is folded in", lambda: not stage.redis.xlen(keys.INBOX), 120)
    return time.perf_counter() - began, load.percentile(run.latencies, 0.99)


def measure(stage: scene.Scene, port: int, alerts: int, kind: str, count: int) -> dict[str, Any]:
    if kind == "repeats":
        send_and_fold(stage, port, 20, generate_numbers("repeats", 0, min(count, KNOWN)))
    with stage.busy("router") as busy:
        took, slowest = send_and_fold(stage, port, alerts, generate_numbers(kind, KNOWN, count))
    stage.redis.flushall()
    folded = count / took
    return {
        "alerts a delivery": alerts,
        "alerts": kind,
        "number": count,
        "alerts/s": folded,
        "router us an alert": scene.microseconds(busy, count),
        "99th ms of the answers": slowest * 1000,
        **busy,
        "goal": f"{GOALS[alerts]:,}",
        "reached": scene.format_goal(folded >= GOALS[alerts]),
    }


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    rows = []
    with scene.scene(arguments) as stage:
        port = stage.router("run")
        scene.measure_on_core_1()
        send_and_fold(stage, port, 1, generate_numbers("new", 9_000_000, 100))  # Warm up connections and caches.
        stage.redis.flushall()
        for alerts, goal in GOALS.items():
            # The goal's rate times the duration, so that a faster router gets the same number of alerts.
            count = int(goal * arguments.seconds) // 20 * 20
            rows += [measure(stage, port, alerts, kind, count) for kind in ("new", "repeats")]
    scene.report("alerts a second, web and worker on one core", rows, arguments)


if __name__ == "__main__":
    main()
