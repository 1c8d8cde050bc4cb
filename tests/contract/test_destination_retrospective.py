"""incident.io's page publishes resolved incidents: once, without notifying subscribers, and as the SDK does."""

import msgspec
import pytest

from router.outbound import errors
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

KIND = "incident-io-status-page"
PATH = "/v2/status_page_retrospective_incidents"


@pytest.fixture
def world(simulator):
    simulated_destinations.reset(simulator)
    return simulated_destinations.World(simulator)


def make_operation(operation="open", **fields):
    return msgspec.structs.replace(
        scripted.operation("open", {**simulated_destinations.POST, **fields}),
        began_at=scripted.OPENED_AT - 7_200_000_000,
        ended_at=scripted.OPENED_AT,
        is_repeated=operation == "repeated",
    )


def publish(world, operation="open", **fields):
    method = "find" if operation == "find" else "open"
    return world.run(KIND, lambda destination: getattr(destination, method)(make_operation(operation, **fields)))


def test_resolved_incident_is_published_as_resolved(world):
    seen = publish(world, resolve_message="Payments work again.")
    assert seen.state == "resolved"
    [post] = world.objects(KIND)
    updates = [(update["incident_status"], update["message"]) for update in post["updates"]]
    assert updates == [("investigating", "Payments may fail."), ("resolved", "Payments work again.")]
    assert len(post["component_impacts"]) == 2
    assert all(impact["end_at"] == post["updates"][1]["published_at"] for impact in post["component_impacts"])
    assert set(world.state(KIND)["components"].values()) == {"operational"}
    assert world.changes() == [f"POST {PATH}"]


def test_unanswered_publication_is_repeated_under_its_key(world):
    world.fault(KIND, "act-then-drop")
    with pytest.raises(errors.Unanswered):
        publish(world)
    assert publish(world, "repeated").state == "resolved"
    assert publish(world, "find").state == "resolved"
    assert len(world.objects(KIND)) == 1


def test_live_post_with_equal_number_has_another_key(world):
    assert make_operation().key != msgspec.structs.replace(make_operation(), ended_at=0).key


def test_rejected_components_are_omitted(world):
    world.fault(KIND, "status", status=422, path=PATH)
    seen = publish(world)
    assert [omission.field for omission in seen.omitted] == ["component_statuses"]
    [post] = world.objects(KIND)
    assert (post["incident_status"], post["component_impacts"]) == ("resolved", [])
