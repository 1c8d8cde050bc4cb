"""The response bodies of the simulated incident.io, with every field that its clients require."""

import datetime as dt
from typing import Any

from router.simulator.incident_io import state

_LONG_AGO = "2026-01-01T00:00:00Z"
# Version 1 has no words for these two statuses, so they appear as the nearest one.
_V1_STATUS = {"Documenting": "closed", "Canceled": "declined"}


def moment(at: int) -> str:
    """Return microseconds since the epoch as RFC 3339."""
    return dt.datetime.fromtimestamp(at / 1_000_000, dt.UTC).isoformat().replace("+00:00", "Z")


def ranked_option(entry: state.Named) -> dict[str, Any]:
    """Return a severity, or any other object with a name and a rank."""
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.name,
        "rank": entry.rank,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }


def status(entry: state.Named) -> dict[str, Any]:
    """Return an incident status."""
    return {**ranked_option(entry), "category": entry.category}


def incident_type(entry: state.Named) -> dict[str, Any]:
    """Return an incident type."""
    return {
        "id": entry.id,
        "name": entry.name,
        "description": entry.name,
        "is_default": entry.rank == 1,
        "private_incidents_only": False,
        "create_in_triage": "optional",
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }


def incident_v1(incident: state.Incident, account: state.State) -> dict[str, Any]:
    """Return an incident as ``IncidentV1``."""
    word = _V1_STATUS.get(incident.status.name, incident.status.name.lower())
    return {
        **_incident(incident, account),
        "status": word,
        "mode": "test" if incident.mode == "test" else "real",
        "timestamps": [],
    }


def incident_v2(incident: state.Incident, account: state.State) -> dict[str, Any]:
    """Return an incident as ``IncidentV2``."""
    # Version 2 calls the mode `standard` that version 1 calls `real`.
    mode = "standard" if incident.mode == "real" else incident.mode
    fields = {"incident_status": status(incident.status), "mode": mode}
    return {**_incident(incident, account), **fields, "incident_timestamp_values": _timestamp_values(incident, account)}


def incident_slim(incident: state.Incident) -> dict[str, Any]:
    """Return an incident as ``IncidentSlimV2``."""
    return {
        "id": incident.id,
        "external_id": incident.number,
        "reference": f"INC-{incident.number}",
        "name": incident.name,
        "status_category": incident.status.category,
        "visibility": incident.visibility,
    }


def timestamp(entry: state.Named) -> dict[str, Any]:
    """Return an incident timestamp of the account."""
    return {"id": entry.id, "name": entry.name, "rank": entry.rank}


def _timestamp_values(incident: state.Incident, account: state.State) -> list[dict[str, Any]]:
    return [
        {
            "incident_timestamp": timestamp(own_timestamp),
            "value": {"value": incident.timestamps[own_timestamp.id].isoformat()},
        }
        for own_timestamp in account.timestamps
        if own_timestamp.id in incident.timestamps
    ]


def _incident(incident: state.Incident, account: state.State) -> dict[str, Any]:
    answer = {
        "id": incident.id,
        "reference": f"INC-{incident.number}",
        "name": incident.name,
        "summary": incident.summary,
        "visibility": incident.visibility,
        "creator": {"api_key": {"id": "01SIMULATED", "name": "incident-router"}},
        "custom_field_entries": [_custom_field(entry, account) for entry in incident.custom_fields],
        "incident_role_assignments": [_role(role, account) for role in incident.roles],
        "slack_team_id": incident.slack_team_id or "T00000000",
        "slack_channel_id": "C00000000",
        "slack_channel_name": f"inc-{incident.number}",
        "permalink": f"https://app.incident.example/incidents/{incident.number}",
        "created_at": moment(incident.created_at),
        "updated_at": moment(incident.updated_at),
        "last_activity_at": moment(incident.updated_at),
        "team_ids": [],
    }
    # Absent values are omitted instead of null, as the vendor's own client expects.
    if incident.severity is not None:
        answer["severity"] = ranked_option(incident.severity)
    if incident.type is not None:
        answer["incident_type"] = incident_type(incident.type)
    if incident.call_url:
        answer["call_url"] = incident.call_url
    return answer


