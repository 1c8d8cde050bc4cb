"""The Dockerfile has pinned bases and locked installations, and its final stage has no root user and no compiler."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.structure import dockerfile, tree

HADOLINT = Path(sys.executable).parent / "hadolint"
INSTALL = re.compile(r"/pip (?:--python \S+ )?install ([^&]*)")


def lint(text: str) -> str:
    """Return hadolint's findings in a Dockerfile; empty if there are none."""
    answer = subprocess.run([HADOLINT, "-"], input=text, capture_output=True, text=True, timeout=60, check=False)
    assert not answer.stderr
    return answer.stdout


@pytest.fixture(scope="module")
def built() -> list[dockerfile.Stage]:
    return dockerfile.parse_stages((tree.ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def final(built) -> dockerfile.Stage:
    return built[-1]


def test_build_stage_is_separate_from_the_final_stage(built):
    assert len(built) >= 2
    assert any(f"--from={built[0].name}" in value for value in built[-1].values("COPY"))


def test_every_base_image_is_pinned(built):
    for stage in built:
        assert re.fullmatch(r"python:3\.\d+(\.\d+)?-slim-[a-z]+(@sha256:[0-9a-f]{64})?", stage.base)
    assert len({stage.base for stage in built}) == 1, "a virtual environment works on the Python that made it"


def test_image_has_a_numeric_non_root_user(final):
    users = [step.value for step in final.steps if step.instruction == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert [step.instruction for step in final.steps].index("USER") < [s.instruction for s in final.steps].index("CMD")


def test_final_stage_installs_nothing(final):
    assert final.values("RUN") == []


def test_every_install_is_hashed_or_our_own_wheel(built):
    installs = [found for stage in built for value in stage.values("RUN") for found in INSTALL.findall(value)]
    assert len(installs) == 4
    for install in installs:
        locked = "--require-hashes --only-binary :all: -r requirements/" in install
        assert locked or "--no-deps /build/wheels/" in install


def test_final_environment_excludes_pip(built):
    assert "-m venv --without-pip /opt/incident-router " in " ".join(built[0].values("RUN"))


def test_copied_files_exist_and_pass_dockerignore(built):
    ignore = (tree.ROOT / ".dockerignore").read_text().splitlines()
    assert ignore[1] == "*", "only named paths are included"
    for source in [source for stage in built for source in dockerfile.from_context(stage)]:
        assert (tree.ROOT / source).exists()
        assert f"!{source}" in ignore


def test_dockerignore_admits_only_copied_paths(built):
    let_through = {line[1:] for line in (tree.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == {source for stage in built for source in dockerfile.from_context(stage)}


def test_image_has_no_health_check(final):
    assert final.values("HEALTHCHECK") == []


def test_image_has_the_oci_labels(final):
    labels = " ".join(final.values("LABEL"))
    for name in ["title", "description", "licenses", "version", "revision"]:
        assert f"org.opencontainers.image.{name}=" in labels


def test_image_starts_the_router_without_a_shell(final):
    assert json.loads(final.values("ENTRYPOINT")[-1]) == ["incident-router"]
    assert json.loads(final.values("CMD")[-1])[0] == "run"


def test_hadolint_finds_nothing():
    assert lint((tree.ROOT / "Dockerfile").read_text()) == ""


def test_hadolint_reports_an_unpinned_base():
    assert "DL3006" in lint("FROM python\n")


def test_image_contains_compiled_bytecode_and_writes_none(built, final):
    assert "-m compileall" in built[0].values("RUN")[-1]
    assert final.environment()["PYTHONDONTWRITEBYTECODE"] == "1"


def test_parser_joins_lines_and_skips_comments():
    text = "# a\nFROM x AS build\nRUN one \\\n    # why\n    && two\nFROM y\nCOPY --from=build /a b /c\nCOPY d e /f\n"
    stages = dockerfile.parse_stages(text)
    assert [(stage.base, stage.name) for stage in stages] == [("x", "build"), ("y", "")]
    assert stages[0].values("RUN") == ["one && two"]
    assert dockerfile.from_context(stages[1]) == ["d", "e"]


def test_parser_resolves_a_base_named_by_an_argument():
    [stage] = dockerfile.parse_stages("ARG BASE=x:1\nARG OTHER\nFROM ${BASE} AS build\nENV A=1 B='2 3'\nARG C\n")
    assert (stage.base, stage.name) == ("x:1", "build")
    assert stage.environment() == {"A": "1", "B": "2 3"}


def test_parser_splits_a_copy_instruction():
    assert dockerfile.parse_copy("--from=build --chmod=0555 /a /b /c") == ("build", ["/a", "/b"], "/c")
