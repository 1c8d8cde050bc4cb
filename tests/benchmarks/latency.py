"""From the POST of an alert to the vendor's receipt of the create: one at a time, and at 500 new incidents a second."""

import asyncio
import json
import re
import time
from typing import ClassVar

import uvloop

from tests.benchmarks import load, scene
from tests.end_to_end import harness

OPENS = '[{at: on-call, name: "{{ alert.labels.host | default: alert.title }}", severity: Major}]'
RATE = 500
_NAME = re.compile(rb'"name":\s*"(host-\d+)"')
_INCIDENT = {
    "id": "01BENCH",
    "name": "bench",
    "reference": "INC-1",
    "status": "investigating",
    "permalink": "https://app.incident.example/1",
    "visibility": "public",
    "mode": "real",
}
_NAMED = [{"id": "01MAJOR", "name": "Major", "rank": 1, "description": "", "category": "live"}]


class Vendor(asyncio.Protocol):
    """Answers like incident.io as far as a create goes, and notes when each create was received."""

    received: ClassVar[dict[str, float]] = {}
    waiting: ClassVar[dict[str, asyncio.Event]] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        at = time.perf_counter()
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = re.search(rb"content-length: (\d+)", self._buffer[:end].lower())
        size = end + 4 + (int(length[1]) if length else 0)
        if len(self._buffer) < size:
            return
        request, self._buffer = self._buffer[:size], self._buffer[size:]
        if name := _NAME.search(request):
            key = name[1].decode()
            Vendor.received[key] = at
            if key in Vendor.waiting:
                Vendor.waiting[key].set()
        kinds = ("severities", "incident_types", "incident_statuses")
        body = {"incident": {**_INCIDENT, "severity": _NAMED[0]}} | dict.fromkeys(kinds, _NAMED)
        raw = json.dumps(body).encode()
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(raw)}\r\n\r\n"
        self._transport.write(head.encode() + raw)  # type: ignore[attr-defined]


def body(number: int) -> bytes:
    return load.request("/v1/webhooks/alertmanager", scene.webhook([scene.alert(number)]), harness.TOKEN)


class Sender:
    """A few kept connections to the door."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def send(self, number: int) -> None:
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection("127.0.0.1", self._port)
        writer.write(body(number))
        head = await reader.readuntil(b"\r\n\r\n")
        assert b" 202 " in head, head
        length = int(re.search(rb"content-length: (\d+)", head.lower())[1])
        await reader.readexactly(length)
        self._idle.append((reader, writer))


async def one_at_a_time(sender: Sender, count: int, first: int) -> list[float]:
    found = []
    for number in range(first, first + count):
        key = f"host-{number}"
        Vendor.waiting[key] = asyncio.Event()
        began = time.perf_counter()
        await sender.send(number)
        await asyncio.wait_for(Vendor.waiting[key].wait(), 10)
        found.append(Vendor.received[key] - began)
    return found


async def at_a_rate(sender: Sender, seconds: float, first: int) -> list[float]:
    """Open loop: every alert is due at its time, whether those before have arrived or not."""
    began = time.perf_counter()
    due, tasks = {}, []
    for number in range(int(seconds * RATE)):
        at = began + number / RATE
        await asyncio.sleep(max(0.0, at - time.perf_counter()))
        due[f"host-{first + number}"] = at
        tasks.append(asyncio.create_task(sender.send(first + number)))
    await asyncio.gather(*tasks)
    deadline = time.perf_counter() + 30
    while not all(key in Vendor.received for key in due) and time.perf_counter() < deadline:
        await asyncio.sleep(0.01)
    missing = [key for key in due if key not in Vendor.received]
    if missing:
        raise SystemExit(f"{len(missing)} incidents were never created")
    return [Vendor.received[key] - at for key, at in due.items()]


def row(name: str, values: list[float], median_goal: float | None, tail_goal: float) -> dict[str, object]:
    median, tail = load.percentile(values, 0.5) * 1000, load.percentile(values, 0.99) * 1000
    reached = tail <= tail_goal and (median_goal is None or median <= median_goal)
    goal = f"{median_goal or '-'} and {tail_goal}"
    return {
        "how": name,
        "incidents": len(values),
        "median ms": median,
        "99th ms": tail,
        "goal ms": goal,
        "reached": "yes" if reached else "no",
    }


async def measure(stage: scene.Scene, given: scene.argparse.Namespace) -> list[dict[str, object]]:
    loop = asyncio.get_running_loop()
    serving = await loop.create_server(Vendor, "127.0.0.1", 0)
    vendor = f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}"
    port = await asyncio.to_thread(stage.router, "run", vendor=vendor, opens=OPENS)
    sender = Sender(port)
    await one_at_a_time(sender, 20, 90_000)  # Connections, caches and names are there once these are through.
    single = await one_at_a_time(sender, 20 if given.quick else 500, 0)
    crowd = await at_a_rate(sender, given.seconds, 10_000)
    serving.close()
    return [row("one at a time", single, 3.0, 10.0), row(f"{RATE} a second", crowd, None, 50.0)]


def main() -> None:
    given = scene.arguments()
    with scene.scene() as stage:
        scene.measure_on_core_1()
        rows = uvloop.run(measure(stage, given))
    scene.report("from the POST to the vendor's receipt of the create", rows, given)


if __name__ == "__main__":
    main()
