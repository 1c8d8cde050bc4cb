"""The command line of benchmarks, and the output of their figures: columns on stdout, and JSON in a file."""

import argparse
import json
from pathlib import Path
from typing import Any


def parse_arguments(description: str, quick: str) -> argparse.Namespace:
    """Read the command line of a single-process benchmark. ``quick`` describes what ``--quick`` leaves out."""
    parser = argparse.ArgumentParser(description=description.partition("\n")[0])
    parser.add_argument("--json", type=Path, help="write the result to this file")
    parser.add_argument("--quick", action="store_true", help=f"{quick} only: to see that it works")
    return parser.parse_args()


def report(result: dict[str, Any], file: Path | None) -> None:
    """Print the rows of a result, and write the result to the requested file."""
    columns = list(dict.fromkeys(key for row in result["rows"] for key in row))
    print("".join(f"{column:>17}" for column in columns))
    for row in result["rows"]:
        print("".join(f"{row.get(column, '')!s:>17}" for column in columns))
    write(result, file)


def write(result: dict[str, Any], file: Path | None) -> None:
    """Write a result to the requested file, if any."""
    if file:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(result, indent=2) + "\n")
