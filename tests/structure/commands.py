"""Commands in the documentation, and checks that each of them exists."""

import re
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from router.api import endpoints
from tests.structure import tree

BLOCK = re.compile(r"^ *```bash\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`((?:\.venv/bin/)?(?:incident-router|make) [^`]+)`")
ASSIGNMENT = re.compile(r"[A-Z_]+=.*")
MANAGED = "|".join(re.sub(r"{[^}]*}", "[^/]+", endpoints.PREFIX + endpoint.path) for endpoint in endpoints.ENDPOINTS)
ROUTES = re.compile(rf"/v1/webhooks/[\w-]+|/healthz|/readyz|/metrics|/faults|/webhooks|/calls|{MANAGED}")


class Command(NamedTuple):
    """A command as it is written in a document."""

    place: str
    text: str


def list_documented(path: Path) -> Iterator[Command]:
    """Yield every command of a document: each line of its bash blocks, and each command in backticks."""
    text = path.read_text()
    for block in BLOCK.finditer(text):
        line = text.count("\n", 0, block.start()) + 2
        joined = block[1].replace("\\\n", " ")
        for offset, command in enumerate(joined.splitlines()):
            if command.strip() and not command.lstrip().startswith("#"):
                yield Command(tree.format_place(path, line + offset), command.strip())
    for found in INLINE.finditer(text):
        yield Command(tree.format_place(path, text.count("\n", 0, found.start()) + 1), found[1])


def targets(makefile: str) -> set[str]:
    """Return the documented targets of a Makefile."""
    return set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE))


_OF_THE_PROGRAM = frozenset({"-h", "--help", "--version", "--install-completion", "--show-completion"})


class CommandIndex:
    """The existing commands: make's targets, and the program's commands with their options."""

    def __init__(self, makefile: str, commands: Mapping[str, Any], root: Path = tree.ROOT) -> None:
        self._targets = targets(makefile)
        self._commands = commands
        self._root = root

    def problem(self, command: str) -> str:
        """Return the problem of a command; empty if the command works as it is written."""
        words = shlex.split(command, comments=True)
        while words and ASSIGNMENT.fullmatch(words[0]):
            words = words[1:]
        if not words:
            return ""
        program, arguments = words[0].removeprefix(".venv/bin/"), words[1:]
        check = {
            "make": self._make,
            "incident-router": self._router,
            "curl": self._curl,
            "docker": self._docker,
            "helm": self._helm,
            "kubectl": self._kubectl,
        }.get(program)
        return check(arguments) if check else f"no check for {program!r}: add one to tests/structure/commands.py"

    def _make(self, arguments: list[str]) -> str:
        wanted = [word for word in arguments if not ASSIGNMENT.fullmatch(word)]
        return ", ".join(f"make has no target {word!r}" for word in wanted if word not in self._targets)

    def _router(self, arguments: list[str]) -> str:
        if arguments and set(arguments) <= _OF_THE_PROGRAM:
            return ""
        command: Any = None
        known = self._commands
        while arguments and arguments[0] in known:
            command, arguments = known[arguments[0]], arguments[1:]
            known = getattr(command, "commands", {})
        if command is None:
            return f"incident-router has no command {' '.join(arguments[:1])!r}"
        options = {option for parameter in command.params for option in parameter.opts} | {"-h", "--help"}
        given = [word.partition("=")[0] for word in arguments if word.startswith("-")]
        return ", ".join(f"{command.name} has no option {option}" for option in given if option not in options)

    def _curl(self, arguments: list[str]) -> str:
        addresses = [word for word in arguments if word.startswith("http://127.0.0.1:")]
        paths = [re.sub(r"^http://[^/]*|\?.*$", "", address) for address in addresses]
        return "" if paths and all(map(ROUTES.fullmatch, paths)) else f"the router has no route {paths}"

    def _docker(self, arguments: list[str]) -> str:
        built = arguments[0] == "build" and arguments[-1] == "." and (self._root / "Dockerfile").exists()
        return "" if built else "only `docker build` of this folder is known to work"

    def _kubectl(self, arguments: list[str]) -> str:
        made = arguments[:3] == ["create", "secret", "generic"] or arguments[:2] == ["rollout", "status"]
        return "" if made else "only `kubectl create secret generic` and `kubectl rollout status` are known to work"

    def _helm(self, arguments: list[str]) -> str:
        if arguments[0] == "test":
            return "" if (self._root / "charts/incident-router/templates/test.yaml").exists() else "no chart has a test"
        charts = [word for word in arguments if word.startswith("charts/")]
        here = charts and all((self._root / chart / "Chart.yaml").exists() for chart in charts)
        return "" if here and arguments[0] in {"install", "upgrade", "template", "lint"} else "there is no such chart"
