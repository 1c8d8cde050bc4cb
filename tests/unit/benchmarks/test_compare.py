"""Results are compared by measurement, and only a drop over 10% is flagged."""

import json
import re

import pytest

from tests.benchmarks import compare
from tests.structure import tree

SCRIPTS = sorted(
    file.stem for file in (tree.ROOT / "tests/benchmarks").glob("*.py") if "--json FILE" in file.read_text()
)


def result(**figures):
    return {"calls": {"rows": [{"calls at once": 32, **figures}]}}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_is_compared(name):
    figures = compare.FIGURES[name]
    assert figures.higher or figures.lower


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_benchmark_has_a_smoke_test(name):
    text = (tree.ROOT / "tests/integration/cli/test_benchmarks.py").read_text()
    assert re.search(rf'(rows|written|written_whole)\("{name}"', text)


def test_committed_results_can_be_compared():
    """Each figure is as good as itself."""
    committed = json.loads(compare.COMMITTED.read_text())
    assert committed["machine"]["model"]
    found = list(compare.changes(committed["benchmarks"], committed["benchmarks"]))
    assert {change.benchmark for change in found} == set(committed["benchmarks"])
    assert {change.gain for change in found} == {1}


@pytest.mark.parametrize(
    ("now", "then", "gain", "is_drop"),
    [(100, 100, 1, False), (109, 100, 100 / 109, False), (112, 100, 100 / 112, True), (50, 100, 2, False)],
)
def test_more_processor_time_is_a_drop(now, then, gain, is_drop):
    (change,) = compare.changes(result(**{"router us": now}), result(**{"router us": then}))
    assert change.gain == pytest.approx(gain)
    assert change.is_drop == is_drop


def test_lower_ratio_to_the_baseline_is_a_drop():
    (change,) = compare.changes(result(**{"httpx is times": 8}), result(**{"httpx is times": 10}))
    assert change.is_drop


def test_first_lost_alert_is_a_drop():
    now, then = ({"peers": {"rows": [{"server": "router", "lost": lost}]}} for lost in (1, 0))
    (change,) = compare.changes(now, then)
    assert change.is_drop
    assert [change.gain for change in compare.changes(then, then)] == [1]


def test_rows_and_figures_without_counterpart_are_skipped():
    now = result(**{"router us": 1, "goal": 500}) | {"replay": {"rows": [{"to reading": 3}]}}
    then = {"calls": {"rows": [{"calls at once": 1, "router us": 1}]}}
    assert list(compare.changes(now, then)) == []


def test_report_names_drops_and_another_machine():
    machine = {"model": "other", "cores": 1, "load average": 20}
    committed = {"date": "2026-12-01", "machine": machine, "benchmarks": result(**{"router us": 1})}
    lines = list(compare.report(result(**{"router us": 2}), committed))
    assert "2026-12-01" in lines[0]
    assert "model: other then" in lines[1]
    assert any("load 20" in line for line in lines)
    assert lines[-2] == "!  0.50  calls 32: router us 2.00, was 1.00"
    assert lines[-1] == "1 figures dropped by over 10%."


def test_committed_results_are_written_without_lists(tmp_path, monkeypatch):
    monkeypatch.setattr(compare, "COMMITTED", tmp_path / "results.json")
    (tmp_path / "calls.json").write_text(json.dumps(result(**{"router us": 1, "shares": [1, 2]})["calls"]))
    monkeypatch.setattr("sys.argv", ["compare", str(tmp_path), "--commit", "2026-12-01"])
    compare.main()
    written = json.loads((tmp_path / "results.json").read_text())
    assert written["benchmarks"] == {"calls": {"rows": [{"calls at once": 32, "router us": 1}]}}
    assert next(iter(compare.changes(compare.read(tmp_path), written["benchmarks"]))).gain == 1
