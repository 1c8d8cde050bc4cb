"""Time to load rules from YAML, their memory, and how long a reload blocks the event loop.

    python tests/benchmarks/rule_loading.py --json FILE

The rules are those of the benchmark `match`, with 1,000 rules per file. Times are processor time, so that other
processes on the machine have little influence. "loop lag ms" is the maximum processor time that passed while a
coroutine that sleeps for 1 ms waited, during a reload of the same number of changed rules.
"""

import asyncio
import gc
import json
import multiprocessing
import pathlib
import sys
import tempfile
import time
from concurrent import futures

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))

from router.bootstrap import processes
from router.rules import load, reload
from tests.benchmarks import figures, match

SIZES = (1_000, 5_000, 10_000, 100_000)
QUICK_SIZES = (100, 1_000)
FILE = 1_000
GOALS = {10_000: 1.0, 100_000: 12.0}
GOAL_LAG_MS = 20
RELOADS = 3


class Webhooks:
    """A stub of the webhook server, with the two functions that a reload replaces."""

    decide = labels_named = None


def write(folder, rules, comment):
    """Write rule files. The comment makes them differ from the previous files."""
    for start in range(0, len(rules), FILE):
        text = json.dumps({"rules": rules[start : start + FILE]}, indent=1)
        (folder / f"{start:07}.yaml").write_text(f"# {comment}\n{text}")


async def lag(folder, rules):
    """Return the longest wait of a coroutine during reloads, in seconds of this process's processor time."""
    webhooks = Webhooks()
    in_force = reload.Rules(folder, match.DESTINATIONS, changed=lambda loaded: processes.put_in_force(webhooks, loaded))
    processes.put_in_force(webhooks, in_force.in_force)
    longest = 0.0
    for number in range(RELOADS):
        write(folder, rules, f"reload {number}")
        reloading = asyncio.create_task(in_force.reload(time.monotonic))
        while not reloading.done():
            began = time.process_time()
            await asyncio.sleep(0.001)
            longest = max(longest, time.process_time() - began)
        await reloading
    return longest


def measure_row(count):
    """Measure one row of the report."""
    rules = match.rules(match.SHAPES["beside"], count)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write(folder, rules, "first")
        gc.collect()
        before, began = match.resident(), time.process_time()
        loaded = load.load(folder, match.DESTINATIONS)
        seconds = time.process_time() - began
        gc.collect()
        kept = match.resident() - before
        assert len(loaded.rules) == count
        del loaded
        row = {
            "rules": count,
            "load s": round(seconds, 3),
            "us a rule": round(seconds / count * 1e6, 1),
            "bytes a rule": round(kept / count),
            "loop lag ms": round(asyncio.run(lag(folder, rules)) * 1000, 1),
        }
    reached = seconds <= GOALS.get(count, float("inf")) and row["loop lag ms"] <= GOAL_LAG_MS
    return row | {"reached": "yes" if reached else "no"}


def run(sizes):
    """Measure everything and return it as data."""
    rows = []
    for count in sizes:
        with futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            rows.append(pool.submit(measure_row, count).result())
    return {"benchmark": "processor time to load rules from YAML", "rows": rows}


def main():
    """Measure, print, and write the result to the requested file."""
    arguments = figures.parse_arguments(__doc__, "few rules")
    figures.report(run(QUICK_SIZES if arguments.quick else SIZES), arguments.json)


if __name__ == "__main__":
    main()
