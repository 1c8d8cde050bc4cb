"""What every benchmark of processes needs: a store, a router on a core of its own, payloads, and a report."""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich import console, table

from router.store import embedded
from tests.benchmarks import load
from tests.end_to_end import harness

CONFIGURATION = """
web: {{port: {port}}}
sources: {{alertmanager: {{kind: alertmanager, bearer: [{{env: WEBHOOK_TOKEN}}]}}}}
destinations:
  on-call: {{kind: incident-io, api_key: {{env: KEY}}, base_url: "{vendor}", timeout_seconds: 10}}
log: {{level: error}}
rules: rules
data: data
"""
RULE = """
  - name: rule-{number}
    when: {{labels.service: service-{number}}}
    severity: major
    group_by: [labels.host]
    open: {opens}
"""
SERVICES = 30


def arguments() -> argparse.Namespace:
    """The command line that all benchmarks have."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", type=Path, help="write the figures to this file")
    parser.add_argument("--seconds", type=float, default=4.0, help="how long each measurement takes")
    parser.add_argument("--quick", action="store_true", help="as short as it can be, to see that it works")
    given = parser.parse_args()
    if given.quick:
        given.seconds = 0.3
    return given


def alert(number: int, hosts: int = 100_000) -> dict[str, Any]:
    """An alert of Alertmanager's webhook with labels of its own."""
    service = f"service-{number % SERVICES}"
    return {
        "status": "firing",
        "labels": {
            "alertname": "HighErrorRate",
            "service": service,
            "severity": "critical",
            "host": f"host-{number % hosts}",
            "instance": f"10.0.{number % 250}.{number % 199}:{number}",
        },
        "annotations": {"summary": f"{service} fails on instance {number}"},
        "startsAt": "2026-01-10T10:00:00.123456789Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus.example/graph",
        "fingerprint": f"{number:016x}",
    }


def webhook(alerts: list[dict[str, Any]]) -> bytes:
    """Alertmanager's webhook, version 4."""
    body = {
        "version": "4",
        "groupKey": '{}:{alertname="HighErrorRate"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "router",
        "groupLabels": {"alertname": "HighErrorRate"},
        "commonLabels": {"alertname": "HighErrorRate"},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager.example",
        "alerts": alerts,
    }
    return json.dumps(body, separators=(",", ":")).encode()


def webhooks(count: int, alerts: int, hosts: int = 100_000) -> list[bytes]:
    """So many bodies, none with an alert of another's."""
    return [webhook([alert(n * alerts + i, hosts) for i in range(alerts)]) for n in range(count)]


class Scene:
    """A Valkey and whatever runs on core 0, beside the load on core 1."""

    def __init__(self, folder: Path, valkey: embedded.Server, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self.valkey = valkey
        self._stack = stack

    def router(self, command: str, *, vendor: str = "http://127.0.0.1:9", opens: str = "[]") -> int:
        """Start `incident-router COMMAND` on core 0; returns its port."""
        (self.folder / "rules").mkdir(exist_ok=True)
        rules = "".join(RULE.format(number=number, opens=opens) for number in range(SERVICES))
        (self.folder / "rules" / "rules.yaml").write_text(f"rules:{rules}")
        port = harness.free_port()
        (self.folder / "router.yaml").write_text(CONFIGURATION.format(port=port, vendor=vendor))
        process = self.start([harness.COMMAND, command, "--config", "router.yaml"], command)
        process.says("/v1/webhooks")
        return port

    def start(self, command: list[str], name: str, **environment: str) -> harness.Process:
        """Start a program on core 0."""
        pinned = ["taskset", "-c", str(min(os.sched_getaffinity(0) | {0})), *command]
        secrets = {**harness.SECRETS, "REDIS_URL": self.valkey.url, "PYTHONPATH": str(Path.cwd()), **environment}
        process = harness.Process(pinned, self.folder, name, **secrets)
        self._stack.callback(process.stop)
        return process


@contextlib.contextmanager
def scene() -> Iterator[Scene]:
    """Everything that a benchmark starts ends with it."""
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        valkey = stack.enter_context(embedded.running(folder / "valkey"))
        yield Scene(folder, valkey, stack)


def measure_on_core_1() -> None:
    """Move the load off the core of what is measured; whatever is started afterwards is moved back."""
    load.pin(1)


def report(title: str, rows: list[dict[str, Any]], given: argparse.Namespace) -> None:
    """Print the figures, and write them to the file that was asked for."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    grid = table.Table(*columns, title=title)
    for row in rows:
        grid.add_row(*(_shown(row.get(column, "")) for column in columns))
    console.Console(width=140).print(grid)
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"benchmark": title, "machine": _machine(), "rows": rows}, indent=2))


def _shown(value: Any) -> str:
    return (
        f"{value:,.2f}"
        if isinstance(value, float) and value < 100
        else f"{value:,.0f}"
        if isinstance(value, float)
        else str(value)
    )


def _machine() -> dict[str, Any]:
    lscpu = subprocess.run(["lscpu"], capture_output=True, text=True, check=False).stdout
    model = next((line.split(":", 1)[1].strip() for line in lscpu.splitlines() if line.startswith("Model name")), "")
    return {"cores": os.cpu_count(), "model": model, "python": sys.version.split()[0]}
