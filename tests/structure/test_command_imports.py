"""``--help`` and completion import nothing that only a command needs, and show the commands' own descriptions."""

import subprocess
import sys

import pytest
import typer.main

from router import cli

HEAVY = {"aiohttp", "cryptography", "httpx", "liquid", "msgspec", "redis", "router.configuration", "starlette", "yaml"}
CODE = """
import contextlib, sys
from router import cli
with contextlib.suppress(SystemExit):
    cli.main()
print("\\n" + " ".join(sys.modules))
"""


@pytest.mark.parametrize(
    "environment",
    [{}, {"_INCIDENT_ROUTER_COMPLETE": "complete_bash", "COMP_WORDS": "incident-router re", "COMP_CWORD": "1"}],
    ids=["help", "completion"],
)
def test_help_and_completion_import_no_command(environment):
    code = f"import sys\nsys.argv = ['incident-router', '--help']\n{CODE}"
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=100, check=True
    )
    assert "restore" in done.stdout
    assert HEAVY & set(done.stdout.splitlines()[-1].split()) == set()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_help_shows_the_summary_of_the_command(name):
    command = typer.main.get_command(cli.app).commands[name]
    assert cli.COMMANDS[name].summary == (command.help or "").partition("\n\n")[0].replace("\n", " ")
