"""The Makefile's setup from an empty environment, with Debian 12's pip and with the pinned one."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import programs
from tests.structure import tree

# The version in a new virtual environment on Debian 12.
OLDEST = "pip==23.0.1 --hash=sha256:236bcb61156d76c4b8a05821b988c7b8c35bf0da28a4b614e8d6ab5212c25c6f\n"
# `make lock UPGRADE=--upgrade` updates it. A test of the newest version could fail without a change here.
NEWEST = (tree.ROOT / "requirements/pip.txt").read_text()


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    outside.pop("VIRTUAL_ENV", None)
    return subprocess.run(
        command,
        cwd=tree.ROOT,
        env=outside | {"PIP_NO_COMPILE": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def list_commands(venv: Path, target: str) -> list[str]:
    """Return the commands that make would run for a target of this environment."""
    printed = run("make", "--dry-run", f"VENV={venv}", f"{venv}/{target}")
    assert printed.returncode == 0, printed.stdout
    return printed.stdout.replace("\\\n", " ").splitlines()


@pytest.fixture(params=[OLDEST, NEWEST], ids=["oldest", "newest"])
def venv(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Create an environment with `make` and this version of pip."""
    result = run(tree.ROOT / "scripts/make-venv", sys.executable, tmp_path / "venv")
    assert result.returncode == 0, result.stdout
    (tmp_path / "pip.txt").write_text(request.param)
    done = run(tmp_path / "venv/bin/python", "-m", "pip", "install", "--require-hashes", "-r", tmp_path / "pip.txt")
    if done.returncode != 0:
        if programs.is_ci():
            pytest.fail(f"in CI nothing is skipped, yet pip can't be installed: {done.stdout[-2000:]}", pytrace=False)
        pytest.skip("this pip can't be installed: no package registry answers")
    return tmp_path / "venv"


@pytest.mark.timeout(600)
def test_every_pip_installs_the_locks(venv: Path) -> None:
    """The test resolves the complete lock of the tests, and installs the lock of `make run`."""
    *installs, _, _ = list_commands(venv, ".installed-dev")
    assert any("-r requirements/dev.txt" in command for command in installs)
    for command in installs:
        only_resolved = {"PIP_DRY_RUN": "1"} if "requirements/pip.txt" not in command else {}
        done = run("bash", "-c", command, **only_resolved)
        assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}"

    done = run("make", f"VENV={venv}", f"{venv}/.installed-run")
    assert done.returncode == 0, done.stdout[-4000:]
    assert run(venv / "bin/incident-router", "--help").returncode == 0
    [pinned] = re.findall(r"^pip==(\S+)", NEWEST, re.MULTILINE)
    assert run(venv / "bin/python", "-m", "pip", "--version").stdout.split()[1] == pinned
