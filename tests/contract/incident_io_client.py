"""Calls to incident.io's API through the vendor's Python client."""

import importlib

from tests.contract import sdks


def get_operation(area: str, name: str):
    """Return the SDK's function for an operation of the API."""
    return importlib.import_module(f"incident_io.api.{area}.{name}").sync_detailed


def perform(area: str, name: str, vendor, *arguments, status: int = 200, **more):
    """Perform an operation, and return the response as the SDK reads it."""
    answer = get_operation(area, name)(*arguments, client=vendor, **more)
    assert answer.status_code == status, answer.content
    assert answer.parsed is not None
    return answer.parsed


def create_v1(vendor, key: str = "k1", **more):
    body = sdks.incident_io_models.IncidentsCreatePayloadV1.from_dict(
        {"idempotency_key": key, "visibility": "public", **more}
    )
    return perform("incidents_v1", "incidents_v1_create", vendor, body=body).incident


def create_v2(vendor, key: str = "k2", **more):
    body = sdks.incident_io_models.IncidentsCreatePayloadV2.from_dict(
        {"idempotency_key": key, "visibility": "public", **more}
    )
    return perform("incidents_v2", "incidents_v2_create", vendor, body=body).incident


def list_severities(vendor) -> dict[str, str]:
    found = perform("severities_v1", "severities_v1_list", vendor).severities
    return {severity.name: severity.id for severity in found}


def list_statuses(vendor) -> dict[str, object]:
    found = perform("incident_statuses_v1", "incident_statuses_v1_list", vendor).incident_statuses
    return {status.name: status for status in found}


def get_page(vendor):
    (page,) = perform("status_pages_v2", "status_pages_v2_list_status_pages", vendor).status_pages
    return page


def list_components(vendor) -> dict[str, str]:
    answer = perform("status_pages_v2", "status_pages_v2_show_status_page_structure", vendor, get_page(vendor).id)
    found = {}
    for item in answer.current_structure.to_dict()["items"]:
        for one in item["group"]["components"] if "group" in item else [item["component"]]:
            found[one["name"]] = one["component_id"]
    return found


def create_post(vendor, key: str = "p1", **more):
    fields = {
        "idempotency_key": key,
        "status_page_id": get_page(vendor).id,
        "name": "Checkout is unavailable",
        "message": "We are investigating.",
        "incident_status": "investigating",
        "notify_subscribers": False,
        **more,
    }
    body = sdks.incident_io_models.StatusPagesCreateStatusPageIncidentPayloadV2.from_dict(fields)
    name = "status_pages_v2_create_status_page_incident"
    return perform("status_pages_v2", name, vendor, status=201, body=body).status_page_incident


def create_update(vendor, post_id: str, **more):
    fields = {"status_page_incident_id": post_id, "message": "Still.", "notify_subscribers": False, **more}
    body = sdks.incident_io_models.StatusPagesCreateStatusPageIncidentUpdatePayloadV2.from_dict(fields)
    name = "status_pages_v2_create_status_page_incident_update"
    return perform("status_pages_v2", name, vendor, status=201, body=body).status_page_incident_update


def get_post(vendor, post_id: str):
    name = "status_pages_v2_show_status_page_incident"
    return perform("status_pages_v2", name, vendor, post_id).status_page_incident
