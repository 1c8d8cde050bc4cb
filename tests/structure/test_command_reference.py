"""The interface of commands for scripts: declared exit statuses and JSON output, listed on the reference page."""

import re

import pytest
from typer import testing

from router import cli
from router.cli import contracts
from tests.structure import command_reference

COMMANDS = dict(command_reference.list_commands())
SHOWS = {"list", "show", "stats", "kinds"}  # The names of commands that list or show objects.


def list_options(words: str) -> set[str]:
    return {name for one in COMMANDS[words].params for name in one.opts}


def test_commands_and_contracts_match():
    assert set(contracts.CONTRACTS) == set(COMMANDS)


def test_reference_page_matches_the_commands():
    assert command_reference.PAGE.read_text(encoding="utf-8") == command_reference.page(), "`make golden` writes it"


def test_reference_page_lists_the_general_exit_statuses():
    page = command_reference.PAGE.read_text(encoding="utf-8")
    for number, said in contracts.GENERAL.items():
        assert f"| {number} | {said} |" in page


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_list_and_show_commands_print_api_models(words):
    if words.rpartition(" ")[2] in SHOWS:
        assert "--json" in list_options(words)
        assert contracts.CONTRACTS[words].json is not None
    elif contracts.CONTRACTS[words].json is not None:
        assert "--json" in list_options(words)


@pytest.mark.parametrize("words", sorted(COMMANDS))
def test_command_help_ends_with_the_exit_statuses(words):
    for number, meaning in contracts.CONTRACTS[words].statuses.items():
        assert f"{number}: {meaning}" in COMMANDS[words].epilog


GROUPS = sorted({words.partition(" ")[0] for words in COMMANDS if " " in words})


@pytest.mark.parametrize("words", ["", *GROUPS, "check", "incidents list", "reviews approve", "sources send"])
def test_short_help_option_fits_80_columns_everywhere(words):
    done = testing.CliRunner().invoke(cli.app, [*words.split(), "-h"], env={"COLUMNS": "80", "TERM": "dumb"})
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Usage:" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())
    assert ("Exit status: 0: Success. 1: " in re.sub(r"\s+", " ", done.stdout)) == (words in COMMANDS)


def test_version_option_prints_the_version():
    done = testing.CliRunner().invoke(cli.app, ["--version"])
    assert (done.exit_code, done.stdout) == (0, f"incident-router {cli.__version__}\n")
