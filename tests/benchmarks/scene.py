"""The environment of multi-process benchmarks: a store, a router on its own core, and a report."""

import argparse
import contextlib
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import redis
from rich import console, table

from router.store import embedded
from tests import ports
from tests.benchmarks import figures, load, payloads
from tests.end_to_end import harness

ROOT = Path(__file__).parents[2]
CONFIGURATION = """
web: {{port: {port}, health_port: 0}}
management: {{port: 0}}
sources: {{alertmanager: {{kind: alertmanager, bearer: [{{env: WEBHOOK_TOKEN}}]}}}}
destinations:
  on-call: {{kind: incident-io, api_key: {{env: KEY}}, base_url: "{vendor}", timeout_seconds: 10, per_minute: 1000000}}
log: {{level: error, format: console}}
rules: rules
data: data
"""
RULE = """
  - name: rule-{number}
    when: {{labels.service: service-{number}, labels.severity: [critical, page]}}
    severity: major
    group_by: [labels.host]
    open: {opens}
"""
BUSY = "busy: server, load, Valkey, others"
SPENT = "processor seconds of server, load, Valkey"
_TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
STEP_SECONDS = 1 / _TICKS_A_SECOND  # The resolution of processor times.


def parse_arguments(description: str | None) -> argparse.Namespace:
    """Parse the common command line of the benchmarks."""
    parser = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each measurement takes")
    parser.add_argument("--quick", action="store_true", help="as short as it can be, to see that it works")
    parser.add_argument("--profile", action="store_true", help="say where the router spends its time; figures suffer")
    arguments = parser.parse_args()
    if arguments.quick:
        arguments.seconds = 0.3
    return arguments


class Scene:
    """Valkey and the measured processes on core 0, with the load on core 1."""

    def __init__(
        self, folder: Path, valkey: embedded.EmbeddedServer, stack: contextlib.ExitStack, *, profile: bool
    ) -> None:
        self.folder = folder
        self.valkey = valkey
        self._stack = stack
        self._profile = profile
        self.redis = stack.enter_context(contextlib.closing(redis.Redis(unix_socket_path=valkey.socket)))
        self._processes = {"valkey": int(self.redis.info("server")["process_id"])}

    def router(self, command: str, *, vendor: str = "http://127.0.0.1:9", opens: str = "[]", settings: str = "") -> int:
        """Start `incident-router COMMAND` on core 0 with additional ``settings``. Return its port."""
        (self.folder / "rules").mkdir(exist_ok=True)
        rules = "".join(RULE.format(number=number, opens=opens) for number in range(payloads.SERVICES))
        (self.folder / "rules" / "rules.yaml").write_text(f"rules:{rules}")
        port = ports.reserve()
        (self.folder / "router.yaml").write_text(CONFIGURATION.format(port=port, vendor=vendor) + settings)
        started = [harness.COMMAND, command, "--config", "router.yaml"]
        if self._profile:
            started = [sys.executable, "-m", "cProfile", "-o", f"{command}.profile", *started]
        process = self.start(started, "router")
        if self._profile:
            self._stack.callback(self._tell_profile, process, self.folder / f"{command}.profile")
        process.wait_for_output("/v1/webhooks")
        return port

    def start(self, command: list[str], name: str, core: int = 0, **environment: str) -> harness.Process:
        """Start a program on a core."""
        cores = sorted(os.sched_getaffinity(0) | {0})
        pinned = ["taskset", "-c", str(cores[core % len(cores)]), *command]
        secrets = {**harness.SECRETS, "REDIS_URL": self.valkey.url, "PYTHONPATH": str(ROOT), **environment}
        process = harness.Process(pinned, self.folder, name, **secrets)
        self._stack.callback(process.stop)
        self._processes[name] = process._process.pid
        return process

    def process_id(self, name: str) -> int:
        """The ID of the last process with this name."""
        return self._processes[name]

    @contextlib.contextmanager
    def busy(self, server: str) -> Iterator[dict[str, Any]]:
        """Measure the share of a core that the server, the load, Valkey, and all others used during the block.

        If the server isn't busy, it waited. If other processes were busy instead, the server waited for them, and the
        figures are those of a busy machine.
        """
        watched = [self._processes[server], os.getpid(), self._processes["valkey"]]
        before = [cpu_seconds(pid) for pid in watched]
        all_before, began = _all_cpu_seconds(), time.perf_counter()
        found: dict[str, Any] = {}
        yield found
        took = time.perf_counter() - began
        # A short run can take less than a step. With 0, the ratio to another program would be infinite.
        spent = [max(cpu_seconds(pid) - was, STEP_SECONDS) for pid, was in zip(watched, before, strict=True)]
        found[SPENT] = spent
        shares = [seconds / took for seconds in spent]
        shares.append(max(0.0, (_all_cpu_seconds() - all_before) / took - sum(shares)))
        found[BUSY] = " ".join(f"{share:.0%}" for share in shares)
        found["shares"] = shares

    @staticmethod
    def _tell_profile(process: harness.Process, file: Path) -> None:
        process.stop()
        pstats.Stats(str(file)).sort_stats("tottime").print_stats(40)


def cpu_seconds(pid: int) -> float:
    """Processor time of a process since its start, in steps of 10 ms."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_A_SECOND


def _all_cpu_seconds() -> float:
    """Seconds of all cores that were busy, or used by other guests of the host."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(
        int, Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + softirq + steal) / _TICKS_A_SECOND


@contextlib.contextmanager
def scene(given: argparse.Namespace) -> Iterator[Scene]:
    """End all started processes at the end of the block, also on Ctrl-C and SIGTERM.

    Processes that a shell starts in the background ignore Ctrl-C by default.
    """
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGINT)}
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        for number, handler in before.items():
            stack.callback(signal.signal, number, handler)
        folder = Path(name)
        valkey = stack.enter_context(embedded.running(folder / "valkey"))
        yield Scene(folder, valkey, stack, profile=given.profile)


def _end(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(f"ended by {signal.Signals(number).name}")


def measure_on_core_1() -> None:
    """Pin the load to core 1. Programs that ``Scene.start`` starts have their own core."""
    load.pin(1)


def report(title: str, rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """Print the figures, and write them to the requested file."""
    columns = list(dict.fromkeys(key for row in rows for key in row if not isinstance(row[key], list)))
    grid = table.Table(*columns, title=title, caption="server on one core, load on the other, Valkey on either")
    for row in rows:
        grid.add_row(*(_shown(row.get(column, "")) for column in columns))
    console.Console(width=140).print(grid)
    result = {"benchmark": title, "machine": _machine(), "seconds": given.seconds, "rows": rows}
    figures.write(result, given.json)


def microseconds(busy: dict[str, Any], count: int) -> float:
    """The server's processor time per item of ``count``, which hardly depends on the load of the machine."""
    return float(busy[SPENT][0]) / count * 1e6


def format_goal(good: bool) -> str:
    """Return the word for a goal that was met or missed."""
    return "yes" if good else "no"


def _shown(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, float):
        return str(value)
    return f"{value:,.2f}" if value < 100 else f"{value:,.0f}"


def _machine() -> dict[str, Any]:
    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    model = next((line.split(":", 1)[1].strip() for line in lscpu.splitlines() if line.startswith("Model name")), "")
    return {"cores": os.cpu_count(), "model": model, "python": sys.version.split()[0]}
