"""incident.io's Python client performs the router's operations at the simulator, and reads every response."""

import pytest

from router.simulator import server
from tests.contract import incident_io_client, sdks

KEY = "any key"
# The client warns about version 1 of the API, which the router still supports.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")


@pytest.fixture(scope="module")
def simulator():
    with server.Server() as running:
        yield running


@pytest.fixture
def vendor(simulator):
    for one in simulator.app.state.vendors.values():
        one.reset()
    base = f"{simulator.url}/incident-io"
    with sdks.incident_io.AuthenticatedClient(base_url=base, token=KEY, raise_on_unexpected_status=True) as client:
        yield client


def test_account_configuration_is_listed(vendor):
    assert list(incident_io_client.list_severities(vendor)) == ["Minor", "Major", "Critical"]
    assert {status.category.value for status in incident_io_client.list_statuses(vendor).values()} >= {
        "triage",
        "live",
        "learning",
        "closed",
    }
    types = incident_io_client.perform("incident_types_v1", "incident_types_v1_list", vendor).incident_types
    assert [one.is_default for one in types] == [True, False]
    assert incident_io_client.get_page(vendor).name == "Acme Status"
    assert set(incident_io_client.list_components(vendor)) == {"Checkout API", "Payments", "Web shop", "Search"}


@pytest.mark.parametrize("create", [incident_io_client.create_v1, incident_io_client.create_v2])
def test_incident_is_created_once_in_both_versions(vendor, create):
    first = create(
        vendor,
        name="Checkout is down",
        summary="It is.",
        severity_id=incident_io_client.list_severities(vendor)["Major"],
    )
    again = create(vendor, name="Something else")
    assert again.id == first.id
    assert again.name == "Checkout is down"
    old = incident_io_client.perform("incidents_v1", "incidents_v1_show", vendor, first.id).incident
    new = incident_io_client.perform("incidents_v2", "incidents_v2_show", vendor, first.id).incident
    assert (old.name, new.name, new.severity.name) == ("Checkout is down", "Checkout is down", "Major")
    assert len(incident_io_client.perform("incidents_v1", "incidents_v1_list", vendor).incidents) == 1
    assert len(incident_io_client.perform("incidents_v2", "incidents_v2_list", vendor).incidents) == 1


def test_incident_is_found_by_its_number(vendor):
    first = incident_io_client.create_v1(vendor)
    number = first.reference.removeprefix("INC-")
    assert incident_io_client.perform("incidents_v2", "incidents_v2_show", vendor, number).incident.id == first.id


def test_edit_changes_only_the_named_fields(vendor):
    first = incident_io_client.create_v1(
        vendor,
        name="Checkout is down",
        summary="It is.",
        severity_id=incident_io_client.list_severities(vendor)["Minor"],
    )
    closed = next(
        status for status in incident_io_client.list_statuses(vendor).values() if status.category.value == "closed"
    )
    change = {"severity_id": incident_io_client.list_severities(vendor)["Critical"], "incident_status_id": closed.id}
    body = sdks.incident_io_models.IncidentsEditPayloadV2.from_dict(
        {"incident": change, "notify_incident_channel": False}
    )
    after = incident_io_client.perform("incidents_v2", "incidents_v2_edit", vendor, first.id, body=body).incident
    assert (after.severity.name, after.incident_status.category.value) == ("Critical", "closed")
    assert (after.name, after.summary) == ("Checkout is down", "It is.")
    assert (
        incident_io_client.perform("incidents_v1", "incidents_v1_show", vendor, first.id).incident.status.value
        == "closed"
    )


def test_created_incident_has_roles_and_custom_fields(vendor, simulator):
    held = simulator.app.state.vendors["incident-io"]._state
    entry = {"custom_field_id": held.custom_field.id, "values": [{"value_text": "checkout"}]}
    role = {"incident_role_id": held.role.id, "assignee": {"email": "ann@example.com"}}
    first = incident_io_client.create_v2(vendor, custom_field_entries=[entry], incident_role_assignments=[role])
    assert first.custom_field_entries[0].values[0].value_text == "checkout"
    assert first.incident_role_assignments[0].role.name == "Incident Lead"


def test_timestamps_are_listed_set_and_edited(vendor):
    known = {
        incident_timestamp.name: incident_timestamp.id
        for incident_timestamp in incident_io_client.perform(
            "incident_timestamps_v2", "incident_timestamps_v2_list", vendor
        ).incident_timestamps
    }
    value = {"incident_timestamp_id": known["Impact started"], "value": "2031-05-01T09:30:00Z"}
    first = incident_io_client.create_v2(vendor, incident_timestamp_values=[value])
    [shown_first] = first.incident_timestamp_values
    assert (shown_first.incident_timestamp.name, shown_first.value.value.hour) == ("Impact started", 9)
    change = {"incident_timestamp_values": [{**value, "value": "2031-05-01T08:00:00Z"}]}
    body = sdks.incident_io_models.IncidentsEditPayloadV2.from_dict(
        {"incident": change, "notify_incident_channel": False}
    )
    after = incident_io_client.perform("incidents_v2", "incidents_v2_edit", vendor, first.id, body=body).incident
    assert [timestamp.value.value.hour for timestamp in after.incident_timestamp_values] == [8]


