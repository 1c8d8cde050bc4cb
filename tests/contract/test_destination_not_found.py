"""Every kind of destination reports missing objects as not found, and doesn't accept a gateway's page as a response."""

import pytest

from router.outbound import errors
from tests.contract import simulated_destinations

world = simulated_destinations.world


# An alert that the list doesn't show may be private, so the resolution is always sent.
SHOWN_TO_EVERY_KEY = [kind for kind in simulated_destinations.VENDORS if kind != "incident-io-alert"]


@pytest.mark.parametrize("kind", SHOWN_TO_EVERY_KEY)
def test_unknown_object_is_not_found(world, kind):
    unknown = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(errors.NotFound):
        world.observe(kind, f"{unknown}/{unknown}" if kind == "devhelm-status-page" else unknown)


@simulated_destinations.each_kind
def test_gateway_page_is_not_a_vendor_response(world, kind):
    """The outcome of a change is unknown. A read is retried."""
    opened = world.do(kind, "open")
    world.fault(kind, "gateway", "GET", status=404, count=9)
    with pytest.raises(errors.Temporary, match="not the vendor's error format"):
        world.observe(kind, opened.vendor_id)
    world.simulator.app.state.faults.clear()
    world.fault(kind, "gateway", "POST", status=404)
    with pytest.raises(errors.Unanswered, match="not the vendor's error format"):
        world.do(kind, "resolve", at=opened.vendor_id)


@simulated_destinations.each_kind
def test_probe_of_a_valid_account_changes_nothing(world, kind):
    world.run(kind, lambda destination: destination.probe())
    assert world.changes() == []


def test_dismissed_draft_is_not_found(world):
    kind, page = "devhelm-status-page", {"page": "Acme EU", "follows": "devhelm"}
    linked = world.do("devhelm", "open").vendor_id
    adopted = world.do(kind, "adopt", linked_id=linked, **page)
    assert world.do(kind, "dismiss", at=adopted.vendor_id, **page).state == "dismissed"
    for operation in ("dismiss", "publish", "update", "resolve", "observe"):
        with pytest.raises(errors.NotFound):
            world.do(kind, operation, at=adopted.vendor_id, **page)
