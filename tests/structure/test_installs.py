"""Every command that installs a package uses a lock with hashes and the pinned pip."""

import re
from importlib import metadata

import pytest
from packaging import requirements, utils

from tests.structure import test_locks, tree

# The commands that fetch packages without a lock, by tool.
FETCHES = re.compile(
    r"\b(?:pip3?|pipx|uv|uvx|npm|npx|yarn|conda|poetry|pdm|gem|cargo|playwright)\b[^&|;]*?"
    r"\b(?:install|download|wheel|run|tool|add|sync|exec)\b[^&|;]*"
    r"|--upgrade-deps|\b(?:curl|wget)\b [^&|;]*://[^&|;]*"
)
LOCKED = re.compile(
    r"install (?:--no-compile )?--require-hashes --only-binary :all:(?: +-r requirements/[a-z]+\.txt)+\s*$"
)
OURS = re.compile(r"install (?:--no-compile )?--no-deps (?:--no-build-isolation -e \.|/build/wheels/\*\.whl)\s*$")
PLACES = [
    tree.ROOT / "Makefile",
    tree.ROOT / "Dockerfile",
    tree.ROOT / ".ci/run",
    *tree.list_files(".github/workflows/*.yml"),
    *tree.list_files("scripts/*"),
]


def list_fetches(text: str) -> list[str]:
    """Return the commands of a file that fetch packages, with variables expanded and continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\s*\\\n\s*", " ", "\n".join(lines))
    variables = dict(re.findall(r"^(LOCKED) := (.*)$", joined, re.MULTILINE))
    filled = joined.replace("$(1)", "dev")  # The argument of the Makefile's own `install`.
    filled = re.sub(r"\$\((\w+)\)", lambda name: variables.get(name[1], name[1].lower()), filled)
    return [found for line in filled.splitlines() for found in FETCHES.findall(line) if " := " not in line]


def list_unpinned(text: str) -> list[str]:
    """Return the commands that could fetch a package outside the locks."""
    return [found for found in list_fetches(text) if not LOCKED.search(found) and not OURS.search(found)]


@pytest.mark.parametrize("path", PLACES, ids=tree.format_place)
def test_every_package_is_fetched_with_a_lock(path):
    assert list_unpinned(path.read_text()) == []


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile"])
def test_pinned_pip_is_installed_first(name):
    fetches = list_fetches((tree.ROOT / name).read_text())
    assert len(fetches) >= 3
    assert fetches[0].rstrip().endswith("-r requirements/pip.txt")


@pytest.mark.parametrize(
    "line",
    [
        "RUN pip install httpx",
        "\t@$(PIP) install --require-hashes -r requirements/dev.txt",
        "  - run: pip install --upgrade pip",
        "python -m venv --upgrade-deps x",
        "npm install -g x",
        "playwright install chromium",
        "curl -L https://x.example/install.sh",
        "pip install --require-hashes --only-binary :all: -r requirements/dev.txt httpx",
    ],
)
def test_command_without_a_lock_is_reported(line):
    assert len(list_unpinned(line)) == 1


def list_required_extras(name: str) -> dict[str, set[str]]:
    """Return the extras that locked packages require of other packages, read from the installed packages."""
    locked = test_locks.read_pins(name)
    asked: dict[str, set[str]] = {}
    todo = [(package, extra) for package, extras in test_locks.read_extras(name).items() for extra in ["", *extras]]
    todo += [(package, "") for package in locked]
    seen = set()
    while todo:
        package, extra = todo.pop()
        if (package, extra) in seen:
            continue
        seen.add((package, extra))
        for text in metadata.requires(package) or []:
            requirement = requirements.Requirement(text)
            if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
                continue
            target = utils.canonicalize_name(requirement.name)
            asked.setdefault(target, set()).update(requirement.extras)
            todo += [(target, each) for each in requirement.extras]
    return {package: extras for package, extras in asked.items() if extras and package in locked}


@pytest.mark.parametrize("name", ["runtime", "embedded", "dev"])
def test_lock_names_every_extra(name):
    """Versions of pip before 24 reject an extra that the lock doesn't name, or install its newest release."""
    missing = {
        package: extras - test_locks.read_extras(name).get(package, set())
        for package, extras in list_required_extras(name).items()
        if extras - test_locks.read_extras(name).get(package, set())
    }
    assert missing == {}
