"""The 99th percentile of honest senders' response times during each kind of attack.

    python tests/benchmarks/hostile.py --json FILE

`incident-router web` has one core, and 256 MiB of memory if control groups can be created. The attacker and the
honest sender share the other core. The honest sender's times count from when a delivery was due. `no attack` is the
baseline of the machine.
"""

import asyncio
import contextlib
import datetime as dt
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, NamedTuple

import uvloop

from tests import cgroups, ports
from tests.benchmarks import load, scene
from tests.end_to_end import harness
from tests.integration import attacks

GOAL_MS = 100.0
HEALTH_GOAL_MS = 250.0
RATE = 100
LIMIT_BYTES = 256 * attacks.MIB
TOPIC = "arn:aws:sns:eu-north-1:111122223333:alarms"
SOURCES = f"""
  open: {{kind: json, auth: none}}
  bearer: {{kind: json, bearer: [word]}}
  signed: {{kind: json, signature: {{scheme: github, secrets: [word]}}}}
  sns: {{kind: cloudwatch, topics: ["{TOPIC}"]}}
"""
CONFIGURATION = f"""
web: {{{{port: {{web_server}}, health_port: {{health}}}}}}
management: {{{{port: 0}}}}
sources: {SOURCES.replace("{", "{{").replace("}", "}}")}
log: {{{{level: error, format: console}}}}
rules: rules
data: data
"""


class Ports(NamedTuple):
    """The server's ports."""

    port: int
    health_port: int


class Attack(NamedTuple):
    """A number of connections that repeat an action."""

    connections: int
    once: Callable[[Ports, int], Any]


async def _hold(server: Ports, number: int) -> None:
    """Open a connection and never finish its request."""
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/webhooks/bearer HTTP/1.1\r\nHost: x\r\nX-Long: " + b"x" * (number % 2 * 60_000))
        await reader.read(1)
        writer.close()


async def _idle(server: Ports, _number: int) -> None:
    with contextlib.suppress(OSError):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        await reader.read(1)
        writer.close()


def _posts(make: Callable[[int], attacks.Request]) -> Callable[[Ports, int], Any]:
    return lambda server, number: attacks.post(server, make(number))


def _sns(number: int) -> attacks.Request:
    url = f"https://sns.eu-north-1.amazonaws.com/SimpleNotificationService-{number:032x}.pem"
    at = dt.datetime.now(dt.UTC).isoformat()
    message = {"Type": "Notification", "TopicArn": TOPIC, "Timestamp": at, "SignatureVersion": "2"}
    return attacks.Request("sns", json.dumps({**message, "SigningCertURL": url}).encode())


def list_kinds() -> dict[str, Attack | None]:
    """All attacks by name."""
    found: dict[str, Attack | None] = {"no attack": None}
    for name, body, headers in attacks.bodies():
        request = attacks.Request("bearer", body, {**attacks.BEARER, **headers})
        found[name] = Attack(16, _posts(lambda _, request=request: request))  # type: ignore[misc]
    large = b'{"title":"' + b"x" * (attacks.MIB - 100) + b'"'
    found["1,000 unproven bodies of 1 MiB"] = Attack(1000, _posts(lambda _: attacks.Request("signed", large)))
    found["wrong tokens"] = Attack(16, _posts(lambda _: attacks.Request("bearer", attacks.HONEST)))
    found["forged SNS messages"] = Attack(100, _posts(_sns))
    found["1,000 unfinished headers"] = Attack(1000, _hold)
    found["8,000 idle connections"] = Attack(8000, _idle)
    return found


def attack(server: Ports, name: str) -> None:
    """Attack the server until this process ends."""
    chosen = list_kinds()[name]
    assert chosen is not None
    numbers = itertools.count()

    async def repeat() -> None:
        while True:
            await chosen.once(server, next(numbers))
            await asyncio.sleep(0.005)  # Don't call a server that refuses immediately in a tight loop.

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for started in range(chosen.connections):
                group.create_task(repeat())
                if started % 100 == 99:
                    await asyncio.sleep(0.01)
            print("attacking", flush=True)
            os.nice(19)  # Keep waits for the shared core out of the honest sender's times.

    uvloop.run(main())


