"""incident.io's Python client performs the router's operations at the simulator, and reads every response."""

import importlib

import pytest

from router.simulator import server
from tests.contract import sdks

KEY = "any key"
# The client warns about version 1 of the API, which the router still supports.
pytestmark = pytest.mark.filterwarnings("ignore:.*is deprecated and will be removed:DeprecationWarning")


def operation(area: str, name: str):
    """Return the SDK's function for an operation of the API."""
    return importlib.import_module(f"incident_io.api.{area}.{name}").sync_detailed


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


def done(area: str, name: str, vendor, *arguments, status: int = 200, **more):
    """Perform an operation, and return the response as the SDK reads it."""
    answer = operation(area, name)(*arguments, client=vendor, **more)
    assert answer.status_code == status, answer.content
    assert answer.parsed is not None
    return answer.parsed


def created_v1(vendor, key: str = "k1", **more):
    body = sdks.incident_io_models.IncidentsCreatePayloadV1.from_dict(
        {"idempotency_key": key, "visibility": "public", **more}
    )
    return done("incidents_v1", "incidents_v1_create", vendor, body=body).incident


def created_v2(vendor, key: str = "k2", **more):
    body = sdks.incident_io_models.IncidentsCreatePayloadV2.from_dict(
        {"idempotency_key": key, "visibility": "public", **more}
    )
    return done("incidents_v2", "incidents_v2_create", vendor, body=body).incident


def severities(vendor) -> dict[str, str]:
    found = done("severities_v1", "severities_v1_list", vendor).severities
    return {one.name: one.id for one in found}


def statuses(vendor) -> dict[str, object]:
    found = done("incident_statuses_v1", "incident_statuses_v1_list", vendor).incident_statuses
    return {one.name: one for one in found}


def page_of(vendor):
    (page,) = done("status_pages_v2", "status_pages_v2_list_status_pages", vendor).status_pages
    return page


def components(vendor) -> dict[str, str]:
    answer = done("status_pages_v2", "status_pages_v2_show_status_page_structure", vendor, page_of(vendor).id)
    found = {}
    for item in answer.current_structure.to_dict()["items"]:
        for one in item["group"]["components"] if "group" in item else [item["component"]]:
            found[one["name"]] = one["component_id"]
    return found


def posted(vendor, key: str = "p1", **more):
    fields = {
        "idempotency_key": key,
        "status_page_id": page_of(vendor).id,
        "name": "Checkout is unavailable",
        "message": "We are investigating.",
        "incident_status": "investigating",
        "notify_subscribers": False,
        **more,
    }
    body = sdks.incident_io_models.StatusPagesCreateStatusPageIncidentPayloadV2.from_dict(fields)
    name = "status_pages_v2_create_status_page_incident"
    return done("status_pages_v2", name, vendor, status=201, body=body).status_page_incident


def updated(vendor, post_id: str, **more):
    fields = {"status_page_incident_id": post_id, "message": "Still.", "notify_subscribers": False, **more}
    body = sdks.incident_io_models.StatusPagesCreateStatusPageIncidentUpdatePayloadV2.from_dict(fields)
    name = "status_pages_v2_create_status_page_incident_update"
    return done("status_pages_v2", name, vendor, status=201, body=body).status_page_incident_update


def shown(vendor, post_id: str):
    name = "status_pages_v2_show_status_page_incident"
    return done("status_pages_v2", name, vendor, post_id).status_page_incident


def test_account_configuration_is_listed(vendor):
    assert list(severities(vendor)) == ["Minor", "Major", "Critical"]
    assert {one.category.value for one in statuses(vendor).values()} >= {"triage", "live", "learning", "closed"}
    types = done("incident_types_v1", "incident_types_v1_list", vendor).incident_types
    assert [one.is_default for one in types] == [True, False]
    assert page_of(vendor).name == "Acme Status"
    assert set(components(vendor)) == {"Checkout API", "Payments", "Web shop", "Search"}


@pytest.mark.parametrize("create", [created_v1, created_v2])
def test_incident_is_created_once_in_both_versions(vendor, create):
    first = create(vendor, name="Checkout is down", summary="It is.", severity_id=severities(vendor)["Major"])
    again = create(vendor, name="Something else")
    assert again.id == first.id
    assert again.name == "Checkout is down"
    old = done("incidents_v1", "incidents_v1_show", vendor, first.id).incident
    new = done("incidents_v2", "incidents_v2_show", vendor, first.id).incident
    assert (old.name, new.name, new.severity.name) == ("Checkout is down", "Checkout is down", "Major")
    assert len(done("incidents_v1", "incidents_v1_list", vendor).incidents) == 1
    assert len(done("incidents_v2", "incidents_v2_list", vendor).incidents) == 1


def test_incident_is_found_by_its_number(vendor):
    first = created_v1(vendor)
    number = first.reference.removeprefix("INC-")
    assert done("incidents_v2", "incidents_v2_show", vendor, number).incident.id == first.id


