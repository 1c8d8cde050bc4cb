"""Opsgenie's outgoing webhook: one alert there, and the action that was taken on it.

Most actions (a note, a tag, an owner) say nothing of whether the alert is open; accounts may add actions of their own.
"""

from typing import ClassVar, Literal

from router.sources.presets import preset

PRESET = preset.Preset(
    mapping={
        "title": "alert.message",
        "status": {
            "path": "action",
            "firing": ["create", "acknowledge", "unacknowledge", "updatepriority"],
            "resolved": ["close", "delete"],
        },
        # The alias is that of another alert once this one is closed.
        "fingerprint": "alert.alertId",
        # Older integrations send the number alone.
        "severity": {"path": "alert.priority", "map": {number: f"P{number}" for number in ("1", "2", "3", "4", "5")}},
        "labels": {
            "*": "alert.tags",
            "source": "alert.source",
            "entity": "alert.entity",
            "alias": "alert.alias",
            "integration": "integrationName",
        },
        "annotations": {
            "*": "alert.details",
            "description": "alert.description",
            "action": "action",
            "by": "alert.username",
            "number": "alert.tinyId",
        },
        "starts_at": "alert.createdAt",
        "ends_at": "alert.updatedAt",
        "link": "alert.details.link",
    },
    ignored=frozenset({"*"}),
    tags="alert.tags",
)


class Config(preset.Config):
    """An Opsgenie integration that posts to us."""

    kind: Literal["opsgenie"] = "opsgenie"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Opsgenie, outgoing webhook")
