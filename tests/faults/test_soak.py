"""A short soak test: it reports no errors if there are none, and reports each introduced error."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from router.bootstrap import factories
from router.store.store import Store
from tests.end_to_end import harness
from tests.structure import tree
from tools.soak import cluster, command, load, trial

HALF_A_MINUTE = ("--hours", "0.0084", "--rate", "40", "--keys", "20", "--fault-every", "4s")


def processes_below(folder) -> list[int]:
    """Return the IDs of all processes whose working folder is below this folder."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.readlink(f"/proc/{pid}/cwd").startswith(str(folder)):
                found.append(int(pid))
        except OSError:
            continue
    return found


@pytest.fixture
def soak_command(tmp_path):
    """Start the command. In any case, end it in order, with all its processes."""
    started = []

    def start(*arguments: str) -> harness.Process:
        line = [sys.executable, "-m", "tools.soak", *arguments]
        here = {"TMPDIR": str(tmp_path), "PYTHONPATH": str(tree.ROOT)}
        started.append(harness.Process(line, tmp_path, "soak", **here))
        return started[-1]

    yield start
    for process in started:
        process.stop()


@pytest.mark.long
@pytest.mark.timeout(240)
def test_short_soak_loses_and_doubles_nothing(soak_command, tmp_path):
    process = soak_command(*HALF_A_MINUTE, "--json")
    assert process._process.wait(220) == 0, process.output
    lines, _, rest = process.output.partition("\n{\n")
    report = json.loads("{" + rest)
    assert report["lost"] == report["doubled"] == report["behind"] == report["refused"] == report["died"] == []
    assert report["accepted"] > 500
    assert set(report["kills"]) == {"web", "worker", "valkey"}
    assert report["latency_ms"]["first_quarter"]["p50"] > 0
    assert report["store_keys"]["late"] >= 20
    for kind, one in report["memory"].items():
        assert one["memory_mb"] > 1, kind
        assert one["descriptors_late"] > 5, kind
    assert len(lines.splitlines()) >= 10
    assert processes_below(tmp_path) == []


@pytest.mark.long
@pytest.mark.timeout(240)
def test_signal_ends_soak_with_a_report(soak_command, tmp_path):
    process = soak_command("--hours", "0.02", "--rate", "20", "--keys", "5", "--fault-every", "2s", "--no-kill-redis")
    process.wait_for_output(" min  accepted ")
    assert process.stop() == 0, process.output
    assert "alerts accepted in" in process.output
    assert "valkey" not in process.output.partition("killed: ")[2].partition("\n")[0]
    assert processes_below(tmp_path) == []


def test_soak_stopped_during_startup_reports_no_success(soak_command, tmp_path):
    process = soak_command("--hours", "1")
    harness.eventually("the soak has started a process", lambda: list(tmp_path.glob("*/web-0.log")))
    assert process.stop() in {1, -signal.SIGTERM}, process.output
    assert "lost 0" not in process.output or "behind 1" in process.output
    assert processes_below(tmp_path) == []


@pytest.mark.parametrize("wrong", [["--hours", "0"], ["--hours", "1", "--fault-every", "soon"], []])
def test_contradictory_soak_options_are_a_usage_error(wrong):
    line = [sys.executable, "-m", "tools.soak", *wrong]
    done = subprocess.run(line, cwd=tree.ROOT, capture_output=True, check=False)
    assert done.returncode == 2


@pytest.mark.long
class TestNegativeControl:
    """A short trial whose ledger has more deliveries than the router received, or different ones."""

    @pytest.fixture
    def try_change(self, tmp_path, monkeypatch):
        monkeypatch.setattr(trial, "SETTLE_SECONDS", 4.0)

        def run_trial(change) -> trial.Findings:
            place = cluster.Cluster(tmp_path)
            try:
                place.start()
                return asyncio.run(self._tried(place, change))
            finally:
                place.stop()

        return run_trial

    async def _tried(self, place: cluster.Cluster, change) -> trial.Findings:
        plan = trial.Plan(seconds=4, rate=20, incident_keys=3, fault_seconds=60)
        async with contextlib.aclosing(Store.connect(place.redis_url)) as store:
            one = trial.Trial(
                place, store, plan, chance=factories.seeded_randomness(1), clock=factories.clock, ticks=factories.ticks
            )
            looked = []

            def tell(findings: trial.Findings) -> None:
                looked.append(findings)
                if len(looked) == 8:
                    change(one, place)

            return await one.run(tell, asyncio.Event())

    def test_missing_accepted_delivery_counts_as_lost(self, try_change):
        found = try_change(lambda one, _: one.findings.ledger.open.add("phantom"))
        assert found.outcome.lost == ["delivery phantom was accepted and not processed"]
        assert not found.clean
        report = command.reported(found, trial.Plan(4, 20), 1)
        assert "wrong: delivery phantom was accepted and not processed" in "\n".join(command._lines(report))

    def test_alert_with_missing_last_message_is_lost(self, try_change):
        standing = load.Standing(1, 0)
        found = try_change(lambda one, _: one.findings.ledger.standing.update({"k1-unheard": standing}))
        [lost] = found.outcome.lost
        assert lost.startswith("k1: ")
        assert "'k1-unheard'] should" in lost

    def test_incident_that_stays_open_is_reported(self, try_change):
        def forget(one: trial.Trial, _) -> None:
            one.findings.ledger.firing = dict

        found = try_change(forget)
        assert {line.rpartition(" ")[2] for line in found.outcome.doubled} >= {"on-call", "devhelm"}
        assert not found.clean

    def test_unexpected_process_end_is_reported(self, try_change):
        def strike(_, place: cluster.Cluster) -> None:
            os.kill(place._processes["worker-1"].pid, signal.SIGKILL)

        found = try_change(strike)
        assert found.died == ["worker-1 ended unexpectedly with status -9"]
        assert found.outcome.clean
        assert not found.clean


class TestDeployment:
    @pytest.fixture
    def place(self, tmp_path):
        made = cluster.Cluster(tmp_path)
        yield made
        made.stop()

    def test_every_process_has_its_own_address(self, place):
        assert len(set(place.addresses.values())) == len(place.addresses) == 3

    def test_killed_process_restarts_under_its_name(self, place):
        place._start("valkey")
        [first] = place.look()
        place.kill("valkey")
        [second] = place.look()
        assert (first.name, first.number) == ("valkey", 1)
        assert (second.name, second.number, second.kind) == ("valkey", 2, "valkey")
        assert first.pid != second.pid
        assert place.died == []

    def test_kill_from_outside_is_recorded(self, place):
        place._start("valkey")
        [first] = place.look()
        os.kill(first.pid, signal.SIGKILL)
        place._processes["valkey"].wait()
        assert [life.number for life in place.look()] == [2]
        assert place.died == ["valkey ended unexpectedly with status -9"]

    def test_environment_of_caller_is_ignored(self, place, monkeypatch, tmp_path):
        monkeypatch.setenv("REDIS_URL", "redis://elsewhere:6379")
        monkeypatch.setenv("INCIDENT_ROUTER_DATA", "/elsewhere")
        # Valkey sets its process title, which overwrites its environment.
        place._commands["valkey"] = ["sleep", "60"]
        place._start("valkey")
        [life] = place.look()
        text = Path(f"/proc/{life.pid}/environ").read_text()
        assert "elsewhere" not in text
        assert str(tmp_path) in text
