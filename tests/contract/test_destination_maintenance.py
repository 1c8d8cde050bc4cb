"""A component that a person put under maintenance stays under maintenance after the router's resolution."""

import pytest

from tests.contract import simulated_destinations, test_destination_people
from tests.unit.destinations import scripted

KIND = "devhelm-status-page"
MAINTAINED = "UNDER_MAINTENANCE"


@pytest.fixture
def world(simulator):
    simulated_destinations.reset(simulator)
    return Maintained(simulator)


class Maintained(test_destination_people.PostWorld):
    """A post of the router on a page whose components are under a person's maintenance."""

    def page(self):
        (page,) = [page for page in self.state(KIND)["pages"] if page["name"] == "Acme"]
        return page

    def components(self):
        return {name: status for name, status in self.page()["components"].items() if status != "OPERATIONAL"}

    def ids(self):
        return {
            component["componentName"]: component["statusPageComponentId"]
            for component in self.post()["affectedComponents"]
        }

    def sent(self):
        """The state of each component in the resolution."""
        [body] = [
            call.body
            for call in self.simulator.app.state.calls.all
            if isinstance(call.body, dict) and call.body.get("status") == "RESOLVED"
        ]
        names = {
            component["statusPageComponentId"]: component["componentName"]
            for post in self.objects(KIND)
            for component in post["affectedComponents"]
        }
        return {names[component["componentId"]]: component["status"] for component in body["affectedComponents"]}


def test_maintenance_in_the_router_s_post_survives_resolution(world):
    world.open_post(KIND)
    affected = [{"componentId": identity, "status": MAINTAINED if name == "Payments" else "PARTIAL_OUTAGE"}
                for name, identity in world.ids().items()]  # fmt: skip
    world.person("PUT", world.path(), {"affectedComponents": affected})
    seen = world.repeat("resolve", {})
    assert (seen.state, seen.note) == ("resolved", "left under maintenance: Payments")
    assert world.components() == {"Payments": MAINTAINED}
    assert world.sent() == {"Checkout API": "OPERATIONAL", "Payments": MAINTAINED}


def test_maintenance_in_a_person_s_post_survives_resolution(world):
    world.open_post(KIND)
    ids = world.ids()
    planned = {"title": "Planned work", "impact": "NONE", "body": "A new database.", "notifySubscribers": False}
    planned["affectedComponents"] = [{"componentId": ids["Payments"], "status": MAINTAINED}]
    path = world.path().rpartition("/")[0]
    world.person("POST", path, planned)
    assert world.components() == {"Checkout API": "PARTIAL_OUTAGE", "Payments": "PARTIAL_OUTAGE"}
    assert world.repeat("resolve", {}).state == "resolved"
    assert world.components() == {"Payments": MAINTAINED}
    assert world.sent() == {"Checkout API": "OPERATIONAL", "Payments": MAINTAINED}


def test_maintenance_of_a_component_survives_the_resolution(world):
    world.open_post(KIND)
    affected = [{"componentId": identity, "status": "OPERATIONAL"} for identity in world.ids().values()]
    world.person("PUT", world.path(), {"affectedComponents": affected})
    world.simulator.app.state.vendors["devhelm"].maintain("Payments")
    assert world.repeat("resolve", {}).note == "left under maintenance: Payments"
    assert world.components() == {"Payments": MAINTAINED}


def test_maintenance_requested_by_a_rule_ends_at_resolution(world):
    fields = {"components": {"Payments": "under_maintenance"}}
    opened = world.do(KIND, "open", fields)
    assert world.components() == {"Payments": MAINTAINED}
    before = scripted.operation("open", {**simulated_destinations.POST, **fields}, severity="major").content
    operation = scripted.operation(
        "resolve",
        {**simulated_destinations.POST, **fields},
        severity="major",
        vendor_id=opened.vendor_id,
        before=before,
        told=opened.told,
        view=opened.view,
    )
    assert world.run(KIND, lambda destination: destination.resolve(operation)).note == ""
    assert world.components() == {}


@pytest.mark.parametrize("status", [400, 403])
def test_unreadable_components_do_not_delay_the_resolution(world, status):
    world.open_post(KIND)
    path = world.path().rpartition("/incidents")[0]
    world.fault(KIND, "status", method="GET", status=status, path=f"{path}/components")
    assert world.repeat("resolve", {}).state == "resolved"
    assert world.simulator.app.state.calls.find("devhelm", "GET", f"{path}/components")[-1]["status"] == status
    assert world.components() == {}
