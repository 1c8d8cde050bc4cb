"""Each benchmark runs in its shortest form, measures plausible figures, and ends all of its processes."""

import itertools
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from router.sources import registry
from tests.benchmarks import load, payloads
from tests.end_to_end import harness

ROOT = Path(__file__).parents[3]
MARK = "INCIDENT_ROUTER_BENCHMARK_TEST"


def start_script(script: str, folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, f"tests/benchmarks/{script}.py", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), MARK: str(folder)}
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def list_leftover_processes(folder: Path) -> list[str]:
    """Return the processes that a benchmark of this test has started and not ended."""
    encoded = f"{MARK}={folder}".encode()
    return [entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit() and encoded in _environment(entry)]


def _environment(process: Path) -> list[bytes]:
    try:
        return (process / "environ").read_bytes().split(b"\0")
    except OSError:
        return []


def measure_rows(script: str, folder: Path) -> Iterator[dict[str, Any]]:
    """Return the JSON rows of a script that measures processes. The script must succeed."""
    found = written_whole(script, folder)
    assert found["machine"]["cores"] == os.cpu_count()
    yield from found["rows"]


def read_written_rows(script: str, folder: Path) -> list[dict[str, Any]]:
    """Return the rows that the script wrote."""
    found: list[dict[str, Any]] = written_whole(script, folder)["rows"]
    return found


def written_whole(script: str, folder: Path) -> dict[str, Any]:
    """Return the JSON document of a script. The script must succeed."""
    file = folder / "out" / f"{script}.json"
    process = start_script(script, folder, "--quick", "--json", str(file))
    said, _ = process.communicate(timeout=300)
    assert process.returncode == 0, said
    assert not list_leftover_processes(folder)
    found: dict[str, Any] = json.loads(file.read_text())
    return found


@pytest.mark.timeout(120)
@pytest.mark.debian("prometheus-alertmanager")
def test_accept_benchmark_compares_router_endpoint_and_alertmanager(tmp_path: Path) -> None:
    found = {(row["alerts a delivery"], row["server"]): row for row in measure_rows("accept", tmp_path)}
    assert set(found) == set(itertools.product((1, 20), ("router", "bare", "alertmanager")))
    for (_, server), row in found.items():
        assert row["deliveries/s"] > 10
        assert (row.get("reached") in {"yes", "no"}) == (server != "router")


@pytest.mark.timeout(120)
def test_latency_is_measured_alone_and_at_rate(tmp_path: Path) -> None:
    single, crowd = measure_rows("latency", tmp_path)
    assert single["incidents"] == 20
    assert crowd["incidents"] == 150
    for row in (single, crowd):
        assert 0 < row["median ms"] <= row["99th ms"] <= row["most ms"]
        assert row["router us an incident"] > 0


@pytest.mark.timeout(120)
def test_vendor_calls_are_compared_with_httpx(tmp_path: Path) -> None:
    found = list(measure_rows("calls", tmp_path))
    assert [row["calls at once"] for row in found] == [1, 32]
    for row in found:
        assert row["httpx is times"] == pytest.approx(row["httpx us"] / row["router us"])


@pytest.mark.timeout(240)
@pytest.mark.debian("prometheus-alertmanager")
def test_router_and_alertmanager_process_the_same_alerts(tmp_path: Path) -> None:
    found = {row["server"]: row for row in measure_rows("peers", tmp_path)}
    assert set(found) == {"router", "alertmanager"}
    for row in found.values():
        assert row["alerts"] == 50
        assert 0 < row["median ms"] <= row["99th ms"]
    assert found["router"]["lost"] == 0


