"""Icinga Notifications, webhook channel with its default body: one incident, on each change of its severity.

For notification commands of Icinga 2, see the kind ``nagios``.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_OVER = "ok"


def _add_level(body: objects.Members) -> objects.Members:
    """Add the level, which is empty for a resolved incident."""
    severity = objects.scalar(objects.optional(body.get("incident")).get("severity"))
    return {**body, "level": "" if severity.casefold() == _OVER else severity}


PRESET = preset.Preset(
    mapping={
        "title": "object.name",
        "status": {
            "path": "incident.severity",
            "firing": ["debug", "info", "notice", "warning", "err", "crit", "alert", "emerg"],
            "resolved": [_OVER],
        },
        "fingerprint": "incident.id",
        "severity": "level",
        "labels": {"*": "object.tags", "object": "object.name"},
        "annotations": {"description": "event.message", "contact": "contact.full_name", "object_url": "object.url"},
        # Each change has its own time, which retries keep: messages are ordered by the time of the change.
        "starts_at": "event.time",
        "ends_at": "event.time",
        "link": "incident.url || object.url",
    },
    ignored=frozenset({"none"}),
    shape=_add_level,
)


class Config(preset.Config):
    """An Icinga Notifications channel that posts to us."""

    kind: Literal["icinga"] = "icinga"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Icinga Notifications, webhook channel")
