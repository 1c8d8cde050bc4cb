"""Loads a folder of rule files whole or not at all: either everything in it is right, or every mistake is told."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from router.documents import load as documents
from router.documents import problem as problems
from router.rules import known, model, reading, ruleset

_VERSION_BYTES = 6


class Refused(Exception):
    """The rules can't be used; ``problems`` say why, in the order of files and lines."""

    def __init__(self, found: Iterable[problems.Problem]) -> None:
        self.problems = sorted(found, key=lambda problem: problem.order)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def load(folder: Path, destinations: known.Destinations) -> ruleset.RuleSet:
    """Load all ``*.yaml`` files of the folder, in the order of their names; raises ``Refused``.

    Files whose names begin with a dot are left alone; a file named ``*.yml`` is refused, since it is surely meant.
    A folder without rules is a rule set that ignores every alert.
    """
    hashed = hashlib.blake2b(digest_size=_VERSION_BYTES)
    reader = reading.Reader(destinations)
    rules: list[model.Rule] = []
    for path in files(folder, reader.problems):
        document = documents.read(path)
        # The length keeps two files apart from one file that holds both.
        hashed.update(f"{path.name}\0{len(document.content)}\0".encode() + document.content)
        rules += reader.read(document)
    return _made(rules, reader, hashed.hexdigest())


def build(
    rules: Iterable[Mapping[str, Any]], destinations: known.Destinations, version: str = "built"
) -> ruleset.RuleSet:
    """Make a rule set from rules as data, as they would stand under ``rules:``; raises ``Refused``."""
    reader = reading.Reader(destinations)
    made = reader.read(documents.from_data({"rules": list(rules)}, "rules"))
    return _made(made, reader, version)


def _made(rules: list[model.Rule], reader: reading.Reader, version: str) -> ruleset.RuleSet:
    if reader.problems:
        raise Refused(reader.problems)
    return ruleset.RuleSet(rules, version)


def files(folder: Path, found: list[problems.Problem]) -> list[Path]:
    """The rule files of a folder in their order; what is wrong with the folder is added to the problems found."""
    try:
        names = sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        found.append(problems.Problem(str(folder), 0, 0, f"can't be read: {error.strerror or error}"))
        return []
    found.extend(
        problems.Problem(str(folder / name), 0, 0, "would not be read; name it .yaml")
        for name in names
        if name.endswith(".yml")
    )
    return [folder / name for name in names if name.endswith(".yaml")]