def test_post_is_created_once_per_key(vendor):
    affected = [
        {"component_id": incident_io_client.list_components(vendor)["Checkout API"], "component_status": "full_outage"}
    ]
    first = incident_io_client.create_post(vendor, component_statuses=affected)
    assert incident_io_client.create_post(vendor, name="Something else").id == first.id
    found = incident_io_client.perform(
        "status_pages_v2",
        "status_pages_v2_list_status_page_incidents",
        vendor,
        status_page_id=incident_io_client.get_page(vendor).id,
    )
    assert [incident.id for incident in found.status_page_incidents] == [first.id]
    assert incident_io_client.get_post(vendor, first.id).component_impacts[0].component_status.value == "full_outage"


def test_post_updates_change_its_components(vendor, simulator):
    component = incident_io_client.list_components(vendor)["Checkout API"]
    first = incident_io_client.create_post(
        vendor, component_statuses=[{"component_id": component, "component_status": "full_outage"}]
    )

    def status() -> str:
        state = simulator.app.state.vendors["incident-io"].state()
        return state["components"]["Checkout API"]

    assert status() == "full_outage"
    milder = [{"component_id": component, "component_status": "degraded_performance"}]
    incident_io_client.create_update(vendor, first.id, incident_status="identified", component_statuses=milder)
    assert status() == "degraded_performance"
    incident_io_client.create_update(vendor, first.id, incident_status="resolved", message="It works again.")
    assert status() == "operational"
    after = incident_io_client.get_post(vendor, first.id)
    assert after.incident_status.value == "resolved"
    assert [update.message for update in after.updates] == ["We are investigating.", "Still.", "It works again."]
    assert all(component_impact.end_at for component_impact in after.component_impacts)


def test_post_is_renamed(vendor):
    first = incident_io_client.create_post(vendor)
    body = sdks.incident_io_models.StatusPagesUpdateStatusPageIncidentPayloadV2.from_dict({"name": "Payments fail"})
    name = "status_pages_v2_update_status_page_incident"
    incident_io_client.perform("status_pages_v2", name, vendor, first.id, body=body)
    assert incident_io_client.get_post(vendor, first.id).name == "Payments fail"


def test_list_pages_contain_every_incident(vendor):
    made = [incident_io_client.create_v1(vendor, key=f"k{number}").id for number in range(5)]
    seen, after = [], None
    while True:
        more = {} if after is None else {"after": after}
        answer = incident_io_client.perform("incidents_v2", "incidents_v2_list", vendor, page_size=2, **more)
        seen += [incident.id for incident in answer.incidents]
        after = answer.pagination_meta.to_dict().get("after")
        if not after:
            break
    assert sorted(seen) == sorted(made)


def test_custom_fields_their_options_and_roles_are_listed(vendor):
    fields = {
        custom_field.name: custom_field
        for custom_field in incident_io_client.perform(
            "custom_fields_v2", "custom_fields_v2_list", vendor
        ).custom_fields
    }
    assert {name: str(one.field_type) for name, one in fields.items()} == {
        "Affected service": "text",
        "Cause": "single_select",
    }
    cause = fields["Cause"].id
    found = incident_io_client.perform(
        "custom_field_options_v1", "custom_field_options_v1_list", vendor, custom_field_id=cause
    )
    assert [option.value for option in found.custom_field_options] == ["Deployment", "Third party"]
    roles = incident_io_client.perform("incident_roles_v2", "incident_roles_v2_list", vendor).incident_roles
    assert [role.name for role in roles] == ["Incident Lead"]
    assert fields["Cause"].additional_properties == roles[0].additional_properties == {}


def test_refused_edit_changes_nothing(vendor):
    first = incident_io_client.create_v1(vendor, name="Checkout is down", summary="It is.")
    change = {
        "name": "Another name",
        "custom_field_entries": [{"custom_field_id": "01UNKNOWN", "values": [{"value_text": "checkout"}]}],
    }
    body = sdks.incident_io_models.IncidentsEditPayloadV2.from_dict(
        {"incident": change, "notify_incident_channel": False}
    )
    edit = incident_io_client.get_operation("incidents_v2", "incidents_v2_edit")
    assert edit(first.id, client=vendor, body=body).status_code == 422
    after = incident_io_client.perform("incidents_v2", "incidents_v2_show", vendor, first.id).incident
    assert after.name == "Checkout is down"
