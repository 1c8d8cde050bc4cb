"""Processor time per vendor call, against httpx: sequential, and 32 concurrent calls.

    python tests/benchmarks/calls.py --json FILE

The router's client posts an incident, decodes the response, and measures the duration for its metric. The vendor
(``vendor.py``) runs in its own process, so its time does not count. httpx with its default transport takes turns with
the router's client.
"""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import msgspec
import uvloop

from router.outbound import client
from tests.benchmarks import latency, load, scene

AT_ONCE = (1, 32)
ROUNDS = 5
GOAL = 500
BODY = {"idempotency_key": "IR-7F3K2QXM-A1B4T9", "name": "Checkout", "severity_id": "01S1", "summary": "x" * 300}
PATH = "/v2/incidents"
Call = Callable[[], Awaitable[object]]


def router_call(url: str) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """Return a call with the router's client, and the function that closes the client."""
    http = client.Client(name="bench", base_url=url, headers={}, timeout_seconds=10, now=lambda: 0)

    async def call() -> object:
        return (await http.call("POST", PATH, json=BODY)).body

    return call, http.aclose


def httpx_call(url: str) -> tuple[Call, Callable[[], Awaitable[None]]]:
    """Return the equivalent call with a minimal httpx client."""
    limits = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=60)
    http = httpx.AsyncClient(limits=limits, trust_env=False, timeout=10)

    async def call() -> object:
        headers = {"content-type": "application/json"}
        answer = await http.post(url + PATH, content=msgspec.json.encode(BODY), headers=headers)
        return msgspec.json.decode(answer.content)

    return call, http.aclose


async def microseconds(call: Call, at_once: int, calls: int) -> float:
    """Processor time of this process per call, with ``at_once`` concurrent calls."""

    async def some(count: int) -> None:
        for _ in range(count):
            assert await call()

    await asyncio.gather(*(some(2) for _ in range(at_once)))
    each = max(1, calls // at_once)
    began = time.process_time()
    await asyncio.gather(*(some(each) for _ in range(at_once)))
    return (time.process_time() - began) / (each * at_once) * 1e6


async def measure(url: str, rounds: int, calls: int) -> list[dict[str, Any]]:
    """One row per number of concurrent calls, with the medians of the rounds."""
    contenders = {"router": router_call(url), "httpx": httpx_call(url)}
    rows = []
    for at_once in AT_ONCE:
        taken: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(rounds):
            for name, (call, _end) in contenders.items():
                taken[name].append(await microseconds(call, at_once, calls))
        router, bare = (statistics.median(taken[name]) for name in ("router", "httpx"))
        row = {"calls at once": at_once, "router us": router, "httpx us": bare, "httpx is times": bare / router}
        rows.append(row | {"goal": GOAL, "reached": scene.format_goal(router <= GOAL)})
    for _, end in contenders.values():
        await end()
    return rows


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    with scene.scene(arguments) as stage:
        url = f"http://127.0.0.1:{latency.started_vendor(stage)}"
        load.pin(0)
        rounds, calls = (1, 64) if arguments.quick else (ROUNDS, 320)
        rows = uvloop.run(measure(url, rounds, calls))
    scene.report("microseconds of processor time for one vendor call", rows, arguments)


if __name__ == "__main__":
    main()
