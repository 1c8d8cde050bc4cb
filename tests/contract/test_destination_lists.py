"""Malformed lists from vendors: neither an unreadable row nor a list without an end blocks the router."""

import pytest

from router.outbound import errors
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

world = simulated_destinations.world


@pytest.mark.parametrize("action", ["odd-row", "endless"])
@simulated_destinations.each_kind
def test_malformed_lists_block_no_operation(world, kind, action):
    world.fault(kind, action, "GET", count=100_000)
    fields = {"incident_type": "Default"} if kind == "incident-io" else {}
    opened = world.do(kind, "open", fields)
    assert world.do(kind, "update", fields, severity="critical", at=opened.vendor_id).state == "open"
    assert world.do(kind, "resolve", fields, severity="critical", at=opened.vendor_id).state == "resolved"
    assert len(world.simulator.app.state.calls.all) < 40


@pytest.mark.parametrize("action", ["odd-row", "endless"])
@simulated_destinations.each_kind
def test_unanswered_open_is_found_in_a_malformed_list(world, kind, action):
    opened = world.do(kind, "open")
    world.fault(kind, action, "GET", count=100_000)
    found = world.do(kind, "find")
    assert (found.vendor_id, found.state) == (opened.vendor_id, "open")
    assert len(world.simulator.app.state.calls.all) < 40


@pytest.mark.parametrize(
    ("kind", "path", "rows"),
    [("devhelm", "/api/v1/incidents", "data"), ("incident-io", "/v2/incidents", "incidents")],
)
def test_unreadable_row_with_our_reference_proves_nothing(kind, path, rows):
    vendor = scripted.Vendor()
    reference = scripted.operation("open", {}).reference
    vendor.answer("GET", path, {rows: [{"id": 7, "title": reference, "summary": reference}, {}], "hasNext": False})
    operation = scripted.operation("open", simulated_destinations.FIELDS[kind])
    with pytest.raises(errors.Temporary, match="can't be read"):
        vendor.run(kind, lambda destination: destination.find(operation))


@pytest.mark.parametrize("kind", ["devhelm", "incident-io"])
@pytest.mark.parametrize("length", [60, 255])
def test_reference_is_found_in_a_truncated_text(world, kind, length):
    long = {"title": "Down " * 500} if kind == "devhelm" else {"name": "Down", "summary": "Down " * 500}
    world.fault(kind, "normalize", "POST", style="cut", length=length)
    opened = world.do(kind, "open", long)
    assert world.do(kind, "find", long).vendor_id == opened.vendor_id


@pytest.mark.parametrize("length", [60, 255])
def test_reference_is_found_in_a_truncated_post(world, length):
    kind, long = "devhelm-status-page", {"message": "We are looking into it. " * 100}
    world.fault(kind, "normalize", "POST", style="cut", length=length)
    opened = world.do(kind, "open", long)
    assert world.do(kind, "find", long).vendor_id == opened.vendor_id


def test_paused_incident_closes_after_it_is_resumed(world):
    opened = world.do("incident-io", "open")
    state = world.simulator.app.state.vendors["incident-io"]._state
    (incident,) = state.incidents.values()
    live, incident.status = incident.status, next(status for status in state.statuses if status.category == "paused")
    with pytest.raises(errors.Conflict, match="a person has paused it"):
        world.do("incident-io", "resolve", at=opened.vendor_id)
    assert world.observe("incident-io", opened.vendor_id).state == "open"
    incident.status = live
    assert world.do("incident-io", "resolve", at=opened.vendor_id).state == "resolved"


@pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])
def test_older_of_two_duplicates_stays(world, kind):
    world.do(kind, "open")
    world.do(kind, "open")
    assert len(world.objects(kind)) == 2
    found = world.do(kind, "find")
    assert found.state == "open"
    assert world.do(kind, "find") == found
    ended = [one for one in world.objects(kind) if one.get("incident", one)["status"] == "RESOLVED"]
    assert len(ended) == 1
