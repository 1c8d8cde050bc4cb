"""Tables of the list commands.

In a terminal, a table is as wide as the terminal: optional columns that are empty or don't fit are omitted, and long
texts are cut. Otherwise every value is printed in full, aligned by blanks, one row per line, so that ``grep`` finds it.
Scripts use ``--json``.
"""

import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich import cells as cell_widths
from rich import text

from router.bootstrap import factories
from router.cli import terminal
from router.services import models

_GAP = 2
_SHORTEST = 10  # The minimum width of a text that is cut, in columns.
_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


@dataclass(frozen=True)
class Column:
    """A column with its name.

    In a terminal, texts of a column that ``shrinks`` are cut if the table is too wide. A ``spare`` column is omitted if
    it has no values, and a ``wide`` column if it doesn't fit. ``style`` returns Rich's style for a value.
    """

    name: str
    shrinks: bool = False
    spare: bool = False
    wide: bool = False
    style: Callable[[str], str] = lambda _: ""


def severity_style(word: str) -> str:
    """Return the style of a severity in a table."""
    return {"critical": "bold red", "major": "red", "minor": "yellow"}.get(word, "")


def problem_style(_: str) -> str:
    """Return the style of a problem."""
    return "yellow"


def is_terminal() -> bool:
    """Return whether standard output is a terminal, not a file or another program."""
    return sys.stdout.isatty()


def moment(at: datetime | None) -> str:
    """Return a time in full; empty if there is none."""
    return at.strftime("%Y-%m-%d %H:%M:%S UTC") if at is not None else ""


def age(at: datetime | None) -> str:
    """Return how long ago a time was, such as ``5m``, or how far ahead it is; outside a terminal, the time in full."""
    now = models.at(factories.clock())
    # A file or a script needs a time that is still right when it is read later.
    if at is None or now is None or not is_terminal():
        return moment(at)
    seconds = round((now - at).total_seconds())
    age_text = next((f"{abs(seconds) // size}{unit}" for unit, size in _UNITS if abs(seconds) >= size), "0s")
    return age_text if seconds >= 0 else f"in {age_text}"


def write(columns: Iterable[str | Column], rows: Iterable[Sequence[str]], none: str = "") -> None:
    """Print rows of plain texts below the names of their columns; if there is no row, print ``none``."""
    headings = [Column(column) if isinstance(column, str) else column for column in columns]
    table = [[terminal.plain(value) for value in row] for row in rows]
    if not table:
        print(none)
        return
    if not is_terminal():
        widths = _widths(headings, table)
        print(_line([column.name.upper() for column in headings], widths))
        for row in table:
            print(_line(row, widths))
        return
    _write_for_terminal(headings, table, shutil.get_terminal_size().columns)


def _write_for_terminal(columns: list[Column], table: list[list[str]], room: int) -> None:
    # Only spare columns without a value are omitted here. They would take room from the texts.
    keep = [number for number, column in enumerate(columns) if not column.spare or any(row[number] for row in table)]
    widths = _widths(columns, table)
    # Omit wide columns from the last one on, before any text is cut.
    for number in reversed(keep[:]):
        if columns[number].wide and _total([widths[each] for each in keep]) > room:
            keep.remove(number)
    visible_columns = [columns[number] for number in keep]
    widths = _fit(visible_columns, [widths[number] for number in keep], room)
    out = terminal.console(soft_wrap=True)
    out.print(_line([column.name.upper() for column in visible_columns], widths), style="bold", markup=False)
    for row in table:
        values = [_cut(row[number], width) for number, width in zip(keep, widths, strict=True)]
        line = text.Text()
        for column, value, width in zip(visible_columns, values, widths, strict=True):
            line.append(value, column.style(value))
            line.append(" " * (width - cell_widths.cell_len(value) + _GAP))
        # Trailing blanks would make a full line wrap in the terminal.
        line.rstrip()
        out.print(line)


def _fit(columns: list[Column], widths: list[int], room: int) -> list[int]:
    """Return the column widths with which a table fits the available width, as far as its texts can be truncated."""
    fitted = list(widths)
    while (over := _total(fitted) - room) > 0:
        able = [number for number, column in enumerate(columns) if column.shrinks and fitted[number] > _SHORTEST]
        # Every text has its minimum width, so the terminal has to wrap the lines.
        if not able:
            break
        # The widest column shrinks to the width of the next one, so long columns become equally wide before any is
        # short.
        widest = max(able, key=lambda number: fitted[number])
        next_widest = max((fitted[number] for number in able if number != widest), default=_SHORTEST)
        fitted[widest] -= min(over, max(1, fitted[widest] - max(next_widest, _SHORTEST)))
    return fitted


def _widths(columns: list[Column], table: list[list[str]]) -> list[int]:
    return [
        # Widths are in terminal cells: characters of East Asian scripts and emoji take two.
        max(cell_widths.cell_len(value) for value in (column.name, *(row[number] for row in table)))
        for number, column in enumerate(columns)
    ]


def _total(widths: list[int]) -> int:
    return sum(widths) + _GAP * (len(widths) - 1)


def _cut(value: str, width: int) -> str:
    if cell_widths.cell_len(value) <= width:
        return value
    # The ellipsis takes one cell. A cut within a wide character leaves a blank, which is removed.
    return cell_widths.set_cell_size(value, width - 1).rstrip() + "…"


def _line(values: list[str], widths: list[int]) -> str:
    padded = (value + " " * (width - cell_widths.cell_len(value)) for value, width in zip(values, widths, strict=True))
    # Trailing blanks would make a full line wrap in the terminal.
    return (" " * _GAP).join(padded).rstrip()
