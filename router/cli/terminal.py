r"""Output of the commands: text from senders and vendors can't control the terminal or forge lines.

Control characters, line separators, and bidirectional overrides are printed as escapes such as ``\x1b`` or ``\u202e``.
There are two layers. ``plain`` and ``markup`` escape one value, including its line breaks. The streams (``guard``) and
the console escape everything that they print, except line breaks.
"""

import contextlib
import errno
import json
import os
import re
import shutil
import signal
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import IO, Any, TextIO

from rich import console as consoles
from rich import markup as rich_markup
from rich import segment

# Control characters, characters that are invisible or change the writing direction, and lone surrogates. The joiners
# U+200C and U+200D stay: scripts and emoji need them.
_OBEYED = (
    r"\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f"
)
_ON_A_LINE = re.compile(f"[\\t\\n{_OBEYED}]")
_IN_LINES = re.compile(f"[\\t{_OBEYED}]")
_IN_A_STREAM = re.compile(f"[{_OBEYED}]")
_STYLE = re.compile(r"(\x1b\[[0-9;]*m)")
_WIDE = 400  # Columns without a terminal, so that nothing is cut.


def plain(text: str) -> str:
    """Return foreign text on one line, with escapes for everything that controls a terminal."""
    return _ON_A_LINE.sub(_escape, text)


def lines(text: str) -> str:
    """Return foreign text as ``plain`` does, but keep its line breaks. Only for indented blocks below a heading."""
    # A carriage return alone could overwrite the line. Before a line feed it is harmless and common in bodies.
    return _IN_LINES.sub(_escape, text.replace("\r\n", "\n"))


def markup(text: str) -> str:
    """Return foreign text as ``plain`` does, escaped for use in Rich's markup."""
    # Escaping of brackets comes second, because it must also cover the text that the first step produces.
    return rich_markup.escape(plain(text))


def hanging(head: str, words: str) -> str:
    """Return foreign prose after a heading, wrapped between words in a terminal; otherwise on one line."""
    line = f"{head}{plain(words)}"
    if not sys.stdout.isatty():
        return line
    room = shutil.get_terminal_size().columns
    # After a long heading, the text would have too little room to its right.
    indent = " " * (len(head) if len(head) < room // 2 else 4)
    return textwrap.fill(line, room, subsequent_indent=indent, break_on_hyphens=False, drop_whitespace=False)


def write_json(document: bytes) -> None:
    """Write JSON to standard output, with JSON's own escapes for characters that control a terminal."""
    # Inside JSON, such a character can only be in a string, where JSON's escape has the same meaning.
    text = _IN_A_STREAM.sub(lambda letter: json.dumps(letter[0])[1:-1], document.decode())
    # `print` and the stream of bytes have separate buffers. Without a flush, the JSON would precede earlier lines.
    sys.stdout.flush()
    sys.stdout.buffer.write(text.encode() + b"\n")


def write_body(body: bytes) -> None:
    """Write a body as it was received. On a terminal, escape the characters that control it."""
    sys.stdout.flush()
    if sys.stdout.isatty():
        # Only a terminal interprets control characters. A file or a program gets the body byte for byte.
        print(lines(body.decode(errors="backslashreplace")))
    else:
        sys.stdout.buffer.write(body)


@contextlib.contextmanager
def binary() -> Iterator[IO[bytes]]:
    """Open standard output for binary data. Not for a terminal."""
    sys.stdout.flush()
    yield sys.stdout.buffer
    sys.stdout.buffer.flush()


def console(*, wide: bool = True, stderr: bool = False, **options: Any) -> consoles.Console:
    """Return a console as wide as the terminal. Without a terminal, it is wide enough for every line."""
    stream = sys.stderr if stderr else sys.stdout
    if wide and not stream.isatty():
        # Without a terminal, Rich assumes 80 columns and would wrap lines that `grep` or a script reads.
        options |= {"width": _WIDE}
    # The console gets the stream below the guard, which would escape Rich's own control codes. It escapes texts itself.
    return _Console(file=_raw(stream), highlight=False, **options)


@contextlib.contextmanager
def guard() -> Iterator[None]:
    """Escape all text that is printed to standard output and standard error, for the length of the block."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = _Guarded(before[0]), _Guarded(before[1])
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


class OutputError(Exception):
    """Standard output can't be written to. ``is_closed``: its reader has ended, as in ``| head``."""

    def __init__(self, error: OSError) -> None:
        super().__init__(f"standard output can't be written: {error.strerror}")
        self.is_closed = error.errno == errno.EPIPE


@contextlib.contextmanager
def checked_output() -> Iterator[None]:
    """End the program if standard output can't be written: silently if its reader has ended, else with a message.

    The exit status is 141 (as after SIGPIPE) if its reader has ended, else 1.
    """
    before = sys.stdout
    sys.stdout = _Checked(before)
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except OutputError as error:
        with contextlib.suppress(OSError):  # Buffered data is not written again when the program ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), before.fileno())
        if error.is_closed:
            raise SystemExit(128 + signal.SIGPIPE) from None
        print(f"incident-router: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    finally:
        sys.stdout = before


class _Checked:
    """Standard output for text or bytes. It raises ``OutputError``, to distinguish its failures from others."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, content: Any) -> int:
        """Write text or bytes."""
        with self._writing():
            return int(self._stream.write(content))

    def flush(self) -> None:
        """Write the buffered data."""
        with self._writing():
            self._stream.flush()

    @property
    def buffer(self) -> Any:
        """The stream of bytes."""
        return _Checked(self._stream.buffer)

    @staticmethod
    @contextlib.contextmanager
    def _writing() -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(error) from error

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class _Console(consoles.Console):
    """A console that escapes the texts that it prints, but not its own control codes."""

    def render(
        self, renderable: consoles.RenderableType, options: consoles.ConsoleOptions | None = None
    ) -> Iterable[segment.Segment]:
        """Render as Rich does."""
        for part in super().render(renderable, options):
            # Rich marks its own control codes, such as those of a progress bar.
            yield part if part.control else segment.Segment(_IN_LINES.sub(_escape, part.text), part.style)


class _Guarded:
    """A stream that escapes text. On a terminal, colors stay."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream

    def write(self, text: str) -> int:
        """Write a text, escaped. Return its number of characters."""
        # The pattern has a group, so the split texts alternate with the color codes, which have odd positions.
        parts = _STYLE.split(text) if self.stream.isatty() else [text]
        safe = (part if number % 2 else _IN_A_STREAM.sub(_escape, part) for number, part in enumerate(parts))
        self.stream.write("".join(safe))
        # The caller compares the result with the length of its own text, not with that of the escaped one.
        return len(text)

    def writelines(self, texts: Iterable[str]) -> None:
        """Write texts one after the other."""
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)


def _raw(stream: Any) -> TextIO:
    raw: TextIO = stream.stream if isinstance(stream, _Guarded) else stream
    return raw


def _escape(letter: re.Match[str]) -> str:
    return letter[0].encode("unicode_escape").decode()
