"""The table of docs/concepts/security.md with the number of invalid inputs, and the harm that they did."""

import re
from collections.abc import Iterable
from pathlib import Path

from tests.fuzz import runs, targets

DOCUMENT = Path(__file__).parents[2] / "docs" / "concepts" / "security.md"
HEAD = "| input | tried | harm | slowest input |\n| --- | --- | --- | --- |\n"
_TABLE = re.compile(re.escape(HEAD) + r"(?:\|.*\n)*")
_ROW = re.compile(
    r"^\| (?P<title>.+?) \| (?P<tried>[0-9,]+) \| (?P<harm>\w+) \| (?P<slowest>[0-9.]+) ms \|$", re.MULTILINE
)


def parse_rows(text: str) -> dict[str, dict[str, str]]:
    """The rows of the table in a document, by the title of their target."""
    (match,) = _TABLE.findall(text)
    return {row["title"]: row.groupdict() for row in _ROW.finditer(match)}


def update(found: Iterable[runs.Run]) -> None:
    """Write the results into the document."""
    lines = [
        f"| {targets.TARGETS[one.target].title} | {one.tried:,} | {one.finds or 'none'} | {one.slowest_ms:.0f} ms |\n"
        for one in found
    ]
    DOCUMENT.write_text(_TABLE.sub(lambda _: HEAD + "".join(lines), DOCUMENT.read_text()))
