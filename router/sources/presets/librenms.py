"""LibreNMS's alert transport "API": one alert rule that is violated on one device, or met again.

The user defines the template of the body. Blade escapes texts as HTML.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_OVER = "0"


def _add_level(body: objects.Members) -> objects.Members:
    """Add the level: the rule's severity, which LibreNMS also sends for a resolved alert. Then the level is empty."""
    over = objects.scalar(body.get("state")) == _OVER
    return {**body, "level": "" if over else body.get("severity")}


PRESET = preset.Preset(
    mapping={
        "title": "title || rule",
        # 1 is new, 2 acknowledged, 3 worse, 4 better, 5 changed.
        "status": {"path": "state", "firing": ["1", "2", "3", "4", "5"], "resolved": [_OVER]},
        # Constant for each alert of a rule on a device; $id and $uid change with each message.
        "fingerprint": "alert_id",
        "severity": "level",
        "labels": {
            "host": "hostname",
            "rule": "rule",
            "sysname": "sysname",
            "location": "location",
            "os": "os",
            "type": "type",
            "ip": "ip",
        },
        # LibreNMS's times are local and have no zone, so they can't order messages.
        "annotations": {"timestamp": "timestamp", "elapsed": "elapsed", "state": "state"},
        "link": "link",
    },
    placeholder=r"\{\{ ?\$\w+ ?\}\}",
    escaped=True,
    shape=_add_level,
)


class Config(preset.Config):
    """A LibreNMS that posts to us."""

    kind: Literal["librenms"] = "librenms"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, 'LibreNMS, alert transport "API"')
