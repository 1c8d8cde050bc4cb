"""Compare benchmark results with those committed in ``results.json``. Flag figures that are over 10% worse.

    python -m tests.benchmarks.compare FOLDER                  compare FOLDER/NAME.json
    python -m tests.benchmarks.compare FOLDER --commit DATE    replace the committed results by those in FOLDER

The compared figures hardly depend on the load of the machine: processor time, ratios within a run, calls, and memory.
Processor time depends on the processor, so the report names the machines if they differ. No figure fails the run.
"""

import argparse
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

COMMITTED = Path(__file__).parent / "results.json"
TOLERANCE = 0.1


class Figures(NamedTuple):
    """The columns that identify a row of a benchmark, and its figures for which higher or lower is better."""

    identity: tuple[str, ...]
    higher: tuple[str, ...] = ()
    lower: tuple[str, ...] = ()


FIGURES = {
    "accept": Figures(("alerts a delivery", "server"), ("of a full core, times",), ("us a delivery",)),
    "calls": Figures(("calls at once",), ("httpx is times",), ("router us",)),
    "end_to_end": Figures(("alerts a delivery", "alerts"), (), ("router us an alert",)),
    "fold": Figures(("alerts a delivery", "incident keys"), ("ratio",), ("worker us an alert",)),
    "hostile": Figures(("attack",), (), ("99th ms",)),
    "latency": Figures(("how",), (), ("router us an incident",)),
    "notifications": Figures(("how",), (), ("router us an incident",)),
    "peers": Figures(("server",), (), ("us an alert", "lost")),
    "match": Figures(("shape", "rules"), ("naive to indexed",), ("us an alert", "memory MB")),
    "replay": Figures((), (), ("to reading",)),
    "rule_loading": Figures(("rules",), (), ("us a rule", "bytes a rule")),
    "sources": Figures(("source",), (), ("us a delivery", "ratio")),
    "storm": Figures((), (), ("changing calls an incident and destination", "router MB", "valkey MB")),
}


class Change(NamedTuple):
    """A figure and its committed value. ``gain`` is above 1 if the figure improved."""

    benchmark: str
    row: str
    figure: str
    now: float
    then: float
    gain: float

    @property
    def is_drop(self) -> bool:
        """Whether the figure is worse by more than the tolerance."""
        return self.gain < 1 - TOLERANCE


def changes(now: dict[str, Any], then: dict[str, Any]) -> Iterator[Change]:
    """Compare the rows that exist in both results, by benchmark."""
    for name, figures in FIGURES.items():
        before = dict(_rows(figures, then.get(name, {})))
        for identity, row in _rows(figures, now.get(name, {})):
            for figure in (*figures.higher, *figures.lower):
                new, old = row.get(figure), before.get(identity, {}).get(figure)
                if new is not None and old is not None:
                    better, worse = (new, old) if figure in figures.higher else (old, new)
                    gain = better / worse if worse else 1.0  # Both are 0, as with losses: no change.
                    yield Change(name, identity, figure, new, old, gain)


def _rows(figures: Figures, result: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for row in result.get("rows", []):
        yield ", ".join(str(row[key]) for key in figures.identity), row


def read(folder: Path) -> dict[str, Any]:
    """The results of a run, by benchmark."""
    return {name: json.loads(file.read_text()) for name in FIGURES if (file := folder / f"{name}.json").exists()}


def report(now: dict[str, Any], committed: dict[str, Any]) -> Iterator[str]:
    """The lines to print."""
    then, here = committed["machine"], machine()
    different = [f"{key}: {then.get(key)} then, {here[key]} now" for key in here if then.get(key) != here[key]]
    yield f"Compared with the results of {committed['date']} (1 is as fast, 2 is twice as fast; ! is a drop over 10%)."
    yield from (f"  another machine: {line}" for line in different)
    if then.get("load average", 0) > then["cores"]:
        yield f"  That machine was busy (load {then['load average']}), which multiplies processor time. Compare ratios."
    drops = 0
    for change in changes(now, committed["benchmarks"]):
        mark = "!" if change.is_drop else " "
        drops += change.is_drop
        subject = f"{change.benchmark} {change.row}".strip()
        yield f"{mark} {change.gain:5.2f}  {subject}: {change.figure} {change.now:,.2f}, was {change.then:,.2f}"
    yield f"{drops} figures dropped by over {TOLERANCE:.0%}."


def machine() -> dict[str, Any]:
    """The facts about a machine that processor time depends on."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return {"model": model, "cores": os.cpu_count()}


def compact(result: dict[str, Any], figures: Figures) -> dict[str, Any]:
    """Reduce a result to the committed part: identities and compared figures."""
    kept = {*figures.identity, *figures.higher, *figures.lower}
    return {"rows": [{key: value for key, value in row.items() if key in kept} for row in result["rows"]]}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument(
        "--commit", metavar="DATE", help="replace the committed results; DATE is when they were measured"
    )
    arguments = parser.parse_args()
    now = read(arguments.folder)
    if arguments.commit:
        rows = {name: compact(result, FIGURES[name]) for name, result in now.items()}
        load = round(os.getloadavg()[2], 1)
        described = {"date": arguments.commit, "machine": {**machine(), "load average": load}, "benchmarks": rows}
        COMMITTED.write_text(json.dumps(described, indent=1) + "\n")
    else:
        print("\n".join(report(now, json.loads(COMMITTED.read_text()))))


if __name__ == "__main__":
    main()
