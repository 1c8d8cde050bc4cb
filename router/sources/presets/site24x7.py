"""Site24x7's webhook: one monitor whose status changed.

The user defines the template of the body, or the body has the incident parameters under their own names.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_LEVELS = {"DOWN": "critical", "CRITICAL": "critical", "TROUBLE": "warning"}


def _add_level(body: objects.Members) -> objects.Members:
    """Add the level, which the status indicates. It is empty for a resolved alert."""
    return {**body, "level": _LEVELS.get(objects.scalar(body.get("STATUS")).strip().upper(), "")}


PRESET = preset.Preset(
    mapping={
        "title": "MONITORNAME",
        "status": {"path": "STATUS", "firing": ["down", "trouble", "critical"], "resolved": ["up"]},
        "fingerprint": "MONITOR_ID",
        "severity": "level",
        "labels": {
            "*": "TAGS",
            "monitor": "MONITORNAME",
            "monitor_id": "MONITOR_ID",
            "type": "MONITORTYPE",
            "group": "MONITOR_GROUPNAME",
        },
        "annotations": {
            "description": "INCIDENT_REASON",
            "status": "STATUS",
            "url": "MONITORURL",
            "locations": "FAILED_LOCATIONS",
        },
        "starts_at": "INCIDENT_TIME_ISO",
        "ends_at": "INCIDENT_TIME_ISO",
        "link": "MONITOR_DASHBOARD_LINK",
    },
    # A monitor that is suspended or under maintenance may still be down.
    ignored=frozenset({"maintenance", "suspended", "discovery", "configuration error"}),
    placeholder=r"\$[A-Z0-9_]+",
    tags="TAGS",
    shape=_add_level,
)


class Config(preset.Config):
    """A Site24x7 webhook that posts to us."""

    kind: Literal["site24x7"] = "site24x7"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Site24x7, webhook integration")
