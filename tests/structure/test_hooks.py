"""The hooks for other repositories use existing commands and options, and pre-commit's own keys."""

import re
import shlex

import pytest
import typer

from router import cli
from router.yaml_source import documents
from tests.structure import tree

HOOKS = documents.read(tree.ROOT / ".pre-commit-hooks.yaml").data
KNOWN = {"id", "name", "description", "entry", "language", "types", "pass_filenames"}


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_hook_runs_an_existing_command(hook):
    program, command, *options = shlex.split(hook["entry"])
    assert program == "incident-router"
    offered = typer.main.get_command(cli.app).commands[command]
    names = {name for parameter in offered.params for name in parameter.opts}
    assert set(options) <= names
    assert hook.keys() == KNOWN
    assert (hook["language"], hook["pass_filenames"]) == ("python", False)


def test_rules_reference_names_every_hook():
    text = (tree.ROOT / "docs" / "reference" / "rules.md").read_text()
    assert {hook["id"] for hook in HOOKS} == set(re.findall(r"`(incident-router-\w+)`", text))
