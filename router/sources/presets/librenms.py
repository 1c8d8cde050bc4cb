"""LibreNMS's alert transport "API": one alert rule that is broken on one device, or holds again.

Its body is a template of the user's; Blade writes texts as HTML.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_OVER = "0"


def _with_a_level(body: objects.Members) -> objects.Members:
    """The severity is that of the rule, also when the alert is over."""
    over = objects.scalar(body.get("state")) == _OVER
    return {**body, "level": "" if over else body.get("severity")}


PRESET = preset.Preset(
    mapping={
        "title": "title || rule",
        # 1 is new, 2 acknowledged, 3 worse, 4 better, 5 changed.
        "status": {"path": "state", "firing": ["1", "2", "3", "4", "5"], "resolved": [_OVER]},
        # The same for each alert of a rule on a device; $id and $uid are new with each change.
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
        # LibreNMS's times are local and name no zone, so they put nothing in order.
        "annotations": {"timestamp": "timestamp", "elapsed": "elapsed", "state": "state"},
        "link": "link",
    },
    placeholder=r"\{\{ ?\$\w+ ?\}\}",
    escaped=True,
    shape=_with_a_level,
)


class Config(preset.Config):
    """A LibreNMS that posts to us."""

    kind: Literal["librenms"] = "librenms"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, 'LibreNMS, alert transport "API"')
