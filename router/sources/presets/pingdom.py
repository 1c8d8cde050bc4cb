"""Pingdom's webhook integration: one uptime or transaction check, on each change of its state."""

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
        # Each change has its own time, which retries keep: messages are ordered by the time of the change.
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
