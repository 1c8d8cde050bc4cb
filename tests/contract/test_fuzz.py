"""Parsers meet bodies that no sender should send; `make fuzz` does the same for a minute."""

import json

import pytest

from router.domain import alert as alerts
from router.sources import base
from tests.fuzz import bodies


def test_no_body_makes_a_parser_do_anything_but_read_it_or_say_what_is_wrong():
    tried, finds = bodies.fuzz(1.0, seed=7)  # Some twenty thousand; a slow processor tries fewer.
    assert finds == []
    assert tried > 1_000


class Broken:
    """A parser with a mistake of each kind."""

    def parse(self, body, _headers, _now):
        if body == b"raises":
            raise KeyError("labels")
        if body == b"silent":
            raise base.Unparsable("", "")
        times = {b"never began": (0, 0), b"over": (1, 5)}.get(body, (1, 0))
        return base.Parsed([alerts.Alert("here", "f", "firing", *times)])


@pytest.mark.parametrize("body", [b"raises", b"silent", b"never began", b"over"])
def test_a_mistake_of_a_parser_is_found(body):
    assert bodies.problem(Broken(), body)
    assert bodies.problem(Broken(), b"fine") == ""


def test_bodies_are_the_same_for_a_seed_and_mostly_wrong():
    (_, body), *_ = bodies.samples()["alertmanager"]
    made = [bodies.mutated(bodies.random.Random(seed), body) for seed in range(200)]
    assert made == [bodies.mutated(bodies.random.Random(seed), body) for seed in range(200)]
    assert len(set(made)) > 150
    assert json.dumps(body).encode() not in made


def test_the_command_says_what_it_tried_and_whether_it_found_anything(capsys):
    assert bodies.main(["0.2", "5"]) == 0
    assert "0 finds, seed 5" in capsys.readouterr().out
