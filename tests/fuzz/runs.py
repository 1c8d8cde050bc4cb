"""Runs a target in a separate process with limits, and reports the result."""

import json
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

MOST_SECONDS = 2.0
"""Of processor time for one input. The slowest inputs take some tens of milliseconds on a slow machine."""

MEMORY_BYTES = 1536 << 20
"""Of address space for a target's process: its code takes a third of it."""

_PATIENCE_SECONDS = 60.0  # Of processor time beyond what a target was given: then its current input never ends.
_EXAMPLES = 5
_SHOWN = 300


class Run(NamedTuple):
    """The result of a target: the number of inputs, the number of faults, and the first faults."""

    target: str
    tried: int
    finds: int
    slowest_ms: float
    grown_mb: float
    examples: list[str]


def list_targets() -> Iterable[str]:
    """The names of all targets."""
    from tests.fuzz import targets

    return targets.TARGETS


def run(seconds: float, seed: int, wanted: list[str]) -> Iterator[Run]:
    """Fuzz each target for an equal share of the seconds of processor time."""
    for name in wanted:
        yield run_alone(name, seconds / len(wanted), seed)


def run_alone(name: str, seconds: float, seed: int, target: Any = None) -> Run:
    """Fuzz one target in a separate process; ``target`` replaces the registered target of that name."""
    with tempfile.TemporaryDirectory() as folder:
        at, result = Path(folder) / "input", Path(folder) / "result"
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.fuzz.targets"])
        process = context.Process(target=_child, args=(name, target, seconds, seed, folder))
        process.start()
        process.join()
        if result.exists():
            return Run(name, **json.loads(result.read_text()))
        last = at.read_bytes() if at.exists() else b""
        said = f"the process ended with status {process.exitcode} at {last[:_SHOWN]!r}"
        return Run(name, 0, 1, 0.0, 0.0, [said])


def _child(name: str, target: Any, seconds: float, seed: int, folder: str) -> None:
    patience = _PATIENCE_SECONDS
    if target is None:
        from tests.fuzz import targets

        target = targets.TARGETS[name]
        target.judge(target.make(random.Random(seed)), Path(folder))  # What is loaded once is not measured.
    else:
        patience = 1.0
    cpu = int(time.process_time() + seconds + patience) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    sys.stdout = sys.stderr = Path(os.devnull).open("w")  # noqa: SIM115 - for as long as the process lives
    found = fuzz(target, seconds, seed, Path(folder))
    (Path(folder) / "result").write_text(json.dumps(found))


def fuzz(target: Any, seconds: float, seed: int, folder: Path) -> dict[str, Any]:
    """Fuzz a target in this process; return the fields of ``Run`` but its name."""
    at = folder / "input"
    tried, finds, slowest, examples = 0, 0, 0.0, []
    before = _peak_bytes()
    deadline = time.process_time() + seconds
    while not tried or time.process_time() < deadline:
        data = target.make(random.Random(f"{seed}/{tried}"))
        at.write_bytes(data)
        problem, spent = _judged(target, data, folder)
        slowest = max(slowest, spent)
        if spent > MOST_SECONDS:
            problem = problem or f"it took {spent:.1f} s"
        if problem:
            finds += 1
            if len(examples) < _EXAMPLES:
                examples.append(f"{problem} (seed {seed}/{tried}): {data[:_SHOWN]!r}")
        tried += 1
    grown = (_peak_bytes() - before) / (1 << 20)
    return {"tried": tried, "finds": finds, "slowest_ms": slowest * 1000, "grown_mb": grown, "examples": examples}


def _judged(target: Any, data: bytes, folder: Path) -> tuple[str, float]:
    began = time.process_time()
    try:
        problem = target.judge(data, folder)
    except Exception as error:  # noqa: BLE001 - that is what is looked for
        problem = f"{type(error).__name__}: {error}"[:_SHOWN]
    return problem, time.process_time() - began


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
