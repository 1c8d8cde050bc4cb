"""Axiom's custom webhook notifier: one monitor, or one group of a monitor, that is triggered or resolved.

A match monitor never resolves: its source needs ``resolve_after``.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _add_group(body: objects.Members) -> objects.Members:
    """Add the key and the group. A monitor that notifies by group triggers and resolves separately per group."""
    event = objects.optional(body.get("event"))
    names, values = event.get("groupKeys"), event.get("groupValues")
    names, values = (value if isinstance(value, list) else [] for value in (names, values))
    monitor = objects.scalar(event.get("monitorID"))
    group = ",".join(objects.scalar(value) for value in values)
    pairs = zip(map(objects.scalar, names), map(objects.scalar, values), strict=False)
    return {
        **body,
        "key": f"{monitor}/{group}" if monitor and group else monitor,
        "group": {name: value for name, value in pairs if name and value},
    }


PRESET = preset.Preset(
    mapping={
        "title": "event.title",
        "status": {"path": "action", "firing": ["open"], "resolved": ["closed"]},
        "fingerprint": "key",
        "severity": "event.severity",
        "labels": {"*": "group", "monitor_id": "event.monitorID"},
        "annotations": {
            "description": "event.description || event.body",
            "body": "event.body",
            "value": "event.value",
        },
        "starts_at": "event.timestamp",
        "ends_at": "event.timestamp",
        "link": "event.link",
    },
    shape=_add_group,
)


class Config(preset.Config):
    """An Axiom notifier that posts to us."""

    kind: Literal["axiom"] = "axiom"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Axiom, custom webhook notifier")