@pytest.mark.timeout(240)
def test_scale_measures_the_cost_of_each_role(tmp_path: Path) -> None:
    file = tmp_path / "scale.json"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), MARK: str(tmp_path)}
    command = [sys.executable, "-m", "tests.benchmarks.scale", str(file), "--quick"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert not list_leftover_processes(tmp_path)
    found = json.loads(file.read_text())["rows"]
    assert [row["alerts a delivery"] for row in found] == [1, 20]
    assert all(row[role] > 0 for row in found for role in ("web us", "worker us", "valkey us"))


@pytest.mark.timeout(120)
def test_notification_latency_is_measured(tmp_path: Path) -> None:
    single, crowd = measure_rows("notifications", tmp_path)
    assert (single["incidents"], crowd["incidents"]) == (20, 6)
    for row in (single, crowd):
        assert 0 < row["median ms"] <= row["99th ms"] <= row["most ms"]


@pytest.mark.timeout(120)
def test_honest_senders_are_measured_during_attacks(tmp_path: Path) -> None:
    found = list(measure_rows("hostile", tmp_path))
    assert [row["attack"] for row in found] == ["no attack", "deep lists", "forged SNS messages"]
    for row in found:
        assert row["accepted"] == row["honest"] == 30
        assert 0 < row["median ms"] <= row["99th ms"] <= row["most ms"]
        assert row["/healthz most ms"] > 0


@pytest.mark.timeout(120)
def test_end_to_end_covers_new_and_repeated_alerts(tmp_path: Path) -> None:
    found = list(measure_rows("end_to_end", tmp_path))
    assert [(row["alerts a delivery"], row["alerts"]) for row in found] == [
        (1, "new"),
        (1, "repeats"),
        (20, "new"),
        (20, "repeats"),
    ]
    assert all(row["alerts/s"] > 100 for row in found)


@pytest.mark.timeout(120)
def test_rule_matching_is_compared_with_linear_search(tmp_path: Path) -> None:
    """Every shape of rule set is measured."""
    rows = read_written_rows("match", tmp_path)
    assert [(row["shape"], row["rules"]) for row in rows] == list(
        itertools.product(("beside", "storm", "only", "skewed"), (10, 1000))
    )
    for row in rows:
        assert 0 < row["us an alert"] < row["naive us"]
        assert row["load s"] >= 0
        assert row["from YAML s"] > 0
    assert max(row["naive to indexed"] for row in rows) > 20


@pytest.mark.timeout(120)
def test_rule_loading_is_measured_with_memory_and_lag(tmp_path: Path) -> None:
    rows = read_written_rows("rule_loading", tmp_path)
    assert [row["rules"] for row in rows] == [100, 1000]
    for row in rows:
        assert row["load s"] == pytest.approx(row["us a rule"] * row["rules"] / 1e6, abs=0.001)
        assert row["loop lag ms"] > 0
    assert rows[-1]["bytes a rule"] > 100


@pytest.mark.timeout(120)
def test_parsing_is_measured_for_every_source_kind(tmp_path: Path) -> None:
    """Signed deliveries are measured as well."""
    rows = read_written_rows("sources", tmp_path)
    assert [row["source"] for row in rows] == [*registry.KINDS, "signed"]
    for row in rows:
        assert 0 < row["bare us"] < row["us a delivery"]
        assert row["ratio"] == pytest.approx(row["us a delivery"] / row["bare us"], rel=0.1)


@pytest.mark.timeout(120)
def test_folding_is_measured_against_a_bare_loop(tmp_path: Path) -> None:
    found = list(measure_rows("fold", tmp_path))
    assert [row["incident keys"] for row in found] == [1_000, 40_000] * 2
    for row in found:
        assert row["ratio"] == pytest.approx(row["worker alerts/s"] / row["bare loop alerts/s"])
        assert row["worker alerts/s"] > 100


@pytest.mark.timeout(120)
def test_storm_benchmark_counts_calls_per_incident(tmp_path: Path) -> None:
    (row,) = measure_rows("storm", tmp_path)
    assert row["alerts"] == 2_000
    assert row["changing calls an incident and destination"] >= 1
    assert row["in step after s"] > row["accepted in s"] > 0


@pytest.mark.timeout(120)
def test_replay_is_compared_with_reading_alone(tmp_path: Path) -> None:
    (row,) = read_written_rows("replay", tmp_path)
    assert row["alerts"] == 20_000
    assert row["incidents"] > 10
    assert row["changed"] > 0
    assert row["seconds"] > row["reading alone"] > 0


@pytest.mark.timeout(160)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_benchmark_leaves_no_process(number: signal.Signals, tmp_path: Path) -> None:
    process = start_script("end_to_end", tmp_path, "--seconds", "60")
    harness.eventually("router and Valkey have started", lambda: len(list_leftover_processes(tmp_path)) >= 4)
    process.send_signal(number)
    process.communicate(timeout=300)  # A router has 40 seconds to shut down.
    assert process.returncode != 0
    harness.eventually("all of them have ended", lambda: not list_leftover_processes(tmp_path))


def test_load_alerts_have_unique_labels_and_fixed_length() -> None:
    found: set[str] = set()
    for body in itertools.islice(payloads.webhooks(20), 100):
        request = load.request("/hook", body, "token")
        head, _, sent = request.partition(b"\r\n\r\n")
        assert f"content-length: {len(sent)}".encode() in head
        found |= {json.dumps(alert["labels"], sort_keys=True) for alert in json.loads(sent)["alerts"]}
    assert len(found) == 2000


def test_load_alerts_have_the_requested_number_of_hosts() -> None:
    bodies = payloads.webhooks(5, numbers=iter(range(100)), hosts=7)
    alerts = [alert for body in bodies for alert in json.loads(body)["alerts"]]
    assert len(alerts) == 100
    assert len({alert["labels"]["host"] for alert in alerts}) == 7
