"""Tells what is wrong with a folder of rules: what a command prints before a change goes live."""

from pathlib import Path

from router.documents import problem as problems
from router.rules import cases, known, load


def check(folder: Path, destinations: known.Destinations) -> list[problems.Problem]:
    """Every problem, in the order of files and lines; empty where the rules can be used."""
    found: list[problems.Problem] = []
    try:
        load.load(folder, destinations)
    except load.Refused as refused:
        found += refused.problems
    for document in load.files(folder, []):
        for _ in cases.read(document, destinations, found):
            pass
    return sorted(found, key=lambda problem: problem.order)
