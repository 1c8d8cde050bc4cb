"""A storm: 100,000 alerts of 50 incidents in 1,000 deliveries, at all four destinations.

    python tests/benchmarks/storm.py --json FILE

The figures are vendor calls per incident, seconds until all publications are in sync, and memory.
"""

import time
from pathlib import Path
from typing import Any

from router.store import keys
from tests.benchmarks import load, payloads, scene
from tests.end_to_end import harness

INCIDENTS = 50
DELIVERIES = 1_000
ALERTS = 100
MOST_CALLS, MOST_SECONDS, MOST_MEGABYTES = 3, 30, 300
RULES = """
rules:
  - name: storm
    when: {labels.severity: critical}
    group_by: [labels.host]
    severity: major
    open:
      - {at: on-call, name: "Trouble at {{ alert.labels.host | default: alert.title }}"}
      - {at: devhelm, title: "Trouble at {{ alert.labels.host | default: alert.title }}"}
      - {at: public-page, publish: auto, title: Trouble, message: We are investigating., components: [Checkout API]}
      - {at: devhelm-page, publish: auto, title: Trouble, message: We are investigating., components: [Checkout API]}
"""


def write_configuration(stage: scene.Scene, at: harness.Vendors) -> Path:
    """The configuration of the end-to-end tests, with rules for a storm and higher limits for posts."""
    file = harness.configure(stage.folder, at, rules=RULES)
    limits = "pages: {automatic_posts: {max: 1000, window: 1h}, automatic_components: {max: 1000, window: 1h}}"
    file.write_text(
        file.read_text().replace(
            "pages: {min_update_interval: 0s}", f"{limits}\nlog: {{level: error, format: console}}"
        )
    )
    return file


def is_open_everywhere(at: harness.Vendors) -> bool:
    return all(words == ["open"] * INCIDENTS for words in at.incidents().values())


def megabytes_at_most(process: int) -> float:
    """The peak memory of a process."""
    status = Path(f"/proc/{process}/status").read_text()
    return float(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(stage: scene.Scene, at: harness.Vendors, deliveries: int) -> dict[str, Any]:
    file = write_configuration(stage, at)
    process = stage.start([harness.COMMAND, "run", "--config", str(file)], "router")
    port = int(process.wait_for_output(r"http://127\.0\.0\.1:(\d+)/v1/webhooks")[1])
    bodies = payloads.webhooks(ALERTS, numbers=iter(range(deliveries * ALERTS)), hosts=INCIDENTS)
    run = load.Closed((load.request("/v1/webhooks/alertmanager", body, harness.TOKEN) for body in bodies), 16)
    began = time.perf_counter()
    run.drive(port)
    run.only(202)
    accepted = time.perf_counter() - began
    harness.eventually("all is folded in", lambda: not stage.redis.xlen(keys.INBOX), 120)
    harness.eventually("every incident is open everywhere", lambda: is_open_everywhere(at), 120)
    settled = time.perf_counter() - began
    changes = [call for call in at.calls() if call["method"] != "GET"]
    calls = len(changes) / INCIDENTS / len(harness.SHOWN_BY) / 2
    router = megabytes_at_most(process._process.pid)
    valkey = int(stage.redis.info("memory")["used_memory_peak"]) / 1024 / 1024
    good = calls <= MOST_CALLS and settled < MOST_SECONDS and max(router, valkey) < MOST_MEGABYTES
    return {
        "alerts": deliveries * ALERTS,
        "incidents": INCIDENTS,
        "accepted in s": accepted,
        "in step after s": settled,
        "changing calls an incident and destination": calls,
        "all vendor calls": len(at.calls()),
        "router MB": router,
        "valkey MB": valkey,
        "reached": scene.format_goal(good),
    }


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    with scene.scene(arguments) as stage, harness.vendors() as at:
        scene.measure_on_core_1()
        rows = [measure(stage, at, 20 if arguments.quick else DELIVERIES)]
    scene.report("a storm: 50 incidents at four destinations", rows, arguments)


if __name__ == "__main__":
    main()
