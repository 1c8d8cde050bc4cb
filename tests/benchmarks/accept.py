"""Accepted deliveries per second, against a bare endpoint and against Alertmanager.

    python tests/benchmarks/accept.py --json FILE

Three servers are measured: `incident-router web`, a minimal durable webhook endpoint (``bare.py``), and
Alertmanager's ``POST /api/v2/alerts``, which keeps alerts in memory. The servers take turns, so that a slow minute of
the machine affects all of them. The result is the median of the turns.
"""

import shutil
import statistics
import sys
from collections.abc import Iterator
from typing import Any

from tests import ports
from tests.benchmarks import load, payloads, scene
from tests.end_to_end import harness

GOALS = {"bare": {1: 2.3, 20: 2.0}, "alertmanager": {1: 1.2, 20: 3.0}}
CONNECTIONS = 64
ROUNDS = 3
Contenders = dict[str, tuple[int, str]]


def contenders(stage: scene.Scene) -> Contenders:
    """The name, port, and path of each server under test."""
    found = {"router": (stage.router("web"), "/v1/webhooks/alertmanager"), "bare": (start_bare_server(stage), "/hook")}
    if shutil.which("prometheus-alertmanager"):
        found["alertmanager"] = (alertmanager(stage), "/api/v2/alerts")
    else:
        print("prometheus-alertmanager is not installed: not measured against it")
    return found


def start_bare_server(stage: scene.Scene) -> int:
    port = ports.reserve()
    stage.start([sys.executable, "-c", f"from tests.benchmarks import bare; bare.main({port})"], "bare")
    harness.eventually("the bare endpoint answers", lambda: is_answering(port))
    return port


def alertmanager(stage: scene.Scene) -> int:
    port = ports.reserve()
    (stage.folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = ["prometheus-alertmanager", "--config.file=am.yml", "--storage.path=am", "--log.level=error"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    stage.start(command, "alertmanager", GOMAXPROCS="1")
    harness.eventually("Alertmanager answers", lambda: is_answering(port))
    return port


def is_answering(port: int) -> bool:
    try:
        harness.ask(f"http://127.0.0.1:{port}/")
    except OSError:
        return False
    return True


def bodies(name: str, alerts: int) -> Iterator[bytes]:
    return payloads.api_alerts(alerts) if name == "alertmanager" else payloads.webhooks(alerts)


def measure_turns(
    stage: scene.Scene, found: Contenders, alerts: int, rounds: int, seconds: float
) -> dict[str, dict[str, Any]]:
    """Measure each server once per round. Discard the accepted deliveries between turns."""
    given = {name: bodies(name, alerts) for name in found}
    taken: dict[str, dict[str, Any]] = {name: {"rates": [], "rates of a full core": [], "us": []} for name in found}
    for _ in range(rounds):
        for name, (port, path) in found.items():
            run = load.Closed((load.request(path, one, harness.TOKEN) for one in given[name]), CONNECTIONS, seconds)
            with stage.busy(name) as busy:
                run.drive(port)
            run.only(200, 202)
            taken[name]["rates"].append(run.rate)
            taken[name]["rates of a full core"].append(run.rate / busy["shares"][0])
            taken[name]["us"].append(scene.microseconds(busy, sum(run.statuses.values())))
            taken[name].update(busy)
            stage.redis.flushall()
    return taken


def list_rows(alerts: int, taken: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield one row per server, with the ratio of the router's rate to the server's."""
    rates = {name: statistics.median(values["rates"]) for name, values in taken.items()}
    full = {name: statistics.median(values["rates of a full core"]) for name, values in taken.items()}
    for name, values in taken.items():
        row = {"alerts a delivery": alerts, "server": name, "deliveries/s": rates[name]}
        row |= {"of a full core": full[name], "us a delivery": statistics.median(values["us"]), **values}
        if name != "router":
            ratio = rates["router"] / rates[name]
            goal = GOALS[name][alerts]
            row |= {"router is times": ratio, "of a full core, times": full["router"] / full[name]}
            row |= {"goal": goal, "reached": scene.format_goal(ratio >= goal)}
        yield row


def main() -> None:
    arguments = scene.parse_arguments(__doc__)
    found: list[dict[str, Any]] = []
    with scene.scene(arguments) as stage:
        ports = contenders(stage)
        scene.measure_on_core_1()
        for alerts in (1, 20):
            taken = measure_turns(stage, ports, alerts, 1 if arguments.quick else ROUNDS, arguments.seconds)
            found += list_rows(alerts, taken)
    scene.report("accepted deliveries a second", found, arguments)


if __name__ == "__main__":
    main()
