"""Announcements about the router: freezes, the publishing guard, and dead letters."""

import pytest

from router.domain import events, router_state, times

ANN = router_state.Lock("ann", 1_800_000_000_000_000, "all hands")
GUARD = router_state.Lock("guard", 0, "more than 5 posts")
NOW = 1_800_000_100_000_000
State = router_state.RouterState


def announce(before, after, dead: int = 0) -> list[str]:
    found = router_state.announce(before, router_state.ObservedRouter(after, dead), NOW)
    return [events.type_of(event) for event in found]


@pytest.mark.parametrize(
    ("before", "after", "types"),
    [
        (State(), State(), []),
        (State(), State(freeze=ANN), ["freeze.started"]),
        (State(freeze=ANN), State(freeze=ANN), []),
        (State(freeze=ANN), State(unfrozen=GUARD), ["freeze.ended"]),
        (State(freeze=ANN), State(freeze=GUARD, unfrozen=ANN), ["freeze.ended", "freeze.started"]),
        (State(), State(unfrozen=ANN), ["freeze.ended"]),
        (State(), State(guards={"": GUARD}), ["guard.tripped"]),
        (State(guards={"": GUARD}), State(guards={"": GUARD, "page": GUARD}), ["guard.tripped"]),
        (State(guards={"": GUARD, "page": GUARD}), State(reset=ANN), ["guard.reset", "guard.reset"]),
        (State(guards={"": GUARD}), State(guards={"": GUARD}, reset=ANN), ["guard.reset", "guard.tripped"]),
        (None, State(freeze=ANN, unfrozen=GUARD, reset=GUARD), ["freeze.started"]),
    ],
)
def test_state_changes_are_announced(before, after, types):
    assert announce(before, after) == types


def test_events_name_the_operator_and_the_reason():
    (started,) = router_state.announce(State(), router_state.ObservedRouter(State(freeze=ANN)), NOW)
    assert (started.by, started.reason, started.since) == ("ann", "all hands", times.to_datetime(ANN.at))
    (ended,) = router_state.announce(State(freeze=ANN), router_state.ObservedRouter(State(unfrozen=ANN)), NOW)
    assert ended.by == "ann"
    (tripped,) = router_state.announce(State(), router_state.ObservedRouter(State(guards={"eu": GUARD})), NOW)
    assert (tripped.destination, tripped.reason, tripped.since) == ("eu", GUARD.reason, times.to_datetime(NOW))


@pytest.mark.parametrize(
    ("before", "newest", "dead", "types"),
    [
        ("", "5-0", 1, ["deliveries.failed"]),
        ("5-0", "5-0", 1, []),
        ("9-0", "10-0", 2, ["deliveries.failed"]),
        ("10-0", "9-0", 1, []),
        ("10-0", "", 0, []),
    ],
)
def test_newer_dead_deliveries_are_announced(before, newest, dead, types):
    assert announce(State(dead_id=before), State(dead_id=newest), dead) == types
