"""The scripts behind make: their messages for missing programs, and no partial results after a failure."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure import tree

SCRIPTS = sorted((tree.ROOT / "scripts").iterdir())


def run(script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tree.ROOT / "scripts" / script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **environment},
    )


@pytest.fixture
def program(tmp_path):
    """Create a program that stands in for one of the system's."""

    def make(name: str, body: str) -> Path:
        folder = tmp_path / "bin"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(f"#!/bin/bash\n{body}\n")
        (folder / name).chmod(0o755)
        return folder / name

    return make


class TestMakeVenv:
    """The creation of an environment takes long; tests/integration covers it."""

    def test_missing_python_reports_the_version_to_install(self, tmp_path):
        answer = run("make-venv", "no-such-python", str(tmp_path / "venv"))
        assert answer.returncode == 1
        assert "Install Python 3.11 or newer" in answer.stderr

    def test_old_python_is_reported_with_its_version(self, tmp_path, program):
        old = program("python3", 'case "$2" in *version_info*) exit 1;; *) echo 3.9.2;; esac')
        answer = run("make-venv", str(old), str(tmp_path / "venv"))
        assert answer.returncode == 1
        assert f"Python 3.11 or newer is needed; {old} is 3.9.2." in answer.stderr

    def test_missing_ensurepip_names_its_package(self, tmp_path, program):
        bare = program("python3", 'case "$2" in *ensurepip*) exit 1;; esac')
        answer = run("make-venv", str(bare), str(tmp_path / "venv"))
        assert answer.returncode == 1
        assert "apt install python3-venv" in answer.stderr

    def test_incomplete_environment_is_removed(self, tmp_path, program):
        breaks = program("python3", 'if [ "$1" = -m ]; then mkdir -p "$3/bin"; touch "$3/bin/python"; exit 1; fi')
        assert run("make-venv", str(breaks), str(tmp_path / "venv")).returncode == 1
        assert not (tmp_path / "venv").exists()


class TestInstallDebianPrograms:
    """Stand-ins replace ``id`` and ``apt-get``: these tests install nothing."""

    @pytest.fixture
    def as_user(self, program, tmp_path):
        def as_user(number: int, *packages: str) -> tuple[subprocess.CompletedProcess[str], str]:
            program("id", f"echo {number}")
            apt = program("apt-get", f'echo "$@" >> {tmp_path}/apt.log')
            answer = run("install-debian-programs", *packages, PATH=f"{apt.parent}:{os.environ['PATH']}")
            log = tmp_path / "apt.log"
            return answer, log.read_text() if log.exists() else ""

        return as_user

    def test_user_without_root_installs_nothing(self, as_user):
        answer, installed = as_user(1000, "no-such-program")
        assert (answer.returncode, answer.stdout, installed) == (0, "", "")

    def test_installed_programs_are_not_installed_again(self, as_user):
        answer, installed = as_user(0, "sh", "cat")
        assert (answer.returncode, answer.stdout, installed) == (0, "", "")


class TestAudit:
    """Stand-ins replace ``pip-audit``: these tests fetch no advisories."""

    @pytest.mark.parametrize(
        ("ends", "status", "stdout", "stderr"),
        [
            ("echo 'No known vulnerabilities found' >&2", 0, "", "No known vulnerabilities found\n"),
            ("echo 'idna 1.0 CVE-1'; echo 'Found 1' >&2; exit 1", 1, "idna 1.0 CVE-1\n", "Found 1\n"),
        ],
    )
    def test_audit_status_and_output_are_passed_on(self, program, ends, status, stdout, stderr):
        answer = run("audit", str(program("pip-audit", ends)), "a.txt")
        assert (answer.returncode, answer.stdout, answer.stderr) == (status, stdout, stderr)

    @pytest.mark.parametrize("reason", ["ProxyError: unreachable", "ERROR: a: Dependency not found on PyPI"])
    def test_offline_audit_names_reason_and_url(self, program, reason):
        fails = program("pip-audit", f"echo Traceback >&2; echo '  File' >&2; echo '{reason}' >&2; exit 1")
        answer = run("audit", str(fails), "a.txt")
        assert (answer.returncode, answer.stdout, "Traceback" in answer.stderr) == (2, "", False)
        assert answer.stderr.startswith(f"The packages were not checked: {reason}\n")
        assert "where the index can be reached" in answer.stderr

    def test_every_lock_is_checked(self, program):
        answer = run("audit", str(program("pip-audit", 'echo "$@"')), "a.txt", "b.txt")
        assert answer.stdout == "--strict --disable-pip --require-hashes -r a.txt -r b.txt\n"


def test_only_runnable_benchmarks_are_run(tmp_path):
    folder = tmp_path / "tests/benchmarks"
    folder.mkdir(parents=True)
    measures = "'''measure.py --json FILE'''\nimport sys\nopen(sys.argv[2], 'w').write('{}')\n"
    (folder / "measure.py").write_text(measures)
    (folder / "shared.py").write_text("raise SystemExit(1)\n")
    (folder / "part_of_one.py").write_text("if __name__ == '__main__':\n    raise SystemExit(1)\n")
    script = tree.ROOT / "scripts/run-benchmarks"
    answer = subprocess.run([script, sys.executable], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    assert [path.name for path in (tmp_path / "benchmark-results").iterdir()] == ["measure.json"]


def test_every_runnable_benchmark_is_documented():
    told = set(re.findall(r"`tests/benchmarks/(\w+)\.py`", (tree.ROOT / "docs/reference/benchmarks.md").read_text()))
    assert told == {
        path.stem for path in (tree.ROOT / "tests/benchmarks").glob("*.py") if "--json FILE" in path.read_text()
    }


@pytest.mark.parametrize("path", [*SCRIPTS, tree.ROOT / ".ci/run"], ids=lambda path: path.name)
def test_every_script_is_executable_and_strict(path):
    assert os.access(path, os.X_OK)
    text = path.read_text()
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text
