"""Every file and command of the tutorial works as the page shows, in the page's order."""

import itertools
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tests.end_to_end import commands, harness
from tests.structure import tree

PAGE = tree.ROOT / "docs" / "tutorial" / "index.md"
BLOCK = re.compile(r'^```(\w+)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ASSIGNMENT = re.compile(r"[A-Z_]+=")
ADDRESS = "http://127.0.0.1:8080"
SECRETS = {"INCIDENT_IO_API_KEY": "", "WEBHOOK_TOKEN": "try-it"}


class Step(NamedTuple):
    """A command, and the text that its output must contain."""

    command: str
    output: str


def read_files() -> dict[str, str]:
    return {name: text for _, name, text in BLOCK.findall(PAGE.read_text()) if name}


def read_steps() -> Iterator[Step]:
    blocks = [(language, text.strip()) for language, name, text in BLOCK.findall(PAGE.read_text()) if not name]
    for (language, text), (following, output) in zip(blocks, [*blocks[1:], ("", "")], strict=True):
        if language == "bash":
            yield Step(text, output if following == "text" else "")


def run_step(command: str, folder: Path) -> str:
    """Run a command, and return its output. Commands of the router are forked, which is faster."""
    words = shlex.split(command)
    variables = dict(word.split("=", 1) for word in itertools.takewhile(ASSIGNMENT.match, words))
    program, *arguments = words[len(variables) :]
    if program == ".venv/bin/incident-router":
        done = commands.run_command(*arguments, cwd=folder, environment=variables)
    else:
        done = subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout + done.stderr if done.returncode == 0 else f"status {done.returncode}"


def await_output(step: Step, folder: Path) -> None:
    """Repeat a command until its output matches the page, because the worker runs asynchronously."""
    harness.eventually(f"{step.command} prints {step.output!r}", lambda: step.output in run_step(step.command, folder))


def test_tutorial_works_as_written(tmp_path):
    for name, text in read_files().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    router = None
    for step in read_steps():
        if step.command.startswith("make "):
            continue  # The test runs in the environment that the tutorial creates.
        if " run " in step.command:
            words = re.sub(r"^.*?incident-router", harness.COMMAND, step.command).split()
            ports = ["--port", "0", "--console-port", "0", "--simulator-port", "0"]
            router = harness.Process([*words, *ports], tmp_path, "router", forked=True, **SECRETS)
            url = router.wait_for_output(r"(http://127\.0\.0\.1:\d+)/v1/webhooks")[1]
            continue
        await_output(step._replace(command=step.command.replace(ADDRESS, url) if router else step.command), tmp_path)
    assert router is not None
    assert router.stop() == 0


def test_tutorial_has_files_and_commands():
    assert set(read_files()) == {"acme/incident-router.yaml", "acme/rules/10-shop.yaml", "acme/slow.json"}
    assert sum(bool(step.output) for step in read_steps()) >= 7
