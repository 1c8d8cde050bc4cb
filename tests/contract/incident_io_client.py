"""Calls to incident.io's API through the vendor's Python client."""

import importlib

from tests.contract import sdks


def operation(area: str, name: str):
    """Return the SDK's function for an operation of the API."""
    return importlib.import_module(f"incident_io.api.{area}.{name}").sync_detailed


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
