"""The Dockerfile as its builder reads it: stages, each with a base and its steps."""

import re
import shlex
from typing import NamedTuple


class Step(NamedTuple):
    """One instruction, with what follows it on its (joined) line."""

    instruction: str
    value: str


class Copy(NamedTuple):
    """What one COPY names: the stage it takes from (empty: the build context), paths, and where they go."""

    stage: str
    sources: list[str]
    target: str


class Stage(NamedTuple):
    """What stands between one FROM and the next."""

    base: str
    name: str
    steps: list[Step]

    def values(self, instruction: str) -> list[str]:
        """What follows each use of an instruction, in order."""
        return [step.value for step in self.steps if step.instruction == instruction]

    def environment(self) -> dict[str, str]:
        """What the stage's ENV lines set, variables in them as they are written."""
        words = [word for value in self.values("ENV") for word in shlex.split(value)]
        return {name: value for name, _, value in (word.partition("=") for word in words)}


def stages(text: str) -> list[Stage]:
    """Every stage with its steps: continued lines joined, comments left out, bases with their ARG's default."""
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


def copied(value: str) -> Copy:
    """What follows a COPY, taken apart."""
    words = shlex.split(value)
    [stage] = [word.removeprefix("--from=") for word in words if word.startswith("--from=")] or [""]
    paths = [word for word in words if not word.startswith("--")]
    return Copy(stage, paths[:-1], paths[-1])


def from_context(stage: Stage) -> list[str]:
    """The paths of the build context that a stage copies."""
    copies = map(copied, stage.values("COPY"))
    return [source for copy in copies if not copy.stage for source in copy.sources]