def custom_field(entry: state.Named, state_: state.State) -> dict[str, Any]:
    """Return a custom field of the account."""
    kind = "single_select" if entry is state_.select_field else "text"
    fields = {key: value for key, value in ranked_option(entry).items() if key != "rank"}
    return {**fields, "field_type": kind}


def role(account: state.State) -> dict[str, Any]:
    """Return an incident role of the account."""
    fields = {key: value for key, value in ranked_option(account.role).items() if key != "rank"}
    return {**fields, "instructions": "", "role_type": "lead", "shortform": "lead"}


def _custom_field(entry: dict[str, Any], account: state.State) -> dict[str, Any]:
    field = account.select_field if entry["custom_field_id"] == account.select_field.id else account.custom_field
    fields: dict[str, Any] = {
        "id": field.id,
        "name": field.name,
        "description": "",
        "field_type": "single_select" if field is account.select_field else "text",
        "options": [],
    }
    return {"custom_field": fields, "values": [_value(value, field, account) for value in entry["values"]]}


def _value(value: dict[str, Any], field: state.Named, account: state.State) -> dict[str, Any]:
    answer: dict[str, Any] = {
        kind: value[kind] for kind in ("value_text", "value_link", "value_numeric") if kind in value
    }
    if "value_option_id" in value:
        option_id = value["value_option_id"]
        name = next((option.name for option in account.options if option.id == option_id), option_id)
        answer["value_option"] = {"id": option_id, "custom_field_id": field.id, "value": name, "sort_key": 1}
    if "value_catalog_entry_id" in value:
        answer["value_catalog_entry"] = {"id": value["value_catalog_entry_id"], "name": "An entry"}
    return answer


def _role(role: dict[str, Any], account: state.State) -> dict[str, Any]:
    fields = {
        "id": account.role.id,
        "name": account.role.name,
        "shortform": "lead",
        "description": "",
        "instructions": "",
        "role_type": "lead",
        "required": False,
        "created_at": _LONG_AGO,
        "updated_at": _LONG_AGO,
    }
    person = role.get("assignee") or {}
    answer: dict[str, Any] = {"role": fields}
    if person:
        # A person can be assigned by an email address or a Slack ID, but the response always has an ID.
        user_id = person.get("id") or f"01PERSON-{person.get('email') or person.get('slack_user_id')}"
        answer["assignee"] = {"name": "Somebody", "role": "responder", **person, "id": user_id}
    return answer


def structure(account: state.State) -> dict[str, Any]:
    """Return the groups and components of the status page."""
    groups = [c for c in account.components if c.group]
    # One component is outside the group, because the router must find components at both levels.
    alone = [c for c in account.components if not c.group]
    group = {
        "id": account.group_id,
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


def _component(entry: state.Named) -> dict[str, Any]:
    return {"component_id": entry.id, "name": entry.name, "display_uptime": True, "hidden": False}


def page(account: state.State) -> dict[str, Any]:
    """Return the status page."""
    return {
        "id": account.page.id,
        "name": account.page.name,
        "description": "",
        "public_url": "https://status.acme.example",
    }


def update(record: state.Update, post_id: str) -> dict[str, Any]:
    """Return one update of a post."""
    return {
        "id": record.id,
        "status_page_incident_id": post_id,
        "published_at": moment(record.at),
        "message": record.message,
        "incident_status": record.status,
        "component_statuses": [
            {"component_id": identity, "component_status": word} for identity, word in record.components.items()
        ],
    }


def post(record: state.Post) -> dict[str, Any]:
    """Return a post."""
    impacts = []
    for impact in record.impacts:
        window = {**impact, "start_at": moment(impact["start_at"])}
        window["end_at"] = moment(impact["end_at"]) if impact["end_at"] else None
        # An impact without an end is still going on. The vendor omits the field instead of sending null.
        impacts.append({key: value for key, value in window.items() if value is not None})
    return {
        "id": record.id,
        "status_page_id": record.page_id,
        "name": record.name,
        "published_at": moment(record.published_at),
        "incident_status": record.status,
        "updates": [update(u, record.id) for u in record.updates],
        "component_impacts": impacts,
    }
