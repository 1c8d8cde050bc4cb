"""What isn't there is not found, and what a gateway says is no answer: the same for every kind of destination."""

import pytest

from router.outbound import errors
from tests.contract import test_destination_simulator as simulated

world = simulated.world


# An alert that isn't shown may be private, so its end is sent in any case.
SHOWN_TO_EVERY_KEY = [kind for kind in simulated.VENDORS if kind != "incident-io-alert"]


@pytest.mark.parametrize("kind", SHOWN_TO_EVERY_KEY)
def test_unknown_object_is_not_found(world, kind):
    unknown = "11111111-1111-4111-8111-111111111111"
    with pytest.raises(errors.NotFound):
        world.observe(kind, f"{unknown}/{unknown}" if kind == "devhelm-status-page" else unknown)


@simulated.each_kind
def test_gateway_page_is_not_an_answer(world, kind):
    """Nobody knows of a change whether it was made; a read is tried again."""
    opened = world.do(kind, "open")
    world.fault(kind, "gateway", "GET", status=404, count=9)
    with pytest.raises(errors.Temporary, match="not the vendor's error format"):
        world.observe(kind, opened.vendor_id)
    world.simulator.app.state.faults.clear()
    world.fault(kind, "gateway", "POST", status=404)
    with pytest.raises(errors.Unanswered, match="not the vendor's error format"):
        world.do(kind, "resolve", at=opened.vendor_id)


@simulated.each_kind
def test_account_in_order_can_be_probed(world, kind):
    world.run(kind, lambda there: there.probe())
    assert world.changes() == []


def test_a_draft_is_dismissed_and_stays_gone(world):
    kind, page = "devhelm-status-page", {"page": "Acme EU", "follows": "devhelm"}
    linked = world.do("devhelm", "open").vendor_id
    adopted = world.do(kind, "adopt", linked_id=linked, **page)
    assert world.do(kind, "dismiss", at=adopted.vendor_id, **page).state == "dismissed"
    for operation in ("dismiss", "publish", "update", "resolve", "observe"):
        with pytest.raises(errors.NotFound):
            world.do(kind, operation, at=adopted.vendor_id, **page)
