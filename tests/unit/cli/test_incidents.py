"""`incidents show`: upcoming steps, and long values in a narrow terminal."""

import datetime as dt
import io

from router.cli import incidents, terminal
from router.services import models

HEAD = "  update 01JDZK3V7N4Q8W2M5X6Y9B1CDE --if-match 0123456789ab investigating: "


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_heading_wider_than_the_terminal_is_printed_once(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    incidents._print_behind(terminal.console(soft_wrap=True), HEAD, "Payments fail.")
    told = stream.getvalue()
    assert told.count("update") == 1
    assert "Payments fail." in told


def test_upcoming_steps_are_shown_with_their_times(capsys):
    at = dt.datetime(2026, 12, 1, 8, 50, 52, tzinfo=dt.UTC)
    coming = [
        models.Coming(at=None, reason="not_opened", what="open", destination="on-call"),
        models.Coming(at=at, reason="hold_ends", what="opens if an alert still fires", destination=""),
    ]
    incidents._print_coming(terminal.console(soft_wrap=True), coming)
    lines = ["", "Next", "  now  on-call: open", "  2026-12-01 08:50:52 UTC  opens if an alert still fires"]
    assert capsys.readouterr().out.splitlines() == lines
