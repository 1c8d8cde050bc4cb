"""The image without a container engine: the Dockerfile's steps, run in a folder that stands for its root.

The results also hold for the image, because the same commands create it from the same files.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.structure import dockerfile, tree

# Remove the parts of the tests' environment that a builder doesn't have. Keep pip's settings, which name the index.
_OURS = ("PYTHON", "VIRTUAL_ENV", "PYTEST", "SOURCE_DATE_EPOCH")
_CACHE = "PIP_NO_CACHE_DIR"  # A cache enlarges an image, but speeds up a test.
_INCAPABLE = ("--inh-caps=-all", "--bounding-set=-all")


class Image(NamedTuple):
    """The settings with which a container starts; ``user`` is None if the tests have no privileges.

    If ``group`` is None, it is the user's own group.
    """

    root: Path
    environment: dict[str, str]
    entrypoint: list[str]
    default: list[str]
    user: int | None
    group: int | None = None

    def line(self, *arguments: str, **environment: str) -> list[str]:
        """Return the command line of a container's only process: its user, its environment, and nothing else."""
        program = shutil.which(self.entrypoint[0], path=self.environment["PATH"])
        assert program, f"{self.entrypoint[0]} is not on the image's PATH"
        given = [f"{name}={value}" for name, value in (self.environment | environment).items()]
        return [
            *get_demotion_prefix(self.user, self.group),
            "--ignore-environment",
            "--chdir=/",
            *given,
            program,
            *arguments,
        ]


def get_demotion_prefix(user: int | None, group: int | None = None) -> list[str]:
    """Return the prefix that runs a command as this user, with the pod's `restricted` security context."""
    # env is necessary because setpriv could still execute files that only root can reach.
    if user is None:
        return ["env"]
    own = user if group is None else group
    return ["setpriv", f"--reuid={user}", f"--regid={own}", "--clear-groups", "--no-new-privs", *_INCAPABLE, "env"]


def build(root: Path) -> Image:
    """Run every step; make the folder read-only, and remove what only the build needs."""
    [*before, final] = dockerfile.parse_stages((tree.ROOT / "Dockerfile").read_text())
    number = int(final.values("USER")[-1].partition(":")[0])
    user = number if os.geteuid() == 0 else None
    for stage in [*before, final]:
        _Build(root, interpreter(user)).run(stage)
    shutil.rmtree(root / "build")
    subprocess.run(["chmod", "-R", "a-w,a+rX", root], check=True)
    environment = {name: _placed(value, root) for name, value in final.environment().items()}
    environment["PATH"] = environment["PATH"].replace("$PATH", "/usr/bin:/bin")
    entrypoint, default = (json.loads(final.values(name)[-1]) for name in ("ENTRYPOINT", "CMD"))
    return Image(root, environment, entrypoint, default, user)


def interpreter(user: int | None) -> str:
    """Return a Python for the base image's: the tests' own, else the system's. This user must be able to run it."""
    for candidate in (Path(sys.base_prefix) / "bin/python3", Path("/usr/bin/python3"), Path("/usr/local/bin/python3")):
        probe = [
            *get_demotion_prefix(user),
            str(candidate),
            "-c",
            "import sys, ensurepip; sys.exit(sys.version_info < (3, 11))",
        ]
        if subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return str(candidate)
    raise AssertionError(f"there is no Python 3.11 or newer that user {user} may start")


class _Build:
    """The steps of one stage, with the root's folders in place of the Dockerfile's absolute paths."""

    def __init__(self, root: Path, python: str) -> None:
        self._root = root
        self._python = python
        self._folder = root
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith(_OURS)}

    def run(self, stage: dockerfile.Stage) -> None:
        for instruction, value in stage.steps:
            match instruction:
                case "WORKDIR":
                    self._folder = Path(_placed(value, self._root))
                    self._folder.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    self._copy(dockerfile.parse_copy(value))
                case "RUN":
                    self._command(value)
                case "ENV":
                    self._environment |= {name: value for name, value in stage.environment().items() if name != _CACHE}
                case "ARG" | "LABEL" | "USER" | "EXPOSE" | "ENTRYPOINT" | "CMD":
                    pass  # These are read from the final stage, or have no effect on its files.
                case _:
                    raise AssertionError(f"unsupported instruction {instruction}")

    def _command(self, value: str) -> None:
        command = re.sub(r"(^|&& )python ", rf"\1{self._python} ", _placed(value, self._root))
        done = subprocess.run(
            ["sh", "-ec", command],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{value}\n{done.stdout[-4000:]}"

    def _copy(self, copy: dockerfile.Copy) -> None:
        if copy.stage:
            assert copy.sources == [copy.target], "both stages share this root: nothing to do but where it moves"
            return
        for source in copy.sources:
            target = Path(_placed(copy.target, self._root)) if copy.target[0] == "/" else self._folder / copy.target
            if copy.target.endswith("/"):
                target /= Path(source).name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (tree.ROOT / source).is_dir():
                shutil.copytree(tree.ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(tree.ROOT / source, target)


def _placed(text: str, root: Path) -> str:
    """Return the text with the Dockerfile's two folders moved below this root."""
    return re.sub(r"(?<![\w.])/(?=(?:build|opt)\b)", f"{root}/", text)
