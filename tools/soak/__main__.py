"""Runs the soak test: ``python -m tools.soak --hours 1``."""

import typer

from tools.soak import command

typer.run(command.soak)
