"""Custom fields and roles of an open incident follow the rule. Values that a person changed stay."""

import pytest

from router.simulator.incident_io import requests
from tests.contract import simulated_destinations
from tests.unit.destinations import scripted

KIND = "incident-io"


@pytest.fixture
def life(simulator):
    simulated_destinations.reset(simulator)
    return Life(simulator)


class Life(simulated_destinations.World):
    """One incident with the worker's complete state of it."""

    def __init__(self, simulator):
        super().__init__(simulator)
        of = simulator.app.state.vendors[KIND]._state
        self.field, self.select, self.role = of.custom_field.id, of.select_field.id, of.role.id
        self.options = [option.id for option in of.options]
        self.seen = self.content = None

    def fields(self, *, team=None, cause=None, lead=None, **others):
        entries = [{"custom_field_id": self.field, "values": [{"value_text": team}]}] if team else []
        entries += [{"custom_field_id": self.select, "values": [{"value_option_id": cause}]}] if cause else []
        roles = [{"incident_role_id": self.role, "assignee": {"email": lead}}] if lead else []
        more = {"custom_field_entries": entries, "incident_role_assignments": roles, **others}
        return {**simulated_destinations.FIELDS[KIND], **more}

    def perform(self, operation, *, severity="major", **said):
        known = {}
        if self.seen is not None:
            known = {"vendor_id": self.seen.vendor_id, "before": self.content, "view": self.seen.view}
        asked = scripted.operation(operation, self.fields(**said), severity=severity, **known)
        self.seen = self.run(KIND, lambda destination: getattr(destination, operation)(asked))
        self.content = asked.content
        return self.seen

    def observe_incident(self):
        operation = scripted.operation(
            "update", self.content.fields, vendor_id=self.seen.vendor_id, before=self.content, view=self.seen.view
        )
        self.seen = self.run(KIND, lambda destination: destination.observe(operation))

    def person(self, **edit):
        of = self.simulator.app.state.vendors[KIND]._state
        of.edit(next(iter(of.incidents.values())), requests.Edit.model_validate(edit))

    def shown(self):
        (one,) = self.objects(KIND)
        values = {
            entry["custom_field"]["id"]: [v.get("value_text") or v["value_option"]["id"] for v in entry["values"]]
            for entry in one["custom_field_entries"]
        }
        leads = [role["assignee"]["email"] for role in one["incident_role_assignments"]]
        return values.get(self.field), values.get(self.select), *leads


def test_custom_fields_and_roles_follow_the_rule(life):
    life.perform("open", team="shop", cause=life.options[0], lead="ada@example.com")
    assert life.shown() == (["shop"], [life.options[0]], "ada@example.com")
    life.perform("update", team="pay", cause=life.options[1], lead="bob@example.com")
    assert life.shown() == (["pay"], [life.options[1]], "bob@example.com")
    life.observe_incident()
    life.perform("update", cause=life.options[1], lead="eve@example.com")
    assert life.shown() == (None, [life.options[1]], "eve@example.com")


def test_update_sends_only_changed_fields(life):
    life.perform("open", team="shop", cause=life.options[0])
    life.person(custom_field_entries=[{"custom_field_id": life.select, "values": []}])
    life.simulator.app.state.calls.all.clear()
    life.perform("update", team="pay", cause=life.options[0])
    [body] = [call.body["incident"] for call in life.simulator.app.state.calls.all if call.method == "POST"]
    assert body == {"custom_field_entries": [{"custom_field_id": life.field, "values": [{"value_text": "pay"}]}]}
    assert life.shown() == (["pay"], None)


@pytest.mark.parametrize("looks", [0, 1, 2])
@pytest.mark.parametrize("began", ["shop", None])
def test_values_changed_by_a_person_stay(life, looks, began):
    lead = "ada@example.com" if began else None
    life.perform("open", team=began, lead=lead)
    entry = {"custom_field_id": life.field, "values": [{"value_text": "search"}]}
    role = {"incident_role_id": life.role, "assignee": {"email": "eve@example.com"}}
    life.person(custom_field_entries=[entry], incident_role_assignments=[role])
    for _ in range(looks):
        life.observe_incident()
    for team in ("pay", "web"):
        assert life.perform("update", team=team, lead="bob@example.com", severity="critical").state == "open"
        assert life.shown() == (["search"], None, "eve@example.com")
    (incident,) = life.objects(KIND)
    assert incident["severity"]["name"] == "Critical"


def test_rejected_field_is_omitted_alone(life):
    life.perform("open", team="shop")
    life.fault(KIND, "refuse-field", field="incident.custom_field_entries", count=10)
    check_other_fields_change(life)


def test_unexplained_rejection_omits_custom_fields_and_roles(life):
    life.perform("open", team="shop")
    life.fault(KIND, "status", status=422, path=f"/v2/incidents/{life.seen.vendor_id}/actions/edit")
    check_other_fields_change(life)


def check_other_fields_change(life):
    seen = life.perform("update", team="pay", severity="critical")
    assert [(omission.field, omission.code) for omission in seen.omitted] == [("custom_field_entries", "refused")]
    (incident,) = life.objects(KIND)
    assert (incident["severity"]["name"], life.shown()[0]) == ("Critical", ["shop"])


def test_incident_type_stays_and_is_reported_omitted(life):
    life.perform("open", incident_type="Default")
    seen = life.perform("update", incident_type="Security")
    assert [(omission.field, omission.code) for omission in seen.omitted] == [("incident_type", "left_out")]
    (incident,) = life.objects(KIND)
    assert incident["incident_type"]["name"] == "Default"


def test_name_changed_by_a_person_stays_after_observations(life):
    life.perform("open", name="Checkout fails")
    life.observe_incident()
    life.person(name="Card payments fail", summary="It is the new provider.")
    life.observe_incident()
    life.observe_incident()
    life.perform("update", name="Checkout is slow", summary="p99 is 4 s")
    life.perform("update", name="Checkout is slower", summary="p99 is 5 s")
    (incident,) = life.objects(KIND)
    assert (incident["name"], incident["summary"]) == ("Card payments fail", "It is the new provider.")


@pytest.mark.parametrize("looks", [0, 1, 2])
def test_severity_raised_by_a_person_stays_after_observations(life, looks):
    life.perform("open", severity="major")
    severities = {severity.name: severity.id for severity in life.simulator.app.state.vendors[KIND]._state.severities}
    life.person(severity_id=severities["Critical"])
    for _ in range(looks):
        life.observe_incident()
    life.perform("update", name="Checkout is slow", severity="minor")
    life.perform("update", name="Checkout is slow", summary="p99 is 4 s", severity="info")
    (incident,) = life.objects(KIND)
    assert (incident["name"], incident["severity"]["name"]) == ("Checkout is slow", "Critical")
