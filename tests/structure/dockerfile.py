"""A parser of the Dockerfile: stages, each with a base and its steps."""

import re
import shlex
from typing import NamedTuple


class Step(NamedTuple):
    """An instruction with its arguments as one joined line."""

    instruction: str
    value: str


class Copy(NamedTuple):
    """The parts of a COPY: its stage (empty for the build context), paths, and destination."""

    stage: str
    sources: list[str]
    target: str


class Stage(NamedTuple):
    """The steps between two FROM instructions."""

    base: str
    name: str
    steps: list[Step]

    def values(self, instruction: str) -> list[str]:
        """Return the arguments of each use of an instruction, in order."""
        return [step.value for step in self.steps if step.instruction == instruction]

    def environment(self) -> dict[str, str]:
        """Return the stage's ENV variables, without expanding references."""
        words = [word for value in self.values("ENV") for word in shlex.split(value)]
        return {name: value for name, _, value in (word.partition("=") for word in words)}


def parse_stages(text: str) -> list[Stage]:
    """Return all stages with their steps: lines joined, comments removed, and bases with their ARG's default."""
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    found: list[Stage] = []
    defaults: dict[str, str] = {}
    for line in re.sub(r"\s*\\\n\s*", " ", "\n".join(lines)).splitlines():
        instruction, value = line.split(maxsplit=1)
        if instruction == "FROM":
            base, _, name = value.partition(" AS ")
            found.append(Stage(re.sub(r"\$\{(\w+)\}", lambda name: defaults[name[1]], base), name, []))
        elif found:
            found[-1].steps.append(Step(instruction, value))
        elif instruction == "ARG":
            name, _, defaults[name] = value.partition("=")
    return found


def parse_copy(value: str) -> Copy:
    """Parse the arguments of a COPY."""
    words = shlex.split(value)
    [stage] = [word.removeprefix("--from=") for word in words if word.startswith("--from=")] or [""]
    paths = [word for word in words if not word.startswith("--")]
    return Copy(stage, paths[:-1], paths[-1])


def from_context(stage: Stage) -> list[str]:
    """Return the paths of the build context that a stage copies."""
    copies = map(parse_copy, stage.values("COPY"))
    return [source for copy in copies if not copy.stage for source in copy.sources]
