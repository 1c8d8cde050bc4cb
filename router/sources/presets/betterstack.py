"""Better Stack Uptime's outgoing webhook about incidents: one incident, when it starts, is acknowledged, and ends."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_MOMENTS = {"started": "started_at", "acknowledged": "acknowledged_at", "resolved": "resolved_at"}


def _no_incident(body: objects.Members) -> str:
    kind = objects.scalar(objects.optional(body.get("data")).get("type"))
    return f"a {kind[:40]} is not an incident" if kind not in {"", "incident"} else ""


def _add_moment(body: objects.Members) -> objects.Members:
    """Add the time of the event, which orders an incident's webhooks: its start is earlier than its end.

    A reopened incident keeps its start, so the time of the reopening is unknown. Older webhooks don't name the event.
    """
    attributes = objects.optional(objects.optional(body.get("data")).get("attributes"))
    event = objects.scalar(body.get("event")) or _derive_event(attributes)
    return {**body, "event": event, "at": attributes.get(_MOMENTS.get(event, ""))}


def _derive_event(attributes: objects.Members) -> str:
    if not attributes.get("started_at"):
        return ""
    return "resolved" if attributes.get("resolved_at") else "started"


PRESET = preset.Preset(
    mapping={
        "title": "data.attributes.name",
        "status": {"path": "event", "firing": ["reopened"]},
        "fingerprint": "data.id",
        "labels": {
            "monitor": "data.attributes.name",
            "monitor_id": "data.relationships.monitor.data.id",
            "url": "data.attributes.url",
        },
        "annotations": {
            "description": "data.attributes.cause",
            "event": "event",
            "screenshot": "data.attributes.screenshot_url",
        },
        "starts_at": "at",
        "ends_at": "at",
        "link": "data.attributes.url",
    },
    ignored=frozenset({"comment", "commented", "comment_added", "comment_created"}),
    no_alert=_no_incident,
    shape=_add_moment,
)


class Config(preset.Config):
    """A Better Stack webhook that posts to us."""

    kind: Literal["betterstack"] = "betterstack"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Better Stack Uptime, outgoing webhook")
