"""A dry run and the worker make the same calls for the same alerts."""

import random

import pytest

from router.domain import decisions, severities
from router.dry_run import simulation
from tests.integration import vendor, workers

RESPONSES = {
    "one": workers.rule(decisions.Target("on-call", {"name": "One"}), name="one"),
    "two": workers.rule(
        decisions.Target("on-call", {"name": "Two"}),
        decisions.Target("page", {"title": "Two"}, publish="auto"),
        name="two",
    ),
}


def decide(alert, _now):
    name = "one" if alert.fingerprint in {"a", "b"} else "two"
    return decisions.Decision(name, list(severities.Severity)[alert.starts_at % 4], RESPONSES[name])


def generate_moves(seed):
    chance = random.Random(seed)
    for number in range(60):
        make = chance.choice([workers.firing, workers.firing, workers.resolved])
        yield [make(chance.choice("abcd"), 100 + number // 4) for _ in range(chance.randint(1, 3))]


@pytest.mark.parametrize("seed", range(5))
def test_dry_run_and_worker_make_same_calls(with_redis, seed):
    at = vendor.Vendor()
    places = [vendor.on_call(at), vendor.place("page", at, public=True)]
    played = simulation.Simulation(
        decide, {place.name: place for place in places}, workers.render, now=workers.LONG_AGO
    )
    for arrived in generate_moves(seed):
        played.arrive(arrived)

    async def play(on):
        for arrived in generate_moves(seed):
            for one in arrived:
                await on.deliver_decided(one, decide(one, 0))
            await on.turn()

    workers.run(with_redis, play, *places)
    rehearsed = [(call.kind, call.destination, call.content) for call in played.calls]
    really = [(call.kind, call.destination, call.content) for call in at.calls]
    assert sorted(map(repr, rehearsed)) == sorted(map(repr, really))
    assert len(rehearsed) > 10
