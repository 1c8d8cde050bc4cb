"""Alerts a second through web and worker in one process on one core: from the first POST until all is folded in."""

import time

import redis

from router.store import keys
from tests.benchmarks import load, scene
from tests.end_to_end import harness

GOALS = {1: 8_000, 20: 40_000}
HOSTS = 1_000  # Incident keys.


def drained(connection: redis.Redis) -> bool:
    """Whether every accepted delivery has been folded in, committed and acknowledged."""
    return not connection.xlen(keys.INBOX)


def measure(stage: scene.Scene, port: int, alerts: int, seconds: float) -> dict[str, object]:
    count = max(50, int(GOALS[alerts] / alerts * seconds))
    path = "/v1/webhooks/alertmanager"
    requests = [load.request(path, body, harness.TOKEN) for body in scene.webhooks(count, alerts, HOSTS)]
    run = load.Run(requests, seconds, 32)
    connection = redis.Redis(unix_socket_path=stage.valkey.socket)
    connection.flushall()
    began = time.perf_counter()
    run.drive(port)
    harness.eventually("all is folded in", lambda: drained(connection), 120)
    took = time.perf_counter() - began
    folded = run.statuses[202] * alerts / took
    return {
        "alerts a delivery": alerts,
        "incident keys": HOSTS,
        "alerts/s": folded,
        "goal": f"{GOALS[alerts]:,}",
        "reached": "yes" if folded >= GOALS[alerts] else "no",
    }


def main() -> None:
    given = scene.arguments()
    with scene.scene() as stage:
        port = stage.router("run", opens="[]")
        scene.measure_on_core_1()
        rows = [measure(stage, port, alerts, given.seconds) for alerts in GOALS]
    scene.report("alerts a second, web and worker on one core", rows, given)


if __name__ == "__main__":
    main()
