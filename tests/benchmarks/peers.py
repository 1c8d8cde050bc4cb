"""The router compared with Alertmanager on identical work: from a POST to a notification.

    python tests/benchmarks/peers.py --json FILE

Each alert is in its own group, so each must lead to one call: the router opens an incident, and Alertmanager, with no
group wait, notifies a webhook. Both servers call the same vendor (``vendor.py``). The benchmark measures accepting,
processing, latency, memory, and the alerts that are lost if the process is killed while the vendor is down.
Prometheus resends firing alerts, so Alertmanager's loss is only a delay there. Other senders don't resend.

Keep is not measured. Its newest server exists only as container images. The server on PyPI, keephq 0.2.7 of 2023, has
mutually exclusive dependencies.
"""

import contextlib
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tests import ports
from tests.benchmarks import accept, latency, load, payloads, scene
from tests.end_to_end import harness

CONNECTIONS = 32
SETTLED_SECONDS = 120
AT_RATE = 50
ALERTMANAGER = """
route: {{receiver: vendor, group_by: [host], group_wait: 0s, group_interval: 5m}}
receivers: [{{name: vendor, webhook_configs: [{{url: "{vendor}/webhook", send_resolved: false}}]}}]
"""


class Peer(NamedTuple):
    """A server under test. ``starts`` restarts the server with its stored state, and returns its port."""

    name: str
    path: str
    is_durable: str
    starts: Callable[[], int]
    bodies: Callable[[Iterator[int]], Iterator[bytes]]


def router(stage: scene.Scene, vendor: str) -> Peer:
    return Peer(
        "router",
        "/v1/webhooks/alertmanager",
        "before it is accepted",
        lambda: stage.router("run", vendor=vendor, opens=latency.OPENS),
        lambda numbers: payloads.webhooks(1, numbers=numbers),
    )


def alertmanager(stage: scene.Scene, vendor: str) -> Peer:
    (stage.folder / "am.yml").write_text(ALERTMANAGER.format(vendor=vendor))

    def starts() -> int:
        port = ports.reserve()
        command = ["prometheus-alertmanager", "--config.file=am.yml", "--storage.path=am", "--log.level=error"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        stage.start(command, "alertmanager", GOMAXPROCS="1")
        harness.eventually("Alertmanager answers", lambda: accept.is_answering(port))
        return port

    return Peer("alertmanager", "/api/v2/alerts", "no", starts, lambda numbers: payloads.api_alerts(1, numbers=numbers))


def get_call_times(vendor: str, numbers: range) -> dict[int, int]:
    """The times at which the vendor was called for each of these alerts, in nanoseconds."""
    _, listed = harness.ask(f"{vendor}/received")
    return {number: listed[name] for number in numbers if (name := latency.host(number)) in listed}


def has_received_all(vendor: str, numbers: range) -> dict[int, int]:
    def found() -> dict[int, int] | None:
        times = get_call_times(vendor, numbers)
        return times if len(times) == len(numbers) else None

    times: dict[int, int] = harness.eventually("the vendor was called for every alert", found, SETTLED_SECONDS)
    return times


def requests(peer: Peer, numbers: range) -> Iterator[bytes]:
    for body in peer.bodies(iter(numbers)):
        yield load.request(peer.path, body, harness.TOKEN)


def measure_processing(stage: scene.Scene, peer: Peer, port: int, vendor: str, numbers: range) -> dict[str, Any]:
    """Send as fast as the server accepts. Measure until the vendor was called for each alert."""
    run = load.Closed(requests(peer, numbers), CONNECTIONS)
    with stage.busy(peer.name) as busy:
        began = time.perf_counter()
        run.drive(port)
        run.only(200, 202)
        has_received_all(vendor, numbers)
        took = time.perf_counter() - began
    return {
        "accepted/s": run.rate,
        "processed/s": len(numbers) / took,
        "us an alert": scene.microseconds(busy, len(numbers)),
    }


def measure_delays(peer: Peer, port: int, vendor: str, numbers: range) -> dict[str, Any]:
    """Milliseconds from when each alert was due until the vendor was called, at a low rate."""
    offset = time.monotonic_ns() / 1e9 - time.perf_counter()
    run = load.Open(requests(peer, numbers), AT_RATE)
    run.drive(port)
    run.only(200, 202)
    times = has_received_all(vendor, numbers)
    took = [times[number] / 1e9 - (due + offset) for number, due in zip(numbers, run.due, strict=True)]
    return {"median ms": load.percentile(took, 0.5) * 1000, "99th ms": load.percentile(took, 0.99) * 1000}


def count_lost(stage: scene.Scene, peer: Peer, port: int, vendor: str, numbers: range) -> dict[str, Any]:
    """Kill the server while the vendor is down. Start both again, and count the alerts without a call."""
    os.kill(stage.process_id("vendor"), signal.SIGKILL)
    run = load.Closed(requests(peer, numbers), CONNECTIONS)
    run.drive(port)
    run.only(200, 202)
    os.kill(stage.process_id(peer.name), signal.SIGKILL)
    latency.started_vendor(stage, port=int(vendor.rpartition(":")[2]))
    peer.starts()
    # Lost alerts never arrive, so the wait is limited. The router's circuit breaker probes after 30 seconds. A server
    # that isn't durable notifies immediately, or never.
    seconds = 60 if peer.is_durable else 15
    with contextlib.suppress(AssertionError):
        harness.eventually(
            "every alert led to a call", lambda: len(get_call_times(vendor, numbers)) == len(numbers), seconds
        )
    return {"killed with": len(numbers), "lost": len(numbers) - len(get_call_times(vendor, numbers))}


def measure_memory(stage: scene.Scene, peer: Peer) -> dict[str, Any]:
    """The resident memory of the server, and of Valkey if the server uses it."""
    status = Path(f"/proc/{stage.process_id(peer.name)}/status").read_text()
    own = float(status.partition("VmRSS:")[2].split()[0]) / 1024
    store = int(stage.redis.info("memory")["used_memory"]) / 1024 / 1024 if peer.name == "router" else 0.0
    return {"MB": own, "store MB": store}


def measure(stage: scene.Scene, peer: Peer, vendor: str, count: int) -> dict[str, Any]:
    """Return all figures of one peer. Peers send different alerts, so that the vendor can tell their calls apart."""
    first = 20_000 if peer.name == "router" else 60_000
    port = peer.starts()
    measure_processing(stage, peer, port, vendor, range(first - 20, first))  # Warm up.
    row: dict[str, Any] = {"server": peer.name, "alerts": count, "durable": peer.is_durable}
    row |= measure_processing(stage, peer, port, vendor, range(first, first + count))
    row |= measure_memory(stage, peer)
    row |= measure_delays(peer, port, vendor, range(first + count, first + count + count // 5))
    return row | count_lost(stage, peer, port, vendor, range(first + 2 * count, first + 2 * count + count // 5))


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    count = 50 if arguments.quick else int(arguments.seconds * 500)
    with scene.scene(arguments) as stage:
        vendor = f"http://127.0.0.1:{latency.started_vendor(stage)}"
        peers = [router(stage, vendor)]
        if shutil.which("prometheus-alertmanager"):
            peers.append(alertmanager(stage, vendor))
        else:
            print("prometheus-alertmanager is not installed: not measured")
        scene.measure_on_core_1()
        rows = [measure(stage, peer, vendor, count) for peer in peers]
        for row in rows[1:]:
            row["router takes, times"] = rows[0]["us an alert"] / row["us an alert"]
    scene.report("from a POST to a notification, beside Alertmanager", rows, arguments)


if __name__ == "__main__":
    main()
