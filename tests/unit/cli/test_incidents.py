"""How `incidents show` prints long values in a narrow terminal."""

import io

from router.cli import incidents, terminal

HEAD = "  update 01JDZK3V7N4Q8W2M5X6Y9B1CDE --if-match 0123456789ab investigating: "


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_head_wider_than_the_terminal_is_printed_once(monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    incidents._print_behind(terminal.console(soft_wrap=True), HEAD, "Payments fail.")
    told = stream.getvalue()
    assert told.count("update") == 1
    assert "Payments fail." in told
