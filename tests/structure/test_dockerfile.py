"""The Dockerfile, read as its builder reads it: pinned bases, locked installs, no root and no compiler at the end."""

import json
import re
import shlex
from typing import NamedTuple

import pytest

from tests.structure import tree


class Step(NamedTuple):
    instruction: str
    value: str


class Stage(NamedTuple):
    base: str
    name: str
    steps: list[Step]

    def values(self, instruction: str) -> list[str]:
        return [step.value for step in self.steps if step.instruction == instruction]


def stages(text: str) -> list[Stage]:
    """Every stage with its steps, continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Stage] = []
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        instruction, value = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = value.partition(" AS ")
            found.append(Stage(base, name, []))
        elif found:
            found[-1].steps.append(Step(instruction, value))
    return found


def copies(stage: Stage) -> list[str]:
    """The paths of the build context that a stage copies."""
    sources = []
    for value in stage.values("COPY"):
        words = shlex.split(value)
        if not any(word.startswith("--from=") for word in words):
            sources += [word for word in words[:-1] if not word.startswith("--")]
    return sources


@pytest.fixture(scope="module")
def built() -> list[Stage]:
    return stages((tree.ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def final(built) -> Stage:
    return built[-1]


def test_what_builds_stays_behind(built):
    assert len(built) >= 2
    assert any(f"--from={built[0].name}" in value for value in built[-1].values("COPY"))


def test_every_base_is_pinned_to_a_version_and_a_distribution(built):
    for stage in built:
        assert re.fullmatch(r"python:3\.\d+(\.\d+)?-slim-[a-z]+(@sha256:[0-9a-f]{64})?", stage.base)
    assert len({stage.base for stage in built}) == 1, "a virtual environment works on the Python that made it"


def test_it_does_not_run_as_root_and_says_so_with_a_number(final):
    users = [step.value for step in final.steps if step.instruction == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])
    assert [step.instruction for step in final.steps].index("USER") < [s.instruction for s in final.steps].index("CMD")


def test_nothing_is_installed_in_the_final_stage(final):
    assert final.values("RUN") == []


def test_every_install_is_held_to_hashes_or_is_our_own_wheel(built):
    for value in [value for stage in built for value in stage.values("RUN")]:
        for install in re.findall(r"pip install ([^&]*)", value):
            assert "--require-hashes -r requirements/" in install or "--no-deps /build/wheels/" in install


def test_whatever_is_copied_is_there_and_let_through_by_dockerignore(built):
    ignore = (tree.ROOT / ".dockerignore").read_text().splitlines()
    assert ignore[1] == "*", "all is left out but what is named"
    for source in [source for stage in built for source in copies(stage)]:
        assert (tree.ROOT / source).exists()
        assert f"!{source}" in ignore


def test_nothing_is_let_through_that_is_not_copied(built):
    let_through = {line[1:] for line in (tree.ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert let_through == {source for stage in built for source in copies(stage)}


def test_kubernetes_asks_for_health_not_the_image(final):
    assert final.values("HEALTHCHECK") == []


def test_it_is_labelled(final):
    labels = " ".join(final.values("LABEL"))
    for name in ["title", "description", "licenses", "version", "revision"]:
        assert f"org.opencontainers.image.{name}=" in labels


def test_it_starts_the_router_without_a_shell(final):
    assert json.loads(final.values("ENTRYPOINT")[-1]) == ["incident-router"]
    assert json.loads(final.values("CMD")[-1])[0] == "run"


def test_the_reader_joins_lines_and_skips_comments():
    text = "# a\nFROM x AS build\nRUN one \\\n    # why\n    && two\nFROM y\nCOPY --from=build /a b /c\nCOPY d e /f\n"
    read = stages(text)
    assert [(stage.base, stage.name) for stage in read] == [("x", "build"), ("y", "")]
    assert read[0].values("RUN") == ["one && two"]
    assert copies(read[1]) == ["d", "e"]
