"""How a command says that it can't start or go on: as text, or as lines of the log.

A process that serves has one stream of lines that a log collector parses, so its errors are lines of that log.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import typer

from router import settings as configuration
from router.telemetry import log
from router.yaml_source import problems

What = Literal["configuration", "rules"]


class Ending(Protocol):
    """Where the reasons go. Each method returns the exit to raise."""

    def refuse(self, what: What, found: Sequence[problems.Problem]) -> typer.Exit:
        """Report every problem of a file."""
        ...

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Report what went wrong, one sentence each."""
        ...


class AsText:
    """For people: on standard error."""

    def refuse(self, what: What, found: Sequence[problems.Problem]) -> typer.Exit:
        """Print every problem with the line that it is about."""
        print(f"The {what} cannot be used.", file=sys.stderr)
        for problem in found:
            print(f"\n{problem}", file=sys.stderr)
        return typer.Exit(1)

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Print the sentences."""
        for message in messages:
            print(f"incident-router: {message}", file=sys.stderr)
        return typer.Exit(1)


class InLog:
    """For log collectors."""

    def __init__(self) -> None:
        self._log = log.get("process")

    def refuse(self, what: What, found: Sequence[problems.Problem]) -> typer.Exit:
        """Write one line with all problems."""
        said = [f"{problem.place}: {problem.message}" for problem in found]
        self._log.critical("start_failed", problem=f"the {what} can't be used", problems=said)
        return typer.Exit(1)

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Write one line for each sentence."""
        for message in messages:
            self._log.critical("process_failed", problem=message)
        return typer.Exit(1)


TEXT = AsText()


def of_process(config: Path) -> Ending:
    """Set up the log of a process that serves, before anything can go wrong, and return how its errors are reported.

    On a terminal, or in the format ``console``, people read them.
    """
    format_ = configuration.log_format(config, os.environ)
    log.configure(format_)
    log.catch_uncaught()
    return TEXT if format_ == "console" or sys.stderr.isatty() else InLog()
