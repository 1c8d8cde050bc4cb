"""Limits on the time and memory of reading a rules folder, for any content and any error."""

import os
import subprocess
import sys
import time

import pytest

from router.rules import expressions, folders, rule_parser
from router.yaml_source import documents, suggestions
from tests.unit.rules import conftest

GOOD = "rules: [{name: good, when: {labels.a: x}, open: []}]\n"
PROGRAM = """
import pathlib, resource, sys
resource.setrlimit(resource.RLIMIT_AS, (700 << 20, 700 << 20))
resource.setrlimit(resource.RLIMIT_CPU, (30, 30))
from router.rules import folders, load
top = pathlib.Path(sys.argv[1])
print(folders.fingerprint(top) == folders.fingerprint(top))
try:
    load.load(top, {})
except load.RulesRefused as refused:
    print([one.message for one in refused.problems])
"""


def read_apart(top):
    """Read a folder in a process with limited memory and CPU time."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(top)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-500:]
    return done.stdout.splitlines()


def test_pipe_device_and_huge_file_are_refused_safely(tmp_path):
    (tmp_path / "10.yaml").write_text(GOOD)
    os.mkfifo(tmp_path / "20.yaml")
    (tmp_path / "30.yaml").symlink_to("/dev/zero")
    with (tmp_path / "40.yaml").open("wb") as huge:
        huge.truncate(1_500_000_000)  # A sparse file takes no disk space.
    os.mkfifo(tmp_path / "folder.yaml")
    same, problems = read_apart(tmp_path)
    assert same == "True"
    assert problems.count("not a regular file") == 3
    assert "larger than 1 MiB" in problems


def test_fingerprint_changes_with_files_and_ignores_pipes(tmp_path):
    (tmp_path / "10.yaml").write_text(GOOD)
    os.mkfifo(tmp_path / "20.yaml")
    before = folders.fingerprint(tmp_path)
    assert folders.fingerprint(tmp_path) == before
    (tmp_path / "10.yaml").write_text(GOOD.replace("good", "better"))
    assert folders.fingerprint(tmp_path) != before


def measure_seconds(text):
    started = time.thread_time()
    reader = rule_parser.RuleFileParser(conftest.DESTINATIONS)
    reader.read(documents.parse(text.encode(), "x.yaml"))
    assert reader.problems
    return time.thread_time() - started, reader.problems


@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("rules:\n  - name: x\n    open: []\n    when: {}\n", "    severityy%s: x\n"),
        ("rules:\n  - name: x\n    open: []\n    when:\n", "      labelz.a%s: x\n"),
        ("rules:\n", "  - {nme: x%s, wen: {}, opn: []}\n"),
        ("rules:\n", "  - {name: x%s, when: {labels.a: {in: lost}}, open: [{at: nowhere}]}\n"),
        ("", "key%s: x\n"),
        ("", "key: x%s\n"),
    ],
    ids=["keys", "fields", "rules", "lists", "top", "twice"],
)
def test_file_with_many_errors_takes_linear_time(head, line):
    most = (documents.MAX_BYTES - len(head)) // (len(line) + 4)
    taken, problems = measure_seconds(head + "".join(line % number for number in range(min(most, 6_000))))
    assert taken < 10
    assert all(str(problem) for problem in problems[:50])


def test_reading_stops_at_a_thousand_problems():
    _, problems = measure_seconds("rules:\n" + "  - {name: x, wen: {}}\n" * 2_000)
    assert problems[-1].message == "more than 1000 problems: the rules from here on are not read"
    assert len(problems) < 1_010


def test_nearest_of_many_names_is_found_quickly():
    valid = [f"list-{number}" for number in range(50_000)] + ["regions"]
    started = time.thread_time()
    assert suggestions.nearest("regoins", valid) == "regions"
    assert suggestions.nearest("x" * 1_000_000, valid) is None
    for _ in range(50):
        suggestions.nearest("list", valid)
    assert time.thread_time() - started < 5


@pytest.mark.parametrize(
    "text",
    [
        "[alert.title]" + ".map(x,x+x)" * 17 + ".size() == 1",
        "[alert.title]" + ".map(x,x+x+x+x+x+x+x+x)" * 4 + ".size() == 1",
        "true || " * 2_000 + "true",
        "alert.title == '" + "x" * 20_000 + "'",
    ],
    ids=["doubling", "eightfold", "long", "text"],
)
def test_expression_with_unbounded_memory_is_refused(text):
    with pytest.raises(expressions.InvalidExpression):
        expressions.Expression(text)


def test_expression_may_join_and_iterate_bounded_lists():
    for text in (
        "[alert.title].map(x, x + '!' + x).size() == 1",
        "alert.labels.exists(a, a == 'x') && alert.labels.all(a, a != 'y') && alert.title + '+' + '+' != '++++++'",
    ):
        assert expressions.Expression(text)


def test_expression_memory_does_not_end_the_process():
    """An expression that runs out of memory doesn't match. The other rules decide the alert."""
    program = """
import resource
from router.domain import alerts
from router.rules import expressions
one = expressions.Expression("[alert.title].map(x,x+x).map(x,x+x).map(x,x+x).map(x,x+x).map(x,x+x).map(x,x+x)[0] != ''")
long = alerts.Alert("am", "a", "firing", 1, 0, title="t" * 4_000_000)
used = int(open("/proc/self/statm").read().split()[0]) * 4096
resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)
print(one.explain(long))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout.strip() in {"it needs more memory than is available", "True"}, done.stderr[-300:]
