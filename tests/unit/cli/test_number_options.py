"""Numeric, duration, and choice options: an error names the option and the accepted values."""

import typing

import pytest
from typer import core, testing

from router import cli
from tests.structure import command_reference

NUMBERS = (int, float)
SURROUNDINGS = {"COLUMNS": "1000", "TERM": "dumb"}
OPTIONS = [
    (words, command, option)
    for words, command in command_reference.list_commands()
    for option in command.params
    if option.type_descriptor.annotation in NUMBERS
]
INVALID = ["x", "", " ", "-1", "1.5", "1e3", "0x10", "٣", "99999999999999999999", "9" * 200]


def result(words, command, option, text):
    """Run the command with this option and a placeholder for each argument. Return the result."""
    arguments = ["x" for one in command.params if isinstance(one, core.TyperArgument)]
    return testing.CliRunner().invoke(cli.app, [*words.split(), *arguments, f"{option}={text}"], env=SURROUNDINGS)


def test_commands_have_options_that_take_numbers():
    assert {option.opts[0] for _, _, option in OPTIONS} >= {"--limit", "--port", "--indent", "--after"}


@pytest.mark.parametrize("text", INVALID, ids=range(len(INVALID)))
@pytest.mark.parametrize(("words", "command", "option"), OPTIONS, ids=lambda one: getattr(one, "name", one))
def test_invalid_number_names_the_option_and_its_range(words, command, option, text):
    for spelled in option.opts:
        done = result(words, command, spelled, text)
        said = " ".join(done.stderr.split())
        assert done.exit_code == 2
        assert f"'{option.opts[0]}'" in said
        assert "must be an integer from " in said
        assert "Input should" not in said


@pytest.mark.parametrize("text", ["0", "1000001"])
def test_limit_outside_its_range_is_refused(text):
    done = testing.CliRunner().invoke(cli.app, ["deliveries", "list", "-n", text], env={"COLUMNS": "400"})
    assert f"must be an integer from 1 to 1000000, not '{text}'" in done.stderr


@pytest.mark.parametrize(
    ("command", "option", "between"),
    [
        ("silences add a=b --reason c", "--for", "1s to 366d"),
        ("silences add a=b --reason c", "--in", "0s to 366d"),
        ("tokens create ann", "--for", "0s to 3660d"),
        ("deliveries export FILE", "--since", "0s to 3660d"),
    ],
)
@pytest.mark.parametrize("text", ["x", "-1h", "1", "9999999d", "9" * 200])
def test_invalid_duration_names_the_option_and_its_range(command, option, between, text):
    done = testing.CliRunner().invoke(cli.app, [*command.split(), f"{option}={text}"], env=SURROUNDINGS)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith(f"incident-router: {option} must be from {between}, such as ")


CHOICES = [
    (words, option)
    for words, command in command_reference.list_commands()
    for option in command.params
    if typing.get_origin(option.type_descriptor.annotation) is typing.Literal
]


@pytest.mark.parametrize(("words", "option"), CHOICES, ids=lambda one: getattr(one, "name", one))
def test_invalid_choice_names_the_option_and_the_choices(words, option):
    command = dict(command_reference.list_commands())[words]
    said = " ".join(result(words, command, option.opts[0], "nothing").stderr.split())
    assert f"Invalid value for '{option.opts[0]}': 'nothing' is not one of " in said
    assert all(repr(choice) in said for choice in typing.get_args(option.type_descriptor.annotation))
