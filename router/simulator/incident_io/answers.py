"""The response bodies of the simulated incident.io, with every field that its clients require."""

import datetime as dt
from typing import Any

from router.simulator.incident_io import state

_LONG_AGO = "2026-01-01T00:00:00Z"
_V1_STATUS = {"Documenting": "closed", "Canceled": "declined"}


def moment(at: int) -> str:
    """Return microseconds since the epoch as RFC 3339."""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).isoformat().replace("+00:00", "Z")


def named(one: state.Named) -> dict[str, Any]:
    """Return a severity, or any other object with a name and a rank."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.name,
        "rank": one.rank,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }


def status(one: state.Named) -> dict[str, Any]:
    """Return an incident status."""
    return {**named(one), "category": one.category}


def incident_type(one: state.Named) -> dict[str, Any]:
    """Return an incident type."""
    return {
        "id": one.id,
        "name": one.name,
        "description": one.name,
        "is_default": one.rank == 1,
        "private_incidents_only": False,
        "create_in_triage": "optional",
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }


def incident_v1(one: state.Incident, of: state.State) -> dict[str, Any]:
    """Return an incident as ``IncidentV1``."""
    word = _V1_STATUS.get(one.status.name, one.status.name.lower())
    return {**_incident(one, of), "status": word, "mode": "test" if one.mode == "test" else "real", "timestamps": []}


def incident_v2(one: state.Incident, of: state.State) -> dict[str, Any]:
    """Return an incident as ``IncidentV2``."""
    mode = "standard" if one.mode == "real" else one.mode
    about = {"incident_status": status(one.status), "mode": mode}
    return {**_incident(one, of), **about, "incident_timestamp_values": _timestamp_values(one, of)}


def incident_slim(one: state.Incident) -> dict[str, Any]:
    """Return an incident as ``IncidentSlimV2``."""
    return {
        "id": one.id,
        "external_id": one.number,
        "reference": f"INC-{one.number}",
        "name": one.name,
        "status_category": one.status.category,
        "visibility": one.visibility,
    }


def timestamp(one: state.Named) -> dict[str, Any]:
    """Return an incident timestamp of the account."""
    return {"id": one.id, "name": one.name, "rank": one.rank}


def _timestamp_values(one: state.Incident, of: state.State) -> list[dict[str, Any]]:
    return [
        {"incident_timestamp": timestamp(known), "value": {"value": one.timestamps[known.id].isoformat()}}
        for known in of.timestamps
        if known.id in one.timestamps
    ]


def _incident(one: state.Incident, of: state.State) -> dict[str, Any]:
    answer = {
        "id": one.id,
        "reference": f"INC-{one.number}",
        "name": one.name,
        "summary": one.summary,
        "visibility": one.visibility,
        "creator": {"api_key": {"id": "01SIMULATED", "name": "incident-router"}},
        "custom_field_entries": [_custom_field(entry, of) for entry in one.custom_fields],
        "incident_role_assignments": [_role(role, of) for role in one.roles],
        "slack_team_id": one.slack_team_id or "T00000000",
        "slack_channel_id": "C00000000",
        "slack_channel_name": f"inc-{one.number}",
        "permalink": f"https://app.incident.example/incidents/{one.number}",
        "created_at": moment(one.created_at),
        "updated_at": moment(one.updated_at),
        "last_activity_at": moment(one.updated_at),
        "team_ids": [],
    }
    if one.severity is not None:
        answer["severity"] = named(one.severity)
    if one.type is not None:
        answer["incident_type"] = incident_type(one.type)
    if one.call_url:
        answer["call_url"] = one.call_url
    return answer


def custom_field(one: state.Named, of: state.State) -> dict[str, Any]:
    """Return a custom field of the account."""
    kind = "single_select" if one is of.select_field else "text"
    about = {key: value for key, value in named(one).items() if key != "rank"}
    return {**about, "field_type": kind}


def role(of: state.State) -> dict[str, Any]:
    """Return an incident role of the account."""
    about = {key: value for key, value in named(of.role).items() if key != "rank"}
    return {**about, "instructions": "", "role_type": "lead", "shortform": "lead"}


def _custom_field(entry: dict[str, Any], of: state.State) -> dict[str, Any]:
    one = of.select_field if entry["custom_field_id"] == of.select_field.id else of.custom_field
    about: dict[str, Any] = {
        "id": one.id,
        "name": one.name,
        "description": "",
        "field_type": "single_select" if one is of.select_field else "text",
        "options": [],
    }
    return {"custom_field": about, "values": [_value(value, one, of) for value in entry["values"]]}


def _value(value: dict[str, Any], field: state.Named, of: state.State) -> dict[str, Any]:
    answer: dict[str, Any] = {
        kind: value[kind] for kind in ("value_text", "value_link", "value_numeric") if kind in value
    }
    if "value_option_id" in value:
        chosen = value["value_option_id"]
        name = next((option.name for option in of.options if option.id == chosen), chosen)
        answer["value_option"] = {"id": chosen, "custom_field_id": field.id, "value": name, "sort_key": 1}
    if "value_catalog_entry_id" in value:
        answer["value_catalog_entry"] = {"id": value["value_catalog_entry_id"], "name": "An entry"}
    return answer


def _role(role: dict[str, Any], of: state.State) -> dict[str, Any]:
    about = {
        "id": of.role.id,
        "name": of.role.name,
        "shortform": "lead",
        "description": "",
        "instructions": "",
        "role_type": "lead",
        "required": False,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }
    person = role.get("assignee") or {}
    answer: dict[str, Any] = {"role": about}
    if person:
        called = person.get("id") or f"01PERSON-{person.get('email') or person.get('slack_user_id')}"
        answer["assignee"] = {"name": "Somebody", "role": "responder", **person, "id": called}
    return answer


def structure(of: state.State) -> dict[str, Any]:
    """Return the groups and components of the status page."""
    groups = [c for c in of.components if c.group]
    alone = [c for c in of.components if not c.group]
    group = {
        "id": of.group_id,
        "name": "Shop",
        "display_aggregated_uptime": True,
        "hidden": False,
        "components": [_component(c) for c in groups],
    }
    return {
        "current_structure": {"items": [{"group": group}, *({"component": _component(c)} for c in alone)]},
        "display_uptime_mode": "chart_and_percentage",
        "management_meta": {"annotations": {}, "managed_by": "dashboard"},
    }


def _component(one: state.Named) -> dict[str, Any]:
    return {"component_id": one.id, "name": one.name, "display_uptime": True, "hidden": False}


def page(of: state.State) -> dict[str, Any]:
    """Return the status page."""
    return {
        "id": of.page.id,
        "name": of.page.name,
        "description": "",
        "public_url": "https://status.acme.example",
    }


def update(one: state.Update, post_id: str) -> dict[str, Any]:
    """Return one update of a post."""
    return {
        "id": one.id,
        "status_page_incident_id": post_id,
        "published_at": moment(one.at),
        "message": one.message,
        "incident_status": one.status,
        "component_statuses": [
            {"component_id": identity, "component_status": word} for identity, word in one.components.items()
        ],
    }


def post(one: state.Post) -> dict[str, Any]:
    """Return a post."""
    impacts = []
    for impact in one.impacts:
        shown = {**impact, "start_at": moment(impact["start_at"])}
        shown["end_at"] = moment(impact["end_at"]) if impact["end_at"] else None
        impacts.append({key: value for key, value in shown.items() if value is not None})
    return {
        "id": one.id,
        "status_page_id": one.page_id,
        "name": one.name,
        "published_at": moment(one.published_at),
        "incident_status": one.status,
        "updates": [update(u, one.id) for u in one.updates],
        "component_impacts": impacts,
    }
