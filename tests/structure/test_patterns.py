"""No input can block a process with a regular expression: each pattern uses RE2 or has been measured as linear."""

import json
import resource
import subprocess
import sys

import pytest

from tests.structure import patterns, tree

DEADLINE = 30  # Processor seconds for all patterns, which take about 9.
WALL_FACTOR = 20  # The factor by which a busy machine may slow the work down.
RE2_IS_USED_BY = {"router/domain/patterns.py", "router/rules/conditions/regex.py"}


def measure_all(asked: list[tuple[str, str, tuple[str, ...], str]], seconds: int = DEADLINE) -> dict[str, str]:
    """Return the result of ``patterns.measure`` by pattern. It runs in a subprocess, which is killed on a timeout."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.structure.patterns"],
        input="".join(json.dumps(one) + "\n" for one in asked),
        capture_output=True,
        text=True,
        cwd=tree.ROOT,
        timeout=WALL_FACTOR * seconds,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds)),
    )
    said = [json.loads(line) for line in done.stdout.splitlines()]
    found = dict(zip(said[::2], [*said[1::2], "never ends"], strict=False))
    assert done.returncode == 0 or "never ends" in found.values(), done.stderr
    return found


def test_every_pattern_is_a_named_constant():
    assert list(patterns.list_misplaced(tree.list_python_files("router"))) == []


def test_only_two_modules_import_re2():
    using = {
        path.relative_to(tree.ROOT).as_posix()
        for path in tree.list_python_files("router")
        if any(line.startswith("import re2") for line in path.read_text().splitlines())
    }
    assert using == RE2_IS_USED_BY


# Processor time limits the subprocess. On a busy machine, that can exceed the usual time limit of a test.
@pytest.mark.timeout((WALL_FACTOR + 2) * DEADLINE)
def test_every_python_pattern_takes_linear_time():
    made = patterns.list_patterns(tree.list_python_files("router"))
    assert len(made) > 20
    assert [pattern.place for pattern in made if not pattern.uses] == []
    assert [pattern.place for pattern in made if patterns.is_nested(patterns.get_text(pattern))] == []
    found = measure_all([(pattern.module, pattern.name, pattern.uses, "") for pattern in made])
    assert {name: how for name, how in found.items() if how} == {}


@pytest.mark.parametrize(
    "pattern",
    [
        r"(?:[a-z](?:[a-z-]{0,62})?\.)+com",
        r"(a+)+b",
        r"(?:x|y*)*z",
        r"(?:-[a-z]+)+",
        r"(?:a{2,9}b?)+",
        r"(?:[a-z]+){3}",
    ],
)
def test_nested_repetition_is_detected(pattern):
    assert patterns.is_nested(pattern)


@pytest.mark.parametrize("pattern", [r"[a-z]+(-[0-9]{4}){3}", r"a+b*c?", r"(?:ab)*[cd]+", r"(x|y)+"])
def test_adjacent_repetitions_are_not_nested(pattern):
    assert not patterns.is_nested(pattern)


@pytest.mark.parametrize(
    ("use", "pattern"),
    [
        ("search", r"\s*x"),
        ("fullmatch", r"a*a*b"),
        ("sub", r"[\w-]*token"),
        ("split", r"\s*\|\|\s*"),
        ("findall", r"<[^>]*>y"),
        ("finditer", r"(?:/srv/)[a-z/]*!"),
    ],
)
def test_quadratic_time_is_detected(use, pattern):
    assert use in measure_all([("", "tried", (use,), pattern)])[".tried"]


def test_pattern_with_exponential_time_is_named():
    found = measure_all([("", "first", ("search",), "a"), ("", "second", ("search",), r"(?:[a-z](?:[a-z]*)?)+!")], 2)
    assert found[".first"] == ""
    assert found[".second"]
