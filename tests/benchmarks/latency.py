"""From an alert's POST to the vendor's receipt of the create: sequential, and at 500 new incidents per second.

    python tests/benchmarks/latency.py --json FILE

`incident-router run` has one core. The sender and the vendor (``vendor.py``, its own process) share the other. At a
fixed rate, an alert's time counts from when it was due to be sent, so late requests count in full.
"""

import asyncio
import sys
import time
from collections.abc import Iterable, Mapping
from typing import Any

import uvloop

from tests import ports
from tests.benchmarks import load, payloads, scene
from tests.end_to_end import harness

OPENS = '[{at: on-call, name: "{{ alert.labels.host | default: alert.title }}", severity: Major}]'
RATE = 500
WARM_UP = 20
Goal = tuple[float | None, float]
"""The goals for the median and the 99th percentile, in milliseconds."""
GOALS: Mapping[str, Goal] = {"one at a time": (3.0, 10.0), "at a rate": (None, 50.0)}


def requests(numbers: Iterable[int]) -> Iterable[bytes]:
    """One alert per request, each from a different host: a new incident."""
    for body in payloads.webhooks(1, numbers=iter(numbers)):
        yield load.request("/v1/webhooks/alertmanager", body, harness.TOKEN)


def host(number: int) -> str:
    return f"host-{number:08d}"


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: bytes) -> tuple[bytes, bytes]:
    """Send a request. Return the head and the body of the response."""
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
    return head, await reader.readexactly(int(length.partition(b":")[2]))


async def one_at_a_time(web_server: int, vendor: int, numbers: range) -> list[float]:
    """Seconds from the start of the request until the vendor has the create. The next request starts afterwards."""
    to_web = await asyncio.open_connection("127.0.0.1", web_server)
    to_vendor = await asyncio.open_connection("127.0.0.1", vendor)
    found = []
    for number, request in zip(numbers, requests(numbers), strict=True):
        encoded = f"GET /received?name={host(number)} HTTP/1.1\r\nhost: bench\r\n\r\n".encode()
        waiting = asyncio.create_task(exchange(*to_vendor, encoded))
        await asyncio.sleep(0)
        began = time.monotonic_ns()
        head, _ = await exchange(*to_web, request)
        assert head.startswith(b"HTTP/1.1 202"), head
        _, received = await asyncio.wait_for(waiting, harness.PATIENCE_SECONDS)
        found.append((int(received) - began) / 1e9)
    for _, writer in (to_web, to_vendor):
        writer.close()
    return found


def at_a_rate(web_server: int, vendor: int, numbers: range, rate: int = RATE) -> list[float]:
    """Seconds from when each request was due until the vendor has the create."""
    # The two clocks run at the same speed but have different origins.
    offset = time.monotonic_ns() / 1e9 - time.perf_counter()
    run = load.Open(requests(numbers), rate)
    run.drive(web_server)
    run.only(202)
    url = f"http://127.0.0.1:{vendor}/received"

    def all_received() -> dict[str, int] | None:
        received: dict[str, int] = harness.ask(url)[1]
        return received if all(host(number) in received for number in numbers) else None

    received = harness.eventually("the vendor has every incident", all_received)
    return [received[host(number)] / 1e9 - (due + offset) for number, due in zip(numbers, run.due, strict=True)]


def row(
    name: str, values: list[float], goals: Mapping[str, Goal] = GOALS, rate: int = RATE, **more: Any
) -> dict[str, Any]:
    """Return one row of the report."""
    median, tail = load.percentile(values, 0.5) * 1000, load.percentile(values, 0.99) * 1000
    median_goal, tail_goal = goals[name]
    good = tail <= tail_goal and (median_goal is None or median <= median_goal)
    return {
        "how": name if name != "at a rate" else f"{rate} a second",
        "incidents": len(values),
        "median ms": median,
        "99th ms": tail,
        "most ms": max(values) * 1000,
        "router us an incident": scene.microseconds(more, len(values)),
        **more,
        "goal: median, 99th": f"{median_goal or '-'}, {tail_goal}",
        "reached": scene.format_goal(good),
    }


def started_vendor(stage: scene.Scene, name: str = "vendor", port: int = 0) -> int:
    port = port or ports.reserve()
    command = [sys.executable, "-c", f"from tests.benchmarks import vendor; vendor.main({port})"]
    stage.start(command, name, core=1)

    def answers() -> bool:
        try:
            return harness.ask(f"http://127.0.0.1:{port}/received")[0] == 200
        except OSError:
            return False

    harness.eventually("the vendor answers", answers)
    return port


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    with scene.scene(arguments) as stage:
        vendor = started_vendor(stage)
        web_server = stage.router("run", vendor=f"http://127.0.0.1:{vendor}", opens=OPENS)
        scene.measure_on_core_1()
        # Warm-up: afterwards, connections, caches, and the names of severities are available.
        uvloop.run(one_at_a_time(web_server, vendor, range(90_000, 90_000 + WARM_UP)))
        with stage.busy("router") as busy:
            single = uvloop.run(one_at_a_time(web_server, vendor, range(20 if arguments.quick else 500)))
        rows = [row("one at a time", single, **busy)]
        with stage.busy("router") as busy:
            crowd = at_a_rate(web_server, vendor, range(10_000, 10_000 + int(arguments.seconds * RATE)))
        rows.append(row("at a rate", crowd, **busy))
    scene.report("milliseconds from the POST to the vendor's receipt of the create", rows, arguments)


if __name__ == "__main__":
    main()
