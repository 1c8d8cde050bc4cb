"""Options of every command: ``--version`` and ``-h``."""

import click
import pytest
import typer.main
from typer import testing

import router
from router import cli


def list_paths(command: click.Command, names: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the paths of a command and its subcommands."""
    below = getattr(command, "commands", {})
    return [names] + [path for name, one in below.items() for path in list_paths(one, (*names, name))]


def test_version_is_printed():
    done = testing.CliRunner().invoke(cli.app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"incident-router {router.__version__}\n")


@pytest.mark.parametrize("path", list_paths(typer.main.get_command(cli.app)), ids=" ".join)
def test_every_command_prints_help_for_h(path):
    done = testing.CliRunner().invoke(cli.app, [*path, "-h"])
    assert done.exit_code == 0
    assert "Usage: " in done.output
