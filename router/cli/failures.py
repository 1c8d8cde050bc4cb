"""Reports why a command can't start or continue: as text, or as lines of the log.

A log collector parses the output of a serving process, so the errors of that process are lines of its log.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, Protocol

import typer

from router import configuration
from router.telemetry import log
from router.yaml_source import problems

What = Literal["configuration", "rules"]


class FailureOutput(Protocol):
    """The output for errors. Each method returns the exit to raise."""

    def refuse(self, subject: What, all_problems: Sequence[problems.LocatedProblem]) -> typer.Exit:
        """Report every problem of a file."""
        ...

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Report the errors, one sentence each."""
        ...


class AsText:
    """Prints readable text to standard error."""

    def refuse(self, subject: What, all_problems: Sequence[problems.LocatedProblem]) -> typer.Exit:
        """Print every problem with its source line."""
        print(f"The {subject} cannot be used.", file=sys.stderr)
        for problem in all_problems:
            print(f"\n{problem}", file=sys.stderr)
        return typer.Exit(1)

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Print the sentences."""
        for message in messages:
            print(f"incident-router: {message}", file=sys.stderr)
        return typer.Exit(1)


class InLog:
    """Writes lines of the log."""

    def __init__(self) -> None:
        self._log = log.get("process")

    def refuse(self, subject: What, all_problems: Sequence[problems.LocatedProblem]) -> typer.Exit:
        """Write one line with all problems."""
        messages = [f"{problem.place}: {problem.message}" for problem in all_problems]
        self._log.critical("start_failed", problem=f"the {subject} can't be used", problems=messages)
        return typer.Exit(1)

    def fail(self, messages: Sequence[str]) -> typer.Exit:
        """Write one line for each sentence."""
        for message in messages:
            self._log.critical("process_failed", problem=message)
        return typer.Exit(1)


TEXT = AsText()


def of_process(config: Path) -> FailureOutput:
    """Set up the log of a serving process before any error can occur, and return how its errors are reported.

    On a terminal, or in the format ``console``, errors are printed as readable text.
    """
    # The format is read separately, because the configuration as a whole may be invalid, and that error needs a format.
    format_ = configuration.log_format(config, os.environ)
    log.configure(format_)
    # An unexpected error is logged too. A traceback would be many lines that a collector can't assign to one error.
    log.catch_uncaught()
    return TEXT if format_ == "console" or sys.stderr.isatty() else InLog()
