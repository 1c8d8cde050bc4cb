"""Cronitor's webhook integration: one monitor that fails or recovers, in one environment."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key. A monitor fails and recovers separately in each environment."""
    monitor, environment = objects.scalar(body.get("id")), objects.scalar(body.get("environment"))
    return {**body, "key": f"{monitor}/{environment}" if monitor and environment else monitor}


PRESET = preset.Preset(
    mapping={
        "title": "monitor || id",
        "status": {"path": "type", "firing": ["alert"], "resolved": ["recovery"]},
        "fingerprint": "key",
        "labels": {"monitor": "monitor", "monitor_id": "id", "environment": "environment", "group": "group"},
        # The violated rule. Its value in a recovery is undocumented, so it isn't part of the key.
        "annotations": {"description": "description", "rule": "rule", "monitor_url": "monitor_url"},
        "link": "issue_url || monitor_url",
    },
    shape=_add_key,
)


class Config(preset.Config):
    """A Cronitor webhook that posts to us."""

    kind: Literal["cronitor"] = "cronitor"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Cronitor, webhook integration")
