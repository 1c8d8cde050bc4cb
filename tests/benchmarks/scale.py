"""Processor time per alert of web, worker, and Valkey, with 1, 2, and 4 processes of each role.

    python -m tests.benchmarks.scale FILE

Everything runs on the cores of one machine, so alerts per second don't predict the rate of several machines.
Processor time does: if an alert costs as much with four processes as with one, then N cores process N times as much,
until the busiest Valkey process needs a whole core. ``model`` is that calculation. The results are written to FILE as
JSON.
"""

import argparse
import asyncio
import contextlib
import functools
import itertools
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import redis
import uvloop

from router.store import keys
from tests import ports
from tests.benchmarks import figures, load, payloads, scene
from tests.end_to_end import harness
from tests.faults import topologies

PROCESSES = (1, 2, 4)
PRIMARIES = (1, 3)
ALERTS_A_DELIVERY = (1, 20)
INCIDENTS = 10_000
START_SECONDS = 300
UTILIZATION = 0.6  # The planned utilization of a core, which leaves room for peaks and for the loss of a process.
CONFIGURATION = """
redis: {{cluster: {cluster}}}
web: {{port: {port}, health_port: 0}}
worker: {{health_port: 0}}
management: {{port: 0}}
sources: {{alertmanager: {{kind: alertmanager, bearer: [{{env: WEBHOOK_TOKEN}}]}}}}
destinations: {{}}
log: {{level: error, format: console}}
rules: rules
data: data
"""


class Costs(NamedTuple):
    """Microseconds of processor time per alert. ``valkey`` is the time of the busiest primary."""

    web: float
    worker: float
    valkey: float


class Replicas(NamedTuple):
    """The processes that an installation needs. ``is_valkey_enough``: the busiest primary has enough capacity."""

    web: int
    worker: int
    valkey_cores: float
    is_valkey_enough: bool


def model(costs: Costs, alerts_a_second: float) -> Replicas:
    """Predict the processes for a rate, with each process at most 60% busy."""
    web, worker, valkey = (cost * alerts_a_second / 1e6 / UTILIZATION for cost in costs)
    return Replicas(math.ceil(web), math.ceil(worker), valkey * UTILIZATION, valkey <= 1)


