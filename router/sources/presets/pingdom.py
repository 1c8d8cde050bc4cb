"""Pingdom's webhook integration: one check, of uptime or of a transaction, whenever its state changes."""

from typing import ClassVar, Literal

from router.sources.presets import preset

PRESET = preset.Preset(
    mapping={
        "title": "check_name",
        "status": {"path": "current_state", "firing": ["down", "failing"], "resolved": ["up", "success"]},
        "fingerprint": "check_id",
        "severity": "importance_level",
        "labels": {
            "*": "tags",
            "check": "check_name",
            "type": "check_type",
            "hostname": "check_params.hostname",
        },
        "annotations": {
            "description": "long_description || description",
            "message": "custom_message",
            "previous_state": "previous_state",
            "probe": "first_probe.location",
        },
        # Each change has its own time, and a repeated message the same one: they are in order as they happened.
        "starts_at": "state_changed_timestamp",
        "ends_at": "state_changed_timestamp",
        "link": "check_params.full_url",
    },
    tags="tags",
)


class Config(preset.Config):
    """A Pingdom integration that posts to us."""

    kind: Literal["pingdom"] = "pingdom"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Pingdom, webhook integration")
