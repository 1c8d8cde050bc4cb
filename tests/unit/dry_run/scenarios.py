"""Helpers for dry runs: build rules, simulations, and rule tests from YAML."""

from router.bootstrap import public_pages
from router.destinations import base
from router.dry_run import rule_test_runner, simulation
from router.rules import load, rule_tests
from router.yaml_source import documents
from tests.unit.rules import conftest

START = 1_893_456_000_000_000
SECOND = 1_000_000


class Place:
    """A destination without a vendor."""

    def __init__(self, name, *, public, retrospective=False):
        self.kind = base.Kind(
            name,
            base.Config,
            base.Opening,
            public,
            adopts=False,
            connect=None,
            make=None,
            retrospective=retrospective,
        )
        self.follows = ""


PLACES = {
    name: Place(name, public=known.public, retrospective=known.retrospective)
    for name, known in conftest.DESTINATIONS.items()
}


def rules(text):
    """Return the rules, the rule tests, and the problems of one file."""
    document = documents.parse(text.encode(), "r.yaml")
    found = []
    read = list(rule_tests.read(document, conftest.DESTINATIONS, found))
    ruleset = load.from_document(document, conftest.DESTINATIONS)
    return ruleset, read, found


def make_world(ruleset, now=START):
    return simulation.Simulation(ruleset.decide, PLACES, public_pages.render, now=now)


def list_results(text):
    """Run each test of a file and return its result."""
    ruleset, read, found = rules(text)
    assert found == []
    return [rule_test_runner.run(case, lambda now: make_world(ruleset, now)) for case in read]


def list_problems(text):
    """Return the problems of the file's only test, with their positions."""
    (result,) = list_results(text)
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in result.problems]
