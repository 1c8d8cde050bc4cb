"""Tells what is wrong with a folder of rules: what a command prints before a change goes live."""

from pathlib import Path

from router.documents import problem as problems
from router.rules import known, load


def check(folder: Path, destinations: known.Destinations) -> list[problems.Problem]:
    """Every problem, in the order of files and lines; empty where the rules can be used."""
    try:
        load.load(folder, destinations)
    except load.Refused as refused:
        return refused.problems
    return []
