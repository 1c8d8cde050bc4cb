"""Atlassian Statuspage's subscriber webhooks: one incident on a third party's page, or one component of the page."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_BROKEN = ["degraded_performance", "partial_outage", "major_outage"]
_LEVELS = {"degraded_performance": "minor", "partial_outage": "major", "major_outage": "critical"}
# Maintenance is planned, and doesn't indicate whether a component works.
_MAINTENANCE = frozenset({"scheduled", "in_progress", "verifying", "completed", "under_maintenance"})


def _no_alert(body: objects.Members) -> str:
    if "incident" in body or "component" in body or "page" not in body:
        return ""
    return "the notification is about neither an incident nor a component"


def _add_subject(body: objects.Members) -> objects.Members:
    """Add the parts of the incident or the component. They are separate alerts, even if updated at the same time."""
    incident, component = objects.optional(body.get("incident")), objects.optional(body.get("component"))
    page = objects.scalar(objects.optional(body.get("page")).get("id"))
    if incident:
        subject, kind, at = incident, "incident", incident.get("updated_at") or incident.get("created_at")
        level = objects.scalar(incident.get("impact"))
        level = "" if level == "none" else level
    else:
        update = objects.optional(body.get("component_update"))
        subject, kind, at = component, "component", update.get("created_at")
        level = _LEVELS.get(objects.scalar(component.get("status")), "")
    identity = objects.scalar(subject.get("id"))
    return {
        **body,
        "of": subject,
        "what": kind,
        "at": at,
        "level": level,
        "key": "/".join(filter(None, (page, kind, identity))) if identity else "",
        "update": _newest(incident),
    }


def _newest(incident: objects.Members) -> str:
    updates = incident.get("incident_updates")
    first = objects.optional(updates[0]) if isinstance(updates, list) and updates else {}
    return objects.scalar(first.get("body"))


PRESET = preset.Preset(
    mapping={
        "title": "of.name",
        "status": {
            "path": "incident.status || component.status",
            "firing": ["investigating", "identified", "monitoring", *_BROKEN],
            "resolved": ["resolved", "postmortem", "operational"],
        },
        "fingerprint": "key",
        "severity": "level",
        "labels": {"page": "page.id", "component": "component.name", "about": "what"},
        "annotations": {
            "description": "update",
            "status": "of.status",
            "page_status": "page.status_description",
        },
        # Each update has its own time, which retries keep: updates are ordered by the time of posting.
        "starts_at": "at",
        "ends_at": "at",
        "link": "incident.shortlink",
    },
    ignored=_MAINTENANCE,
    no_alert=_no_alert,
    shape=_add_subject,
)


class Config(preset.Config):
    """A subscription to a status page that posts to us."""

    kind: Literal["statuspage"] = "statuspage"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Atlassian Statuspage, subscriber webhooks")
