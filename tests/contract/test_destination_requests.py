"""Every request body of a destination is one that the vendor's SDK can send, without unknown or misnamed fields."""

import functools
import re
from typing import Any

import pytest

from router.destinations import registry
from tests.contract import sdks
from tests.unit.destinations import accounts

# Lengths that the vendor documents, but its attrs classes don't check.
LONGEST = {"name": 200, "message": 4096}


def devhelm_models() -> dict[str, Any]:
    devhelm = sdks.devhelm_models
    return {
        r"POST /api/v1/incidents": devhelm.CreateManualIncidentRequest,
        r"PATCH /api/v1/incidents/[^/]+": devhelm.UpdateIncidentRequest,
        r"POST /api/v1/incidents/[^/]+/updates": devhelm.AddIncidentUpdateRequest,
        r"POST /api/v1/incidents/[^/]+/resolve": devhelm.ResolveIncidentRequest,
        r"POST /api/v1/status-pages/[^/]+/incidents": devhelm.CreateStatusPageIncidentRequest,
        r"PUT /api/v1/status-pages/[^/]+/incidents/[^/]+": devhelm.UpdateStatusPageIncidentRequest,
        r"POST /api/v1/status-pages/[^/]+/incidents/[^/]+/updates": devhelm.CreateStatusPageIncidentUpdateRequest,
        r"POST /api/v1/status-pages/[^/]+/incidents/[^/]+/publish": devhelm.PublishStatusPageIncidentRequest,
        r"POST /api/v1/status-pages/[^/]+/incidents/[^/]+/dismiss": None,
    }


def incident_io_models() -> dict[str, Any]:
    models = sdks.incident_io_models
    return {
        r"POST /v1/incidents": models.IncidentsCreatePayloadV1,
        r"POST /v2/incidents": models.IncidentsCreatePayloadV2,
        r"POST /v2/incidents/[^/]+/actions/edit": models.IncidentsEditPayloadV2,
        r"POST /v2/alert_events/http/[^/]+": models.AlertEventsCreateHTTPPayloadV2,
        r"POST /v2/escalations": models.EscalationsCreatePayloadV2,
        r"POST /v2/incident_alerts": models.AlertsCreateIncidentAlertPayloadV2,
        r"POST /v2/status_page_incidents": models.StatusPagesCreateStatusPageIncidentPayloadV2,
        r"POST /v2/status_page_retrospective_incidents": (
            models.StatusPagesCreateStatusPageRetrospectiveIncidentPayloadV2
        ),
        r"POST /v2/status_page_incident_updates": models.StatusPagesCreateStatusPageIncidentUpdatePayloadV2,
        r"PUT /v2/status_page_incidents/[^/]+": models.StatusPagesUpdateStatusPageIncidentPayloadV2,
    }


@functools.cache
def list_models() -> dict[str, Any]:
    """Return the vendor's model of each request's body."""
    return {**devhelm_models(), **incident_io_models()}


def find_model(made: str) -> Any:
    (model,) = [model for pattern, model in list_models().items() if re.fullmatch(pattern, made)]
    return model


def find_unknown(part: Any) -> list[str]:
    """Return additional properties, and values that are in no enumeration."""
    if isinstance(part, sdks.incident_io_models.AlertEventsCreateHTTPPayloadV2Metadata):
        return []  # The caller chooses the names of its members.
    found = list(getattr(part, "additional_properties", {}))
    for value in [getattr(part, field.name) for field in getattr(type(part), "__attrs_attrs__", ())]:
        for inner in value if isinstance(value, list) else [value]:
            if hasattr(type(inner), "__members__") and inner not in type(inner).__members__.values():
                found.append(str(inner))
            found += find_unknown(inner)
    return found


def check(made: str, body: Any) -> None:
    """Validate a call against the vendor's model."""
    model = find_model(made)
    if model is None:
        assert body is None
    elif hasattr(model, "model_validate"):
        read = model.model_validate(body)
        assert read.model_dump(mode="json", by_alias=True, exclude_none=True) == body
    else:
        read = model.from_dict(body)
        assert find_unknown(read) == []
        assert read.to_dict() == body
        if "status_page" in made:
            assert [name for name, most in LONGEST.items() if len(body.get(name, "")) > most] == []


def list_changes(kind: str, operation: str, **settings: Any) -> list[tuple[str, Any]]:
    vendor = accounts.scripted_account(kind, operation)
    accounts.perform(vendor, kind, operation, **settings)
    return [(f"{call.method} {call.path}", call.body) for call in vendor.calls if call.method != "GET"]


@pytest.mark.parametrize(("kind", "operation"), accounts.CHANGES)
def test_every_request_body_matches_the_vendor_s_sdk(kind, operation):
    sent = list_changes(kind, operation)
    assert sent, "the account is scripted so that every operation has something to do"
    for made, body in sent:
        check(made, body)


def test_body_for_incident_io_version_2_is_valid():
    (made, body), *_ = list_changes("incident-io", "open", api="v2")
    assert made == "POST /v2/incidents"
    check(made, body)


def test_every_modeled_endpoint_is_called():
    """A request that no operation above sends would not be validated."""
    made = {made for kind, operation in accounts.CHANGES for made, _ in list_changes(kind, operation)}
    made |= {made for made, _ in list_changes("incident-io", "open", api="v2")}
    assert [pattern for pattern in list_models() if not any(re.fullmatch(pattern, one) for one in made)] == []


@pytest.mark.parametrize("kind", registry.KINDS)
def test_accounts_have_every_field_of_their_kind(kind):
    assert accounts.ACCOUNTS[kind].fields.keys() == registry.KINDS[kind].opening.model_fields.keys()


@pytest.mark.parametrize(
    ("made", "body"),
    [
        ("POST /v1/incidents", {"idempotency_key": "k", "visibility": "public", "titel": "x"}),
        ("POST /v1/incidents", {"idempotency_key": "k", "visibility": "secret"}),
        ("POST /v1/incidents", {"visibility": "public"}),
        ("POST /api/v1/incidents", {"title": "x", "severity": "CRITICAL"}),
        ("POST /api/v1/incidents", {"title": "x", "severity": "DOWN", "monitor_id": None}),
        ("POST /api/v1/status-pages/p/incidents", {"title": "x", "impact": "MAJOR"}),
    ],
)
def test_invalid_body_fails_the_check(made, body):
    with pytest.raises((AssertionError, ValueError, KeyError)):
        check(made, body)