@contextlib.asynccontextmanager
async def _probing(server: Ports) -> AsyncIterator[list[float]]:
    """Request ``/healthz`` repeatedly during the block. Yield the response times in seconds."""
    seconds: list[float] = []

    async def repeat() -> None:
        while True:
            began = time.perf_counter()
            reader, writer = await asyncio.open_connection("127.0.0.1", server.health_port)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await reader.read()
            seconds.append(time.perf_counter() - began)
            writer.close()
            await asyncio.sleep(0.05)

    task = asyncio.create_task(repeat())
    try:
        yield seconds
    finally:
        task.cancel()


async def _measure(server: Ports, seconds: float) -> tuple[load.Open, list[float]]:
    request = load.request("/v1/webhooks/bearer", attacks.HONEST, "word")
    run = load.Open(itertools.repeat(request, max(10, int(RATE * seconds))), RATE)
    async with _probing(server) as probes:
        await run.run(server.port)
    return run, probes


def measure(stage: scene.Scene, server: Ports, name: str, seconds: float) -> dict[str, Any]:
    """Measure one row of the report."""
    process = None
    if name != "no attack":
        code = f"from tests.benchmarks import hostile; hostile.attack(hostile.Ports{tuple(server)}, {name!r})"
        process = stage.start([sys.executable, "-c", code], "attacker", core=1)
        process.wait_for_output("attacking")
    try:
        with stage.busy("router") as busy:
            run, probes = uvloop.run(_measure(server, seconds))
    finally:
        if process is not None:
            process.kill()
    tail, health = load.percentile(run.latencies, 0.99) * 1000, max(probes, default=0.0) * 1000
    accepted = run.statuses[202]
    return {
        "attack": name,
        "honest": len(run.latencies),
        "accepted": accepted,
        "median ms": load.percentile(run.latencies, 0.5) * 1000,
        "99th ms": tail,
        "most ms": max(run.latencies) * 1000,
        "/healthz most ms": health,
        **busy,
        "goal": f"{GOAL_MS:g}, {HEALTH_GOAL_MS:g}",
        "reached": scene.format_goal(tail <= GOAL_MS and health <= HEALTH_GOAL_MS and accepted == len(run.latencies)),
    }


@contextlib.contextmanager
def _served(stage: scene.Scene, group: cgroups.MemoryGroup | str) -> Iterator[Ports]:
    server = Ports(ports.reserve(), ports.reserve())
    (stage.folder / "rules").mkdir()
    (stage.folder / "rules" / "a.yaml").write_text("rules: [{name: all, when: {source: bearer}, ignore: enough}]")
    text = CONFIGURATION.format(web_server=server.port, health=server.health_port)
    (stage.folder / "router.yaml").write_text(text)
    command = [harness.COMMAND, "web", "--config", "router.yaml"]
    process = stage.start(command if isinstance(group, str) else group.command(*command), "router")
    process.wait_for_output("/v1/webhooks")
    try:
        yield server
    finally:
        process.stop()


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    names = ["no attack", "deep lists", "forged SNS messages"] if arguments.quick else list(list_kinds())
    with cgroups.limited(LIMIT_BYTES) as group, scene.scene(arguments) as stage, _served(stage, group) as server:
        scene.measure_on_core_1()
        rows = [measure(stage, server, name, arguments.seconds) for name in names]
        if isinstance(group, str):
            print(f"without a memory limit: {group}")
        else:
            print(f"at most {group.peak_bytes / attacks.MIB:.0f} of 256 MiB, {group.kills} processes killed")
    scene.report("milliseconds from when an honest delivery was due until its response", rows, arguments)


if __name__ == "__main__":
    main()
