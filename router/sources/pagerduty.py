"""PagerDuty's own webhooks, version 3: changes of incidents in PagerDuty, one event per delivery.

For events that would be sent to PagerDuty, see the kind ``pagerduty-events``.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, objects, reading

_ANNOTATIONS = ("status", "number", "incident_key", "urgency", "resolve_reason")


class Config(base.Config):
    """A PagerDuty webhook subscription that posts to us."""

    kind: Literal["pagerduty"] = "pagerduty"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the incident of an event; none for a ping, and for events that aren't about an incident's state."""
    if "messages" in body:
        raise base.Unparsable("event", "missing: this is an old version; create a webhook subscription of version 3")
    event = objects.members(body.get("event"), "event", "this is not a PagerDuty webhook")
    kind = objects.require_text(event.get("event_type"), "event.event_type")
    if kind == "pagey.ping":
        return objects.no_alert("a test of the subscription")
    incident = objects.members(event.get("data"), "event.data")
    # Notes and changes of responders also begin with `incident.`, but their data isn't an incident.
    if not kind.startswith("incident.") or incident.get("type") != "incident":
        return objects.no_alert(f"{kind} is not about the state of an incident")
    # Both are checked: an event about a resolved incident, such as a new priority, must not fire again.
    firing = kind != "incident.resolved" and objects.scalar(incident.get("status")) != "resolved"
    # Each event has its own time, which retries keep, so the order of arrival doesn't matter.
    at = delivery.moment(event.get("occurred_at"), "event.occurred_at") or delivery.now
    alert = alerts.Alert(
        delivery.source,
        objects.require_text(incident.get("id"), "event.data.id"),
        "firing" if firing else "resolved",
        at,
        Timestamp(0 if firing else at),
        objects.scalar(incident.get("title")),
        _labels(incident),
        _annotations(incident, kind),
        _severity(incident),
        objects.scalar(incident.get("html_url")),
    )
    return base.Parsed([alert])


def _labels(incident: objects.Members) -> dict[str, str]:
    service = objects.optional(incident.get("service"))
    labels = {"service": objects.scalar(service.get("summary")), "service_id": objects.scalar(service.get("id"))}
    teams = incident.get("teams")
    names = [
        objects.scalar(objects.optional(team).get("summary")) for team in (teams if isinstance(teams, list) else [])
    ]
    labels["team"] = ", ".join(filter(None, names))
    return {name: value for name, value in labels.items() if value}


def _annotations(incident: objects.Members, kind: str) -> dict[str, str]:
    values = {name: incident.get(name) for name in _ANNOTATIONS}
    policy = _summary(incident, "escalation_policy")
    return objects.texts({"event_type": kind, "escalation_policy": policy, **values})


def _severity(incident: objects.Members) -> str:
    """Return the priority, whose names each account defines, or else the urgency."""
    return _summary(incident, "priority") or objects.scalar(incident.get("urgency"))


def _summary(incident: objects.Members, name: str) -> str:
    return objects.scalar(objects.optional(incident.get(name)).get("summary"))


class _Event(msgspec.Struct):
    id: str = ""


class _Named(msgspec.Struct):
    event: _Event = msgspec.field(default_factory=_Event)


_decode_named = msgspec.json.Decoder(_Named).decode


def _event_id(_headers: Mapping[bytes, bytes], body: bytes) -> str:
    """Return the event's ID, which retries keep."""
    try:
        return _decode_named(body).event.id
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ""


KIND = base.Kind(
    name="pagerduty",
    config=Config,
    make=lambda name, _config: objects.Source(name, read),
    summary="PagerDuty, webhook subscription version 3",
    # PagerDuty drops the event after a 4xx, and disables the subscription after three in a row.
    unparsable_status=202,
    delivery_id=_event_id,
)
