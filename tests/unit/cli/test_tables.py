"""Tables fit the terminal. In a pipe, each row is one line and no value is truncated."""

import io
import sys
from datetime import timedelta

import pytest
from rich import cells

from router.bootstrap import factories
from router.cli import tables, terminal
from router.services import models

COLUMNS = (
    "reference",
    tables.Column("severity", style=tables.severity_style),
    tables.Column("muted", spare=True),
    tables.Column("title", shrinks=True),
    tables.Column("key", wide=True),
)
TITLE = "Payments fail for a quarter of the customers 顧客の四分の一"
ROWS = [
    ("IR-7F3K2QXM", "critical", "", TITLE, 'payments-fail{labels.service="payments-gateway-international"}'),
    ("IR-97VY7NWH", "minor", "", "Disk", "disk"),
]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def print_table(monkeypatch, columns: int | None, rows=ROWS, **environment: str) -> str:
    """Return the output for a terminal of this width, or for a pipe."""
    out = io.StringIO() if columns is None else Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    for name, value in {"COLUMNS": str(columns or 10), "TERM": "xterm-256color", **environment}.items():
        monkeypatch.setenv(name, value)
    tables.write(COLUMNS, rows, "nothing")
    return out.getvalue()


def test_pipe_gets_full_values_without_trailing_blanks(monkeypatch):
    lines = print_table(monkeypatch, None).splitlines()
    assert lines[0].split() == ["REFERENCE", "SEVERITY", "MUTED", "TITLE", "KEY"]
    assert len(lines) == 3
    for line, row in zip(lines[1:], ROWS, strict=True):
        assert all(value in line for value in row)
        assert line == line.rstrip()
    starts = {cells.cell_len(line[: line.index(row[4])]) for line, row in zip(lines[1:], ROWS, strict=True)}
    assert len(starts) == 1, "columns are aligned, also behind wide letters"


@pytest.mark.parametrize("columns", [40, 60, 80, 100])
def test_terminal_rows_fit_on_one_line(monkeypatch, columns):
    lines = print_table(monkeypatch, columns, NO_COLOR="1", TERM="dumb").splitlines()
    assert len(lines) == 3
    assert all(cells.cell_len(line) <= columns for line in lines)
    assert "IR-7F3K2QXM" in lines[1]
    assert "MUTED" not in lines[0], "a spare column without values is omitted"
    assert ("…" in lines[1]) == (columns < 81)
    assert "KEY" not in lines[0]


def test_wide_terminal_shows_all_columns_with_values(monkeypatch):
    lines = print_table(monkeypatch, 200, NO_COLOR="1", TERM="dumb").splitlines()
    assert lines[0].split() == ["REFERENCE", "SEVERITY", "TITLE", "KEY"]
    assert all(value in lines[1] for value in ROWS[0])


def test_narrow_terminal_keeps_the_references(monkeypatch):
    assert "IR-7F3K2QXM" in print_table(monkeypatch, 20, NO_COLOR="1", TERM="dumb")


def test_colors_depend_on_terminal_and_settings(monkeypatch):
    assert "\x1b[1;31mcritical" in print_table(monkeypatch, 80)
    for columns, environment in ((None, {}), (80, {"NO_COLOR": "1"})):
        with monkeypatch.context() as own:
            assert "31m" not in print_table(own, columns, **environment)


def test_empty_list_prints_a_message(monkeypatch):
    assert print_table(monkeypatch, None, []) == "nothing\n"


def test_control_characters_stay_in_their_cell(monkeypatch):
    for columns in (None, 80):
        with monkeypatch.context() as own:
            out = print_table(
                own, columns, [("IR-1", "minor", "", "a\nb\x1b[2J\u202e", "k")], NO_COLOR="1", TERM="dumb"
            )
            assert len(out.splitlines()) == 2
            assert "\\n" in out
            assert "\x1b[2J" not in out


def test_times_are_ages_in_terminals_and_absolute_elsewhere(monkeypatch):
    at = models.at(factories.clock()) - timedelta(hours=50)
    monkeypatch.setattr(sys, "stdout", Terminal())
    assert tables.age(at) == "2d"
    assert tables.age(at + timedelta(days=30)) == "in 27d"
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert tables.age(at) == at.strftime("%Y-%m-%d %H:%M:%S UTC")
    assert tables.age(None) == ""


WORDS = "Orders may fail at the last step. We are investigating and will tell you more soon, at https://status.example.com/x"


@pytest.mark.parametrize("columns", [12, 40, 80, 200])
def test_prose_is_wrapped_but_never_truncated(monkeypatch, columns):
    """A reviewer approves text for customers, so the full text must be visible at any terminal width."""
    monkeypatch.setattr(sys, "stdout", Terminal())
    monkeypatch.setenv("COLUMNS", str(columns))
    told = terminal.hanging("    ", WORDS)
    assert told.split() == WORDS.split() or columns < max(map(len, WORDS.split())) + 4
    assert "".join(told.split()) == "".join(WORDS.split())
    assert all(len(line) <= columns for line in told.splitlines())
    assert terminal.hanging("head: ", "") == "head: "
    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert terminal.hanging("    ", WORDS) == f"    {WORDS}"
