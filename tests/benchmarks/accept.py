"""Accepted deliveries a second against a bare endpoint and Alertmanager: server on one core, load on the other."""

import shutil
import statistics
import sys

from tests.benchmarks import load, scene
from tests.end_to_end import harness

GOALS = {1: 1.8, 20: 2.5}
CONNECTIONS = 64
ROUNDS = 3


def rate(port: int, requests: list[bytes], seconds: float) -> float:
    run = load.Run(requests, seconds, CONNECTIONS)
    found = run.drive(port)
    wrong = {status: count for status, count in run.statuses.items() if status not in {200, 202}}
    if wrong:
        raise SystemExit(f"port {port} answered {wrong}")
    return found


def contenders(stage: scene.Scene) -> dict[str, tuple[int, str]]:
    """Name, port and path of everything that is measured."""
    bare = harness.free_port()
    stage.start([sys.executable, "-c", f"from tests.benchmarks import bare; bare.main({bare})"], "bare")
    harness.eventually("the bare endpoint answers", lambda: answers(bare))
    found = {
        "router": (stage.router("web"), "/v1/webhooks/alertmanager"),
        "bare": (bare, "/hook"),
    }
    if shutil.which("prometheus-alertmanager"):
        found["alertmanager"] = (alertmanager(stage), "/api/v2/alerts")
    else:
        print("prometheus-alertmanager is not installed: not measured against it")
    return found


def alertmanager(stage: scene.Scene) -> int:
    port = harness.free_port()
    (stage.folder / "am.yml").write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
    command = ["prometheus-alertmanager", "--config.file=am.yml", "--storage.path=am", "--log.level=error"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    stage.start(command, "alertmanager", GOMAXPROCS="1")
    harness.eventually("Alertmanager answers", lambda: answers(port))
    return port


def answers(port: int) -> bool:
    try:
        harness.ask(f"http://127.0.0.1:{port}/")
    except OSError:
        return False
    return True


def bodies(name: str, alerts: int, count: int) -> list[bytes]:
    if name != "alertmanager":
        return scene.webhooks(count, alerts)
    found = []
    for number in range(count):
        batch = [scene.alert(number * alerts + i) for i in range(alerts)]
        for one in batch:
            del one["status"], one["fingerprint"], one["endsAt"]
        found.append(scene.json.dumps(batch, separators=(",", ":")).encode())
    return found


def main() -> None:
    given = scene.arguments()
    rows = []
    with scene.scene() as stage:
        ports = contenders(stage)
        scene.measure_on_core_1()
        for alerts, goal in GOALS.items():
            count = 200 if given.quick else 40_000 // alerts
            prepared = {
                name: [load.request(path, body, harness.TOKEN) for body in bodies(name, alerts, count)]
                for name, (_, path) in ports.items()
            }
            rates: dict[str, list[float]] = {name: [] for name in ports}
            for _ in range(1 if given.quick else ROUNDS):
                for name, (port, _) in ports.items():
                    rates[name].append(rate(port, prepared[name], given.seconds))
            medians = {name: statistics.median(values) for name, values in rates.items()}
            for name in ports:
                ratio = medians["router"] / medians[name]
                wanted = goal if name == "bare" else 1.0
                row = {"alerts a delivery": alerts, "against": name, "deliveries/s": medians[name], "router is": ratio}
                if name != "router":
                    row |= {"goal": wanted, "reached": "yes" if ratio >= wanted else "no"}
                rows.append(row)
    scene.report("accepted deliveries a second", rows, given)


if __name__ == "__main__":
    main()
