"""DevHelm's webhook: one incident of a monitor or a service, when it is created, resolved, or reopened.

The place of the incident in the body is undocumented, so the usual places are searched. For any other place, the
source's own mapping is needed.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_PLACES = ("data", "incident", "payload")
_OPENED_AGAIN = "incident.reopened"


def _event(body: objects.Members) -> str:
    return next(filter(None, (objects.scalar(body.get(name)) for name in ("type", "event", "eventType"))), "")


def _no_incident(body: objects.Members) -> str:
    event = _event(body)
    is_event_only = event.startswith(("monitor.", "webhook.", "service.status", "service.component"))
    return f"{event[:40]} is not about an incident" if is_event_only else ""


def _find_incident(body: objects.Members) -> objects.Members:
    """Return the incident, which is the first object with a status."""
    inner = [objects.optional(body.get(place)) for place in _PLACES]
    inner += [objects.optional(candidate.get("incident")) for candidate in inner]
    return next((candidate for candidate in inner if candidate.get("status")), body)


def _add_incident(body: objects.Members) -> objects.Members:
    """Add the incident with the time of the event. A reopened incident keeps its start, so its time is unknown."""
    incident, event = _find_incident(body), _event(body)
    over = objects.scalar(incident.get("status")).casefold() == "resolved"
    at = incident.get("resolvedAt" if over else "startedAt")
    return {**body, "incident": {**incident, "at": None if event == _OPENED_AGAIN else at, "event": event}}


PRESET = preset.Preset(
    mapping={
        "title": "incident.title || incident.monitorName || incident.serviceName || incident.triggeredByRule",
        "status": {"path": "incident.status", "firing": ["watching", "triggered", "confirmed"]},
        "fingerprint": "incident.id",
        "severity": "incident.severity",
        "labels": {
            "monitor": "incident.monitorName",
            "monitor_id": "incident.monitorId",
            "service": "incident.serviceName",
            "service_id": "incident.serviceId",
            "source": "incident.source",
        },
        "annotations": {
            "description": "incident.triggeredByRule",
            "event": "incident.event",
            "regions": "incident.affectedRegions",
            "resolution": "incident.resolutionReason",
        },
        "starts_at": "incident.at",
        "ends_at": "incident.at",
        "link": "incident.shortlink",
    },
    no_alert=_no_incident,
    shape=_add_incident,
)


class Config(preset.Config):
    """A DevHelm webhook that posts to us."""

    kind: Literal["devhelm"] = "devhelm"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "DevHelm, webhook about incidents")