def test_edit_changes_only_the_named_fields(vendor):
    first = created_v1(vendor, name="Checkout is down", summary="It is.", severity_id=severities(vendor)["Minor"])
    closed = next(one for one in statuses(vendor).values() if one.category.value == "closed")
    change = {"severity_id": severities(vendor)["Critical"], "incident_status_id": closed.id}
    body = sdks.incident_io_models.IncidentsEditPayloadV2.from_dict(
        {"incident": change, "notify_incident_channel": False}
    )
    after = done("incidents_v2", "incidents_v2_edit", vendor, first.id, body=body).incident
    assert (after.severity.name, after.incident_status.category.value) == ("Critical", "closed")
    assert (after.name, after.summary) == ("Checkout is down", "It is.")
    assert done("incidents_v1", "incidents_v1_show", vendor, first.id).incident.status.value == "closed"


def test_created_incident_has_roles_and_custom_fields(vendor, simulator):
    held = simulator.app.state.vendors["incident-io"]._state
    entry = {"custom_field_id": held.custom_field.id, "values": [{"value_text": "checkout"}]}
    role = {"incident_role_id": held.role.id, "assignee": {"email": "ann@example.com"}}
    first = created_v2(vendor, custom_field_entries=[entry], incident_role_assignments=[role])
    assert first.custom_field_entries[0].values[0].value_text == "checkout"
    assert first.incident_role_assignments[0].role.name == "Incident Lead"


def test_timestamps_are_listed_set_and_edited(vendor):
    known = {
        one.name: one.id
        for one in done("incident_timestamps_v2", "incident_timestamps_v2_list", vendor).incident_timestamps
    }
    value = {"incident_timestamp_id": known["Impact started"], "value": "2031-05-01T09:30:00Z"}
    first = created_v2(vendor, incident_timestamp_values=[value])
    [shown_first] = first.incident_timestamp_values
    assert (shown_first.incident_timestamp.name, shown_first.value.value.hour) == ("Impact started", 9)
    change = {"incident_timestamp_values": [{**value, "value": "2031-05-01T08:00:00Z"}]}
    body = sdks.incident_io_models.IncidentsEditPayloadV2.from_dict(
        {"incident": change, "notify_incident_channel": False}
    )
    after = done("incidents_v2", "incidents_v2_edit", vendor, first.id, body=body).incident
    assert [one.value.value.hour for one in after.incident_timestamp_values] == [8]


def test_post_is_created_once_per_key(vendor):
    affected = [{"component_id": components(vendor)["Checkout API"], "component_status": "full_outage"}]
    first = posted(vendor, component_statuses=affected)
    assert posted(vendor, name="Something else").id == first.id
    found = done(
        "status_pages_v2",
        "status_pages_v2_list_status_page_incidents",
        vendor,
        status_page_id=page_of(vendor).id,
    )
    assert [one.id for one in found.status_page_incidents] == [first.id]
    assert shown(vendor, first.id).component_impacts[0].component_status.value == "full_outage"


def test_post_updates_change_its_components(vendor, simulator):
    component = components(vendor)["Checkout API"]
    first = posted(vendor, component_statuses=[{"component_id": component, "component_status": "full_outage"}])

    def status() -> str:
        state = simulator.app.state.vendors["incident-io"].state()
        return state["components"]["Checkout API"]

    assert status() == "full_outage"
    milder = [{"component_id": component, "component_status": "degraded_performance"}]
    updated(vendor, first.id, incident_status="identified", component_statuses=milder)
    assert status() == "degraded_performance"
    updated(vendor, first.id, incident_status="resolved", message="It works again.")
    assert status() == "operational"
    after = shown(vendor, first.id)
    assert after.incident_status.value == "resolved"
    assert [one.message for one in after.updates] == ["We are investigating.", "Still.", "It works again."]
    assert all(one.end_at for one in after.component_impacts)


def test_post_is_renamed(vendor):
    first = posted(vendor)
    body = sdks.incident_io_models.StatusPagesUpdateStatusPageIncidentPayloadV2.from_dict({"name": "Payments fail"})
    name = "status_pages_v2_update_status_page_incident"
    done("status_pages_v2", name, vendor, first.id, body=body)
    assert shown(vendor, first.id).name == "Payments fail"


def test_list_pages_contain_every_incident(vendor):
    made = [created_v1(vendor, key=f"k{number}").id for number in range(5)]
    seen, after = [], None
    while True:
        more = {} if after is None else {"after": after}
        answer = done("incidents_v2", "incidents_v2_list", vendor, page_size=2, **more)
        seen += [one.id for one in answer.incidents]
        after = answer.pagination_meta.to_dict().get("after")
        if not after:
            break
    assert sorted(seen) == sorted(made)


def test_custom_fields_their_options_and_roles_are_listed(vendor):
    fields = {one.name: one for one in done("custom_fields_v2", "custom_fields_v2_list", vendor).custom_fields}
    assert {name: str(one.field_type) for name, one in fields.items()} == {
        "Affected service": "text",
        "Cause": "single_select",
    }
    cause = fields["Cause"].id
    found = done("custom_field_options_v1", "custom_field_options_v1_list", vendor, custom_field_id=cause)
    assert [one.value for one in found.custom_field_options] == ["Deployment", "Third party"]
    roles = done("incident_roles_v2", "incident_roles_v2_list", vendor).incident_roles
    assert [one.name for one in roles] == ["Incident Lead"]
    assert fields["Cause"].additional_properties == roles[0].additional_properties == {}
