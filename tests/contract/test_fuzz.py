"""Parsers of external text handle malformed inputs. `make fuzz` tries more of them."""

import random

import pytest

from router.domain import alerts
from router.sources import base
from tests.fuzz import bodies, runs, table, targets


@pytest.mark.parametrize("name", targets.TARGETS)
def test_fuzzed_inputs_cause_no_failure(name, tmp_path):
    found = runs.fuzz(targets.TARGETS[name], 0.3, 7, tmp_path)
    assert found["examples"] == []
    assert found["tried"]


class Broken:
    """A parser with one mistake of each kind."""

    def parse(self, body, _headers, _now, _max_alerts=0):
        if body == b"raises":
            raise KeyError("labels")
        if body == b"silent":
            raise base.Unparsable("", "")
        times = {b"never began": (0, 0), b"over": (1, 5)}.get(body, (1, 0))
        return base.Parsed([alerts.Alert("here", "f", "firing", *times)])


@pytest.mark.parametrize("body", [b"raises", b"silent", b"never began", b"over"])
def test_parser_mistake_is_found(body):
    assert bodies.problem(Broken(), body)
    assert bodies.problem(Broken(), b"fine") == ""


def test_fuzz_bodies_repeat_with_a_seed():
    (_, body), *_ = bodies.load_samples()["alertmanager"]
    made = [bodies.mutate(random.Random(seed), body) for seed in range(200)]
    assert made == [bodies.mutate(random.Random(seed), body) for seed in range(200)]
    assert len(set(made)) > 150


def make(_chance):
    return b"input"


def spin(_data, _folder):
    while True:
        pass


def eat(_data, _folder):
    return str(len(bytearray(4 << 30)))


def fail(_data, _folder):
    raise KeyError("labels")


def report_problem(_data, _folder):
    return "it is wrong"


@pytest.mark.parametrize(
    ("judge", "said"),
    [
        (fail, "KeyError"),
        (eat, "MemoryError"),
        (report_problem, "it is wrong"),
        (spin, "the process ended with status -"),
    ],
)
def test_every_target_failure_is_a_find(judge, said):
    found = runs.run_alone("a target", 0.0, 7, targets.Target("a target", make, judge))
    assert found.finds == 1
    assert said in found.examples[0]
    assert "b'input'" in found.examples[0]


def test_documented_fuzz_table_is_complete_and_harmless():
    rows = table.parse_rows(table.DOCUMENT.read_text())
    assert set(rows) == {target.title for target in targets.TARGETS.values()}
    assert {row["harm"] for row in rows.values()} == {"none"}
    assert all(int(row["tried"].replace(",", "")) >= 100 for row in rows.values())
