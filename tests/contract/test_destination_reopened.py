"""DevHelm reopens an incident by an update. If it refuses or the incident was deleted, the router creates a new one."""

import pytest

from router.outbound import errors
from tests.contract import simulated_destinations

KIND = "devhelm"


@pytest.fixture
def world(simulator):
    for vendor in simulator.app.state.vendors.values():
        vendor.reset()
    simulator.app.state.faults.clear()
    return simulated_destinations.World(simulator)


def open_and_resolve(world) -> str:
    """Return the ID of an incident that the router opened and resolved."""
    opened = world.do(KIND, "open")
    assert world.do(KIND, "resolve", at=opened.vendor_id).ended
    return opened.vendor_id


def test_reopened_incident_keeps_its_id_with_an_update(world):
    first = open_and_resolve(world)
    seen = world.do(KIND, "open", at=first)
    assert (seen.vendor_id, seen.state, seen.note) == (first, "open", "")
    (one,) = world.objects(KIND)
    assert (one["incident"]["status"], one["incident"]["reopenCount"]) == ("CONFIRMED", 1)
    assert one["updates"][-1]["body"].startswith("An alert fires again.\n\nReference: IR-")
    assert world.do(KIND, "resolve", at=first).state == "resolved"


def test_repeated_reopening_reopens_the_incident_once(world):
    first = open_and_resolve(world)
    world.fault(KIND, "act-then-drop")
    with pytest.raises(errors.Unanswered):
        world.do(KIND, "open", at=first)
    assert world.do(KIND, "find", at=first).state == "open"
    assert world.do(KIND, "open", at=first).vendor_id == first
    (one,) = world.objects(KIND)
    assert one["incident"]["reopenCount"] == 1


def test_lost_reopen_request_leaves_the_incident_resolved(world):
    first = open_and_resolve(world)
    world.fault(KIND, "drop")
    with pytest.raises(errors.Unanswered):
        world.do(KIND, "open", at=first)
    seen = world.do(KIND, "find", at=first)
    assert seen is None or seen.state == "resolved"


def test_refused_reopening_creates_a_new_incident(world):
    first = open_and_resolve(world)
    world.fault(KIND, "status", status=409)
    seen = world.do(KIND, "open", at=first)
    assert (seen.vendor_id == first, seen.state) == (False, "open")
    assert seen.note == "the vendor did not reopen the previous incident"


def test_deleted_incident_is_created_again(world):
    gone = "11111111-1111-4111-8111-111111111111"
    assert world.do(KIND, "open", at=gone).state == "open"
    assert len(world.objects(KIND)) == 1


def test_resolve_of_a_resolved_incident_ends_nothing(world):
    first = open_and_resolve(world)
    assert not world.do(KIND, "resolve", at=first).ended
