"""incident.io's outgoing webhooks: one incident there, when it is created, edited, or changes its status.

For alert events that would be sent to incident.io, see the kind ``incident-io-alerts``.
"""

import re
from typing import Any, ClassVar, Literal

from router.domain import texts
from router.sources import objects
from router.sources.presets import preset

# The marker that the destination incident-io writes at the end of a summary, or at the start of a long one.
_AT_THE_END = re.compile(r"(?:\A| )Reference: (IR-[0-9A-Z]{8}(?:-[0-9A-Z]{6})?)\Z")
_AT_THE_BEGINNING = re.compile(r"\AReference: (IR-[0-9A-Z]{8}(?:-[0-9A-Z]{6})?)(?: |\Z)")

_TESTS = {"test", "tutorial"}
_VALUES = ("value_literal", "value_text", "value_link", "value_numeric", "value_timestamp")
_NAMED_VALUES = ("value_option", "value_catalog_entry")


def _payload(body: objects.Members) -> objects.Members:
    """Return the payload, which is the member named after the type of the event."""
    return objects.optional(body.get(objects.scalar(body.get("event_type"))))


def _incident(body: objects.Members) -> objects.Members:
    """Return the incident: a member of a status change, or the payload of any other event."""
    payload = _payload(body)
    return objects.optional(payload.get("incident")) or payload


def _no_incident(body: objects.Members) -> str:
    event, incident = objects.scalar(body.get("event_type")), _incident(body)
    if event.startswith("private_"):
        return "incident.io sends only the ID of a private incident"
    if event and not event.startswith("public_incident.incident_"):
        return f"{event[:60]} is not about the state of an incident"
    if incident.get("mode") == "retrospective":
        return "a retrospective incident has already ended"
    summary = texts.canonical(objects.scalar(incident.get("summary")))
    opened = _AT_THE_BEGINNING.search(summary) or _AT_THE_END.search(summary)
    return f"the router itself opened this incident as {opened[1]}" if opened else ""


def _custom_fields(incident: objects.Members) -> dict[str, str]:
    entries = incident.get("custom_field_entries")
    custom_fields: dict[str, str] = {}
    for entry in map(objects.optional, entries if isinstance(entries, list) else []):
        field, values = objects.optional(entry.get("custom_field")), entry.get("values")
        found_values = [_value(objects.optional(value)) for value in (values if isinstance(values, list) else [])]
        name, text = objects.scalar(field.get("name")), ",".join(filter(None, found_values))
        if name and text:
            custom_fields[name] = text
    return custom_fields


def _value(value: objects.Members) -> str:
    for name in _NAMED_VALUES:
        option = objects.optional(value.get(name))
        if option:
            return objects.scalar(option.get("value") or option.get("name"))
    return next(filter(None, (objects.scalar(value.get(name)) for name in _VALUES)), "")


def _add_incident(body: objects.Members) -> dict[str, Any]:
    incident, payload = _incident(body), _payload(body)
    return {
        "incident": incident,
        "status": objects.optional(payload.get("new_status")) or objects.optional(incident.get("incident_status")),
        "fields": _custom_fields(incident),
        "test": "true" if objects.scalar(incident.get("mode")) in _TESTS else "",
        "message": payload.get("message"),
        "event": body.get("event_type"),
    }


PRESET = preset.Preset(
    mapping={
        "title": "incident.name",
        "status": {
            "path": "status.category",
            "firing": ["triage", "live", "paused"],
            "resolved": ["learning", "closed", "declined", "canceled", "cancelled", "merged"],
        },
        "fingerprint": "incident.id",
        "severity": "incident.severity.name",
        "labels": {
            "*": "fields",
            "reference": "incident.reference",
            "type": "incident.incident_type.name",
            "test": "test",
        },
        "annotations": {
            "description": "incident.summary",
            "status": "status.name",
            "message": "message",
            "event": "event",
        },
        # Each change has its own time, which retries keep: messages are ordered by the time of the change.
        "starts_at": "incident.updated_at",
        "ends_at": "incident.updated_at",
        "link": "incident.permalink",
    },
    no_alert=_no_incident,
    shape=_add_incident,
)


class Config(preset.Config):
    """An incident.io webhook endpoint that posts to us."""

    kind: Literal["incident-io"] = "incident-io"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "incident.io, outgoing webhooks about incidents")
