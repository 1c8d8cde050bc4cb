"""The workflows on GitHub run make's own targets on every supported Python, with actions pinned to commits."""

import re
import tomllib
from typing import Any

import pytest
from ruamel import yaml

from tests.structure import commands, tree

WORKFLOWS = tree.list_files(".github/workflows/*.yml")
# A tag can be moved to other code, a commit can't. The comment has the tag for readers.
PINNED = re.compile(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
OURS = re.compile(r"\./\.github/workflows/\w+\.yml")


def read(name: str) -> dict[str, Any]:
    return yaml.YAML(typ="safe").load((tree.ROOT / ".github/workflows" / name).read_text())


def list_unpinned(text: str) -> list[str]:
    """Return the actions that aren't pinned to a commit."""
    matches = re.findall(r"^\s*(?:- )?uses: (.*)$", text, re.MULTILINE)
    return [action for action in matches if not PINNED.fullmatch(action) and not OURS.fullmatch(action)]


def list_steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", [])]


def list_make_commands(workflow: dict[str, Any]) -> list[str]:
    """Return the make commands that a workflow runs."""
    lines = [line.strip() for step in list_steps(workflow) for line in step.get("run", "").splitlines()]
    return [line for line in lines if line.startswith("make ")]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    return tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]


def test_workflows_are_ci_and_release():
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "release.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=tree.format_place)
class TestEachWorkflow:
    def test_workflow_runs_existing_make_targets(self, path):
        command_index = commands.CommandIndex((tree.ROOT / "Makefile").read_text(), {})
        make_commands = list_make_commands(read(path.name))
        assert make_commands
        assert [command_index.problem(line) for line in make_commands] == [""] * len(make_commands)

    def test_every_action_is_pinned_to_a_commit(self, path):
        assert list_unpinned(path.read_text()) == []

    def test_workflow_permissions_default_to_reading_contents(self, path):
        assert read(path.name)["permissions"] == {"contents": "read"}

    def test_checkout_persists_no_credentials(self, path):
        checkouts = [
            step for step in list_steps(read(path.name)) if step.get("uses", "").startswith("actions/checkout@")
        ]
        assert checkouts
        assert all(step["with"] == {"persist-credentials": False} for step in checkouts)

    def test_every_job_has_a_timeout(self, path):
        assert all("timeout-minutes" in job or "uses" in job for job in read(path.name)["jobs"].values())

    def test_commands_contain_no_workflow_expressions(self, path):
        """An expression in a command is expanded before the shell parses it, so a branch name could be a command."""
        assert [step["run"] for step in list_steps(read(path.name)) if "${{" in step.get("run", "")] == []


def test_change_runs_make_check_and_make_test():
    assert list_make_commands(read("ci.yml")) == ["make check", "make test"]
    assert {"pull_request", "push"} <= read("ci.yml")["on"].keys()


def test_change_is_tested_on_every_declared_python(project):
    matches = re.findall(r"Python :: (3\.\d+)", "\n".join(project["classifiers"]))
    [job] = read("ci.yml")["jobs"].values()
    assert job["strategy"]["matrix"]["python"] == matches
    assert project["requires-python"] == f">={matches[0]}"


def test_release_is_built_after_ci_passes():
    release = read("release.yml")
    assert release["on"] == {"push": {"tags": ["v*"]}}
    assert release["jobs"]["ci"]["uses"] == "./.github/workflows/ci.yml"
    assert "workflow_call" in read("ci.yml")["on"]
    assert release["jobs"]["dist"]["needs"] == "ci"
    assert list_make_commands(release) == ["make dist"]


def test_release_uses_the_image_s_python():
    [base] = re.findall(r"^ARG BASE=python:(3\.\d+)", (tree.ROOT / "Dockerfile").read_text(), re.MULTILINE)
    versions = [
        step["with"]["python-version"] for step in list_steps(read("release.yml")) if "setup-python" in str(step)
    ]
    assert versions == [base]


class TestNegativeControl:
    @pytest.mark.parametrize("action", ["actions/checkout@v4", f"a/b@{'0' * 40}", f"a/b@{'0' * 39} # v1.2.3"])
    def test_unpinned_action_is_reported(self, action):
        assert list_unpinned(f"    - uses: {action}\n    - name: x\n      uses: {action}\n") == [action] * 2

    def test_pinned_action_is_accepted(self):
        assert list_unpinned(f"    - uses: a/b@{'0' * 40} # v1.2.3\n    uses: ./.github/workflows/ci.yml\n") == []

    def test_make_commands_of_a_workflow_are_found(self):
        assert list_make_commands({"jobs": {"a": {"steps": [{"run": "echo\nmake x"}, {"uses": "y"}]}, "b": {}}}) == [
            "make x"
        ]
