"""An incident at incident.io pages at most once per episode, and each page is created or visibly refused."""

import msgspec
import pytest

from router.destinations import registry
from router.outbound import errors
from router.simulator.incident_io import escalations
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

KIND = "incident-io"
world = simulated_destinations.world
PRIMARY = {"escalation": {"path": "Primary"}}


@pytest.fixture
def pages(world):
    """Return the escalations at the vendor."""
    return world.simulator.app.state.vendors[KIND].paging.escalations.known


class Life:
    """One incident with the worker's state of it."""

    def __init__(self, world, **escalation):
        self.world = world
        self.fields = {**simulated_destinations.FIELDS[KIND], "escalation": escalation or PRIMARY["escalation"]}
        self.seen = None

    def perform(self, operation, severity="critical", **more):
        asked = scripted.operation(
            operation if operation not in {"observe", "find"} else "update",
            self.fields,
            severity=severity,
            vendor_id=self.seen.vendor_id if self.seen else "",
            **more,
        )
        if self.seen is not None and self.seen.view is not None:
            asked = msgspec.structs.replace(asked, view=self.seen.view)
        result = self.world.run(KIND, lambda destination: getattr(destination, operation)(asked))
        view = result.view or (self.seen.view if self.seen else None)
        self.seen = msgspec.structs.replace(result, view=view)
        return result


def list_calls(world):
    return [call for call in world.changes() if call == "POST /v2/escalations"]


def test_critical_incident_pages_its_path_once(world, pages):
    life = Life(world)
    assert life.perform("open").differs == ""
    for _ in range(2):
        life.perform("observe")
        life.perform("update")
    (page,) = pages.values()
    assert (page.path, page.title, page.incident) == (escalations.PRIMARY, "Checkout fails", life.seen.vendor_id)
    assert list_calls(world) == ["POST /v2/escalations"]


def test_raised_incident_pages_once(world, pages):
    life = Life(world, path="Primary", at_least="major")
    life.perform("open", "minor")
    assert pages == {}
    life.perform("update", "major")
    life.perform("update", "critical")
    assert len(pages) == 1


def test_raised_severity_pages_again_with_on_raise(world, pages):
    life = Life(world, users=[escalations.USER], at_least="minor", on_raise=True)
    for operation, severity in (("open", "minor"), ("update", "critical"), ("update", "minor"), ("update", "critical")):
        life.perform(operation, severity)
    assert [page.users for page in pages.values()] == [[escalations.USER]] * 2


@pytest.mark.parametrize("action", ["act-then-drop", "drop", "500", "429"])
def test_page_without_response_repeats_with_its_key(world, pages, action):
    """The incident opens without the page. The severity may change before the page is repeated."""
    world.fault(KIND, action, path="/v2/escalations", limit="escalations_create")
    life = Life(world, path="Primary", at_least="major")
    seen = life.perform("open", "major")
    assert (seen.state, "no page is confirmed yet" in seen.differs) == ("open", True)
    assert life.perform("observe", "critical").differs == "no page at severity critical is confirmed yet"
    assert life.perform("update", "critical").differs == ""
    assert life.perform("observe", "critical").differs == ""
    assert len(pages) == 1
    assert len(world.objects(KIND)) == 1


def test_second_failure_of_a_page_fails_the_update(world):
    world.fault(KIND, "500", path="/v2/escalations", count=2)
    life = Life(world)
    life.perform("open")
    with pytest.raises(errors.Unanswered):
        life.perform("update")


@pytest.mark.parametrize(
    ("escalation", "fault", "message"),
    [
        ({"path": "Unknown"}, {}, 'escalation path "Unknown" does not exist'),
        ({"users": ["01NOBODY"]}, {}, "no such user"),
        ({"path": "Primary"}, {"action": "status", "status": 403, "count": 9}, "the key may not create escalations"),
    ],
)
def test_refused_page_is_a_dead_letter(world, pages, escalation, fault, message):
    if fault:
        world.fault(KIND, path="/v2/escalations", **fault)
    life = Life(world, **escalation)
    assert life.perform("open").state == "open"
    with pytest.raises(errors.Permanent, match=message) as caught:
        life.perform("update")
    assert type(caught.value) is errors.Permanent
    assert pages == {}


def test_page_omits_fields_that_the_vendor_rejects(world, pages):
    world.fault(KIND, "refuse-field", path="/v2/escalations", field="incident_id")
    Life(world).perform("open")
    (page,) = pages.values()
    assert (page.incident, page.description) == ("", "")


def test_found_incident_pages_at_the_next_update(world, pages):
    """The response was lost and the idempotency key may have expired, so the worker searches for the incident."""
    world.do(KIND, "open")
    life = Life(world)
    assert life.perform("find").differs == "no page at severity critical is confirmed yet"
    life.perform("update")
    assert len(pages) == 1


def test_adopted_incident_does_not_page(world, pages):
    """The responder of an open incident was already paged before the loss of data."""
    life = Life(world)
    life.seen = world.do(KIND, "open")
    life.seen = msgspec.structs.replace(life.seen, view=None)
    assert life.perform("observe").differs == ""
    life.perform("update")
    assert pages == {}


def test_resolution_cancels_the_page(world, pages):
    life = Life(world, path="Primary", on_raise=True, at_least="major")
    life.perform("open", "major")
    life.perform("update", "critical")
    assert life.perform("resolve").state == "resolved"
    assert [page.status for page in pages.values()] == ["cancelled", "cancelled"]


def test_answered_page_does_not_stop_the_resolution(world, pages):
    life = Life(world)
    life.perform("open")
    (page,) = pages.values()
    page.status = "resolved"
    seen = life.perform("resolve")
    assert (seen.state, "was not canceled" in seen.note) == ("resolved", True)


def test_cancellation_without_a_response_is_repeated(world, pages):
    life = Life(world)
    life.perform("open")
    world.fault(KIND, "drop", path="/v2/escalations/")
    with pytest.raises(errors.Unanswered):
        life.perform("resolve")
    assert life.perform("resolve").state == "resolved"
    assert [page.status for page in pages.values()] == ["cancelled"]


def test_page_without_cancel_outlives_the_resolution(world, pages):
    life = Life(world, path="Primary", cancel=False)
    life.perform("open")
    life.perform("resolve")
    assert [page.status for page in pages.values()] == ["triggered"]


def test_check_reports_an_unknown_escalation_path(world):
    (problem,) = world.run(KIND, lambda destination: destination.check({"escalation": {"path": "Primry"}}))
    assert problem.startswith('escalation path "Primry" does not exist; did you mean "Primary"')
    assert world.run(KIND, lambda destination: destination.check(), defaults=PRIMARY) == []


@pytest.mark.parametrize("escalation", [{}, {"path": "a", "users": ["01A"]}, {"path": ""}])
def test_escalation_requires_either_path_or_users(escalation):
    with pytest.raises(ValueError, match="either path or users"):
        registry.KINDS[KIND].config(api_key="k", defaults={"escalation": escalation})


def test_incident_resolved_before_it_opened_does_not_page(world, pages):
    """Every open attempt fails without a response. The last one creates the incident, which is then resolved."""
    life = Life(world)
    assert life.perform("open", is_over=True, is_repeated=True, failures=1).state == "open"
    assert life.perform("resolve").state == "resolved"
    assert pages == {}


def test_page_of_a_killed_worker_is_canceled(world, pages):
    life = Life(world)
    life.perform("open")
    again = Life(world)
    again.perform("open", is_over=True, is_repeated=True)
    again.perform("resolve")
    assert [page.status for page in pages.values()] == ["cancelled"]
