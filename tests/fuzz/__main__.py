"""Fuzzes every parser of external text for a given time.

    python -m tests.fuzz [SECONDS] [--seed N] [--target NAME] [--json FILE] [--update-docs]

Every target runs in a separate process, with a limit on memory and a deadline, so that an input that exhausts memory
or never ends is a find and not the end of the run. An input must be handled within ``MOST_SECONDS`` of processor time.
Finds are printed with the seed that makes them; the status is 1 if there are any.
"""

import argparse
import json
import random
import sys
from pathlib import Path

from tests.fuzz import runs, table


def main(arguments: list[str]) -> int:
    """Fuzz and print a line for each target; return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("seconds", nargs="?", type=float, default=60.0, help="seconds, shared by all targets")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1, 10**9))
    parser.add_argument("--target", action="append", help="only this one; may be given several times")
    parser.add_argument("--json", type=Path, help="write the results to this file")
    parser.add_argument("--update-docs", action="store_true", help="write the results into docs/concepts/security.md")
    wanted = parser.parse_args(arguments)
    found = []
    for one in runs.run(wanted.seconds, wanted.seed, wanted.target or list(runs.list_targets())):
        found.append(one)
        print(
            f"{one.target:<16} {one.tried:>9} inputs  {one.finds:>3} finds"
            f"  slowest {one.slowest_ms:>7.1f} ms  memory +{one.grown_mb:>4.0f} MB",
            flush=True,
        )
        for example in one.examples:
            print(f"    {example}")
    print(f"{sum(one.tried for one in found)} inputs, {sum(one.finds for one in found)} finds, seed {wanted.seed}")
    if wanted.json:
        wanted.json.write_text(json.dumps([one._asdict() for one in found], indent=2) + "\n")
    if wanted.update_docs:
        table.update(found)
    return 1 if any(one.finds for one in found) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
