"""Every command in the documentation exists, and every command is in the documentation."""

import json
import shlex

import pytest
import typer.main

from router import cli, configuration
from router.bootstrap import factories
from router.sources import registry
from tests.structure import commands, tree

DOCUMENTS = tree.list_files("*.md")
README = tree.ROOT / "README.md"


@pytest.fixture(scope="module")
def command_index() -> commands.CommandIndex:
    program = typer.main.get_command(cli.app)
    return commands.CommandIndex((tree.ROOT / "Makefile").read_text(), program.commands)


@pytest.mark.parametrize("path", DOCUMENTS, ids=tree.format_place)
def test_every_documented_command_exists(path, command_index):
    checked = [(command, command_index.problem(command.text)) for command in commands.list_documented(path)]
    assert [f"{command.place}: {command.text}: {problem}" for command, problem in checked if problem] == []


def test_readme_begins_with_the_two_main_commands():
    typed = [command.text for command in commands.list_documented(README)]
    assert typed[:2] == ["make run", "make test"]


def test_every_router_command_is_documented():
    written = [path for path in DOCUMENTS if path.is_relative_to(tree.ROOT / "docs") and path.name != "cli.md"]
    text = "\n".join(path.read_text() for path in written)
    missing = [name for name in typer.main.get_command(cli.app).commands if f"`incident-router {name}" not in text]
    assert missing == []


def test_dockerfile_command_uses_existing_options(command_index):
    start = next(line for line in (tree.ROOT / "Dockerfile").read_text().splitlines() if line.startswith("CMD "))
    assert command_index.problem(shlex.join(["incident-router", *json.loads(start.removeprefix("CMD "))])) == ""


def test_make_run_starts_the_router_with_simulators(command_index):
    recipe = (tree.ROOT / "Makefile").read_text()
    assert "incident-router run --simulate" in recipe
    assert command_index.problem("incident-router run --simulate") == ""


def readme_webhook() -> tuple[str, bytes]:
    """Return the source and the body of the README's first curl command."""
    command = next(command.text for command in commands.list_documented(README) if command.text.startswith("curl "))
    words = shlex.split(command)
    address = next(word for word in words if word.startswith("http://"))
    return address.rpartition("/")[2], words[words.index("-d") + 1].encode()


def test_readme_webhook_opens_an_incident():
    stand_in = configuration.StandIn("try-it", {"incident-io": "http://127.0.0.1:1", "devhelm": "http://127.0.0.1:1"})
    configured = configuration.load(tree.ROOT / "incident-router.yaml", {}, stand_in)
    source, body = readme_webhook()
    read = registry.build(source, configured.sources[source]).source.parse(body, {}, 1)
    decided = [factories.load_rules(configured).decide(alert, 0) for alert in read.alerts]
    assert [decision.ignored for decision in decided] == [""]
    assert all(decision.response and decision.response.targets for decision in decided)


class TestCommandCheck:
    @pytest.mark.parametrize(
        ("command", "problem"),
        [
            ("make nothing", "make has no target 'nothing'"),
            ("make test-fast PYTHON=python3.12", ""),
            ("WEBHOOK_TOKEN=x make run", ""),
            ("incident-router fly", "incident-router has no command 'fly'"),
            ("incident-router run --fast", "run has no option --fast"),
            (".venv/bin/incident-router run --simulate --port=0", ""),
            ("curl -sS http://127.0.0.1:8080/v2/alerts", "the router has no route ['/v2/alerts']"),
            ("helm install x charts/another", "there is no such chart"),
            ("helm test x --namespace y", ""),
            ("kubectl create secret generic x --from-literal=A=b", ""),
            (
                "kubectl delete pods",
                "only `kubectl create secret generic` and `kubectl rollout status` are known to work",
            ),
            ("docker run x", "only `docker build` of this folder is known to work"),
            ("npm install", "no check for 'npm': add one to tests/structure/commands.py"),
        ],
    )
    def test_wrong_command_has_its_problem_named(self, command_index, command, problem):
        assert command_index.problem(command) == problem

    def test_commands_are_found_inline_and_in_blocks(self, tmp_path):
        page = tmp_path / "page.md"
        block = "```bash\n# first\nmake two \\\n  x=1\n\nmake three\n```\n"
        page.write_text(f"Type `make one`.\n\n{block}\n```yaml\nmake: four\n```\n")
        found = {command.text for command in commands.list_documented(page)}
        assert found == {"make one", "make two    x=1", "make three"}