class Installation:
    """Valkey servers, and equal numbers of webs and workers."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack, primaries: int, processes: int) -> None:
        self._folder = folder
        self._stack = stack
        self.valkeys = [self._valkey(number, primaries) for number in range(primaries)]
        if primaries > 1:
            self._join()
        (folder / "rules").mkdir()
        rules = "".join(scene.RULE.format(number=number, opens="[]") for number in range(payloads.SERVICES))
        (folder / "rules" / "rules.yaml").write_text(f"rules:{rules}")
        self.ports = [ports.reserve() for _ in range(processes)]
        self.webs = [self._process("web", port, primaries > 1) for port in self.ports]
        self.workers = [self._process("worker", 0, primaries > 1) for _ in range(processes)]
        for web in self.webs:
            harness.eventually("a web listens", functools.partial(_listens, web), START_SECONDS)
        self.redis = [stack.enter_context(contextlib.closing(redis.Redis(port=valkey.port))) for valkey in self.valkeys]

    def _valkey(self, number: int, primaries: int) -> topologies.Valkey:
        durable = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        more = ["--cluster-enabled", "yes"] if primaries > 1 else []
        valkey = topologies.Valkey(self._folder / f"valkey-{number}", *durable, *more)
        self._stack.callback(valkey.kill)
        return valkey

    def _join(self) -> None:
        count, slots = len(self.valkeys), topologies.SLOTS
        for number, valkey in enumerate(self.valkeys):
            valkey.execute("CLUSTER", "ADDSLOTSRANGE", slots * number // count, slots * (number + 1) // count - 1)
            valkey.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            valkey.execute("CLUSTER", "MEET", "127.0.0.1", self.valkeys[0].port)
        for valkey in self.valkeys:
            harness.eventually("the cluster is formed", functools.partial(_is_formed, valkey))

    def _process(self, command: str, port: int, cluster: bool) -> harness.Process:
        number = next(_NUMBERS)
        file = self._folder / f"router-{number}.yaml"
        file.write_text(CONFIGURATION.format(port=port, cluster=str(cluster).lower()))
        secrets = {**harness.SECRETS, "REDIS_URL": f"redis://127.0.0.1:{self.valkeys[0].port}"}
        environment = {**secrets, "PYTHONPATH": str(scene.ROOT)}
        started = [harness.COMMAND, command, "--config", file.name]
        process = harness.Process(started, self._folder, f"{command}-{number}", **environment)
        self._stack.callback(process.stop)
        return process

    def seconds(self) -> tuple[float, float, list[float]]:
        """Processor time since the start: of all webs, of all workers, and of each Valkey."""
        web, worker = (sum(scene.cpu_seconds(one._process.pid) for one in group) for group in (self.webs, self.workers))
        return web, worker, [scene.cpu_seconds(valkey._process.pid) for valkey in self.valkeys]

    def is_empty(self) -> bool:
        """Whether every delivery is folded."""
        return not any(_length(connection) for connection in self.redis)

    def bytes_stored(self) -> int:
        """Memory of all servers without the archive, whose size is configurable."""
        total = sum(int(connection.info("memory")["used_memory"]) for connection in self.redis)
        return total - sum(_archived(connection) for connection in self.redis)


_NUMBERS = itertools.count()


def _listens(web: harness.Process) -> bool:
    assert web._process.poll() is None, web.output
    return "/v1/webhooks" in web.output


def _is_formed(valkey: topologies.Valkey) -> bool:
    return b"cluster_state:ok" in valkey.execute("CLUSTER", "INFO")


def _length(connection: redis.Redis) -> int:
    try:
        return int(connection.xlen(keys.INBOX))
    except redis.ResponseError:  # The inbox is on another primary.
        return 0


def _archived(connection: redis.Redis) -> int:
    try:
        return int(connection.memory_usage(keys.ARCHIVE, samples=0) or 0)
    except redis.ResponseError:
        return 0


async def send(installation: Installation, bodies: Iterator[bytes]) -> None:
    """Distribute the deliveries between the webs, with 16 connections each."""
    requests = (load.request("/v1/webhooks/alertmanager", body, harness.TOKEN) for body in bodies)
    runs = [load.Closed(requests, 16) for _ in installation.ports]
    await asyncio.gather(*(run.run(port) for run, port in zip(runs, installation.ports, strict=True)))
    for run in runs:
        if run.statuses:
            run.only(202)


def measure(installation: Installation, alerts: int, first: int, count: int) -> dict[str, Any]:
    """Send new alerts, each for its own incident, and wait until all are folded."""
    before = installation.seconds()
    began = time.perf_counter()
    uvloop.run(send(installation, payloads.webhooks(alerts, numbers=iter(range(first, first + count)))))
    harness.eventually("all is folded in", installation.is_empty, 300)
    took = time.perf_counter() - began
    after = installation.seconds()
    web, worker = (max(after[role] - before[role], scene.STEP_SECONDS) / count * 1e6 for role in (0, 1))
    spent = max(now - then for now, then in zip(after[2], before[2], strict=True))
    valkey = max(spent, scene.STEP_SECONDS) / count * 1e6
    row = {"alerts a delivery": alerts, "alerts/s here": count / took}
    return row | {"web us": web, "worker us": worker, "valkey us": valkey}


def rows(folder: Path, incidents: int, sizes: Callable[[int], bool]) -> Iterator[dict[str, Any]]:
    """Measure every number of primaries and processes, with new servers each time."""
    for primaries, processes in itertools.product(PRIMARIES, PROCESSES):
        if not sizes(primaries * processes):
            continue
        with contextlib.ExitStack() as stack:
            own = folder / f"{primaries}-{processes}"
            own.mkdir()
            installation = Installation(own, stack, primaries, processes)
            measure(installation, 1, 0, 200)
            for alerts in ALERTS_A_DELIVERY:
                stored = installation.bytes_stored()
                first = 1_000 * alerts + (0 if alerts == 1 else incidents)
                row = {"primaries": primaries, "webs and workers": processes}
                row |= measure(installation, alerts, first, incidents // alerts * alerts)
                row["MB for 10,000 incidents"] = (installation.bytes_stored() - stored) / 1e6 / incidents * 10_000
                row["valkey saturates at alerts/s"] = 1e6 / row["valkey us"]
                yield row


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("json", type=Path, help="write the results to this file")
    parser.add_argument("--quick", action="store_true", help="one process, one server and few alerts")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        # Processor time is counted in steps of 10 ms, which fewer alerts may not take.
        count = 2_000 if arguments.quick else INCIDENTS
        result: dict[str, Any] = {"benchmark": "cost of an alert by role", "cores": os.cpu_count(), "rows": []}
        for row in rows(Path(name), count, lambda size: size == 1 or not arguments.quick):
            result["rows"].append({key: round(value, 1) for key, value in row.items()})
            figures.write(result, arguments.json)  # A later failure can't lose this row.
    figures.report(result, None)


if __name__ == "__main__":
    main()
