"""Command output: text from senders and vendors can't control the terminal or forge lines."""

import ast
import io
import json
import re

import pytest
from rich import markup, padding, table, text

from router.cli import terminal
from tests.structure import tree

HOSTILE = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b31m\x85\u2028\u202e\rX\nforged\ttab\ud800"
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\ud800-\udfff]")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def print_guarded(monkeypatch):
    """Print to a stream of this kind with the guard installed, and return the output."""

    def printed(stream, act) -> str:
        monkeypatch.setattr("sys.stdout", stream)
        with terminal.guard():
            act()
        return stream.getvalue()

    return printed


def test_text_is_printed_on_one_line():
    said = terminal.plain(HOSTILE)
    assert not OBEYED.search(said)
    assert "\n" not in said
    assert "\t" not in said
    assert said.startswith(
        "\\x1b]0;title\\x07\\x1b[2J\\x1b[31mred\\x9b31m\\x85\\u2028\\u202e\\rX\\nforged\\ttab\\ud800"
    )


def test_ordinary_text_is_unchanged():
    said = "Größe 東京 👩\u200d💻 naïve\u00a0space \u0645\u06cc\u200c\u062e\u0648"
    assert terminal.plain(said) == said


def test_multi_line_text_keeps_its_line_breaks():
    assert terminal.lines("one\r\ntwo\x1b[2J\nthree") == "one\ntwo\\x1b[2J\nthree"


def test_markup_in_untrusted_text_is_escaped():
    assert terminal.markup("[red]x[/]\n") == markup.escape("[red]x[/]") + "\\n"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_output_streams_escape_control_characters(print_guarded, stream):
    said = print_guarded(stream(), lambda: print(f"key {HOSTILE.replace('[31m', '')}"))
    assert not OBEYED.search(said)


def test_colors_are_printed_only_to_terminals(print_guarded):
    assert print_guarded(Terminal(), lambda: print("\x1b[1mbold\x1b[0m")) == "\x1b[1mbold\x1b[0m\n"
    assert print_guarded(io.StringIO(), lambda: print("\x1b[1mbold\x1b[0m")) == "\\x1b[1mbold\\x1b[0m\n"


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_console_escapes_content_and_keeps_its_colors(print_guarded, stream):
    def act() -> None:
        out = terminal.console(soft_wrap=True, force_terminal=stream is Terminal)
        grid = table.Table("a", box=None)
        grid.add_row(HOSTILE)
        for one in (grid, text.Text(HOSTILE), padding.Padding(HOSTILE, 1), f"[bold]{markup.escape(HOSTILE)}[/]"):
            out.print(one)

    said = print_guarded(stream(), act)
    assert not OBEYED.search(re.sub(r"\x1b\[[0-9;]*m", "", said) if stream is Terminal else said)
    assert "\x1b[31mred" not in said
    assert ("\x1b[1m" in said) is (stream is Terminal)


def test_json_is_escaped_but_equal(capfdbinary):
    terminal.write_json(json.dumps({"title": HOSTILE[:-1]}, ensure_ascii=False).encode())
    said = capfdbinary.readouterr().out
    assert json.loads(said) == {"title": HOSTILE[:-1]}
    assert not OBEYED.search(said.decode())


def test_body_is_written_unchanged_unless_to_a_terminal(capfdbinary, monkeypatch):
    terminal.write_body(b"\x1b[2J\xff")
    assert capfdbinary.readouterr().out == b"\x1b[2J\xff"
    stream = Terminal()
    monkeypatch.setattr("sys.stdout", stream)
    terminal.write_body(b"\x1b[2J\xff\n")
    assert stream.getvalue() == "\\x1b[2J\\xff\n\n"


def test_guard_restores_the_streams():
    import sys

    before = sys.stdout, sys.stderr
    with terminal.guard():
        assert sys.stdout is not before[0]
        assert sys.stdout.encoding == before[0].encoding
    assert (sys.stdout, sys.stderr) == before


def test_commands_create_consoles_only_in_terminal_module():
    """A console made elsewhere would bypass both guards."""
    makes = []
    for path in tree.list_python_files("router"):
        if path.parent.name != "cli" or path.name == "terminal.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in {"console.Console", "consoles.Console"}:
                makes.append(tree.format_place(path, node.lineno))
            if isinstance(node, ast.Attribute) and ast.unparse(node) in {"sys.stdout.buffer", "sys.__stdout__"}:
                makes.append(tree.format_place(path, node.lineno))
    assert makes == []
