"""The files of `make dist`: complete, of one version, and identical wherever and whenever they are built."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging import requirements

import router
from tests.chart import helm
from tests.structure import tree

VENV = Path(sys.executable).parents[1]
VERSION = router.__version__


def make(target: str, folder: Path, source: Path = tree.ROOT, **environment: str) -> str:
    """Run a target of the Makefile with the packages that are already installed."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", f"--assume-old={VENV}/.installed-dev", f"VENV={VENV}", f"DIST={folder}", target],
        cwd=source,
        env=outside | environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def list_locked_versions() -> dict[str, str]:
    """Return the version of every package that the image installs."""
    lines = (tree.ROOT / "requirements/runtime.txt").read_text().splitlines()
    names = [requirements.Requirement(line.removesuffix(" \\")) for line in lines if re.match(r"\w", line)]
    return {name.name: str(name.specifier).removeprefix("==") for name in names}


@pytest.fixture(scope="module")
def release(tmp_path_factory) -> Path:
    """Build a release in a folder that has files of an earlier release."""
    folder = tmp_path_factory.mktemp("dist")
    (folder / "incident_router-0.0.1.tar.gz").touch()
    (folder / "notes.txt").touch()
    make("dist", folder, SOURCE_DATE_EPOCH="1700000000")
    return folder


@pytest.fixture
def sbom(release) -> dict:
    return json.loads((release / f"incident-router-{VERSION}.cdx.json").read_text())


def read_archive(path: Path) -> Iterator[str]:
    """Return the files of an archive below its first folder."""
    with tarfile.open(path) as archive:
        yield from (member.name.partition("/")[2] for member in archive if member.isfile())


def test_release_is_complete_and_replaces_the_previous_one(release):
    assert {path.name for path in release.iterdir()} == {
        f"incident_router-{VERSION}-py3-none-any.whl",
        f"incident_router-{VERSION}.tar.gz",
        f"incident-router-{VERSION}.tgz",
        f"incident-router-{VERSION}.cdx.json",
        "SHA256SUMS",
        "notes.txt",
    }


def test_checksums_cover_every_file(release):
    listed = dict(line.split()[::-1] for line in (release / "SHA256SUMS").read_text().splitlines())
    assert listed.keys() == {path.name for path in release.iterdir()} - {"SHA256SUMS", "notes.txt"}
    for name, checksum in listed.items():
        assert hashlib.sha256((release / name).read_bytes()).hexdigest() == checksum


def test_release_is_reproducible(release, tmp_path):
    """The permissions of files, and files left by tools and runs in the tree, must not affect it."""
    source = tmp_path / "elsewhere"
    for left_behind in [".editor/state", "data/valkey.log", "dist/old.whl", "router/__pycache__/x.pyc"]:
        (source / left_behind).parent.mkdir(parents=True)
        (source / left_behind).touch()
    for path in tree.list_files("*"):
        copy = source / path.relative_to(tree.ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
        copy.chmod(0o700 if os.access(path, os.X_OK) else 0o600)
    make("dist", tmp_path / "dist", source, SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo", LC_ALL="C")
    assert (tmp_path / "dist/SHA256SUMS").read_text() == (release / "SHA256SUMS").read_text()


def test_wheel_contains_every_file_of_the_package(release):
    """This includes Lua scripts, templates, and other files that are read at run time."""
    with zipfile.ZipFile(release / f"incident_router-{VERSION}-py3-none-any.whl") as wheel:
        held = {name for name in wheel.namelist() if name.startswith("router/")}
    assert held == {
        tree.format_place(path) for path in tree.list_files("*") if path.is_relative_to(tree.ROOT / "router")
    }
    assert any(name.endswith(".lua") for name in held)


def test_source_archive_contains_exactly_the_tree(release):
    held = set(read_archive(release / f"incident_router-{VERSION}.tar.gz"))
    assert held == {tree.format_place(path) for path in tree.list_files("*")} | {"PKG-INFO"}


def test_helm_reads_the_chart_with_the_version(release):
    archive = release / f"incident-router-{VERSION}.tgz"
    chart = helm.read(helm.call("show", "chart", str(archive)))
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)
    assert "kind: Deployment" in helm.call("template", "x", str(archive), values={"valkey": {"enabled": True}})
    assert not any(name.startswith("ci/") for name in read_archive(archive))


def test_sbom_lists_exactly_the_locked_packages(sbom):
    assert {part["name"]: part["version"] for part in sbom["components"]} == list_locked_versions()
    assert all(part["purl"] == f"pkg:pypi/{part['name']}@{part['version']}" for part in sbom["components"])


def test_sbom_contains_the_locked_hashes(sbom):
    text = (tree.ROOT / "requirements/runtime.txt").read_text()
    references = [reference for part in sbom["components"] for reference in part["externalReferences"]]
    hashes = {digest["content"] for reference in references for digest in reference["hashes"]}
    assert hashes == set(re.findall(r"--hash=sha256:([0-9a-f]{64})", text))


def test_sbom_has_this_version_and_no_timestamp(sbom):
    ours = sbom["metadata"]["component"]
    assert (ours["name"], ours["version"], ours["type"]) == ("incident-router", VERSION, "application")
    assert "timestamp" not in sbom["metadata"]
    assert "serialNumber" not in sbom
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")


def test_separate_sbom_equals_the_release_s(release, tmp_path):
    make("sbom", tmp_path)
    [alone] = tmp_path.iterdir()
    assert alone.read_bytes() == (release / alone.name).read_bytes()


def test_failed_build_gives_reason_and_no_checksums(tmp_path):
    (tmp_path / "bin").mkdir()
    stand_in = tmp_path / "bin/python"
    stand_in.write_text("#!/bin/sh\necho there is no backend\nexit 3\n")
    stand_in.chmod(0o755)
    (tmp_path / "SHA256SUMS").write_text("of the last one")
    script = [tree.ROOT / "scripts/make-dist", tmp_path / "bin", tmp_path]
    done = subprocess.run(script, cwd=tree.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert done.stderr == "there is no backend\n"
    assert not (tmp_path / "SHA256SUMS").exists()
