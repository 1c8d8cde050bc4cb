"""Files that commands write. Only their owner may read them, because they contain alerts."""

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import typer

from router.cli import startup

STDIO = "-"
"""Names standard input or standard output instead of a file."""


@contextlib.contextmanager
def create(name: str) -> Iterator[IO[bytes]]:
    """Open a file with mode 0600 that replaces an existing one once it is complete.

    A device or a pipe is written to directly. If the file can't be written, the command ends with a message.
    """
    target = Path(name)
    # `/dev/null` or a pipe can't be replaced by a file.
    is_special = target.exists() and not target.is_file()
    # A symbolic link stays, and the file to which it points is replaced.
    target = target if is_special else target.resolve()
    partial = target if is_special else Path(f"{target}.partial")
    try:
        # The mode is set at creation, so that the file is at no time readable by others.
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | (0 if is_special else os.O_TRUNC), 0o600)
    except OSError as error:
        raise startup.usage(f"{name} can't be written: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            if not is_special:
                os.fchmod(descriptor, 0o600)  # The file may be left over from a killed command.
            yield stream
            stream.flush()
            if not is_special:
                # Otherwise a power failure after the renaming could leave an empty file in place of the old one.
                os.fsync(descriptor)
        if not is_special:
            partial.replace(target)
    # This includes Ctrl-C: an incomplete file must neither stay nor replace an earlier one.
    except BaseException as error:
        if not is_special:
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError):
            print(f"incident-router: {name} can't be written: {error.strerror or error}", file=sys.stderr)
            raise typer.Exit(1) from error
        raise
