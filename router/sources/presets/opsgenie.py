"""Opsgenie's outgoing webhook: one alert there, and the action on it.

Most actions (a note, a tag, an owner) don't indicate whether the alert is open. Accounts may define more actions.
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
        # Another alert may use the alias after this alert is closed.
        "fingerprint": "alert.alertId",
        # Older integrations send only the number.
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
