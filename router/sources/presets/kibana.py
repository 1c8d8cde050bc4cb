"""Kibana's webhook connector: one alert of a rule, when it is active and when it has recovered.

The user defines the template of the body, in Mustache.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_OVER = "recovered"


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key, the rule and its group, and the state. An alert's UUID changes each time that it becomes active.

    Each type of rule has its own action groups, but all types use the same group for recovery.
    """
    rule, alert = objects.scalar(body.get("rule_id")), objects.scalar(body.get("alert_id"))
    group = objects.scalar(body.get("action_group")).strip().casefold()
    state = "resolved" if group == _OVER else "firing" if group else ""
    return {**body, "key": f"{rule}/{alert}" if rule and alert else rule, "state": state}


PRESET = preset.Preset(
    mapping={
        "title": "rule_name",
        "status": {"path": "state"},
        "fingerprint": "key",
        "severity": "severity",
        "labels": {"*": "tags", "rule": "rule_name", "alert": "alert_id", "space": "space_id", "type": "rule_type"},
        "annotations": {"description": "reason || message", "action_group": "action_group", "value": "value"},
        "starts_at": "date",
        "ends_at": "date",
        "link": "alert_url || rule_url",
    },
    placeholder=r"\{\{\{?[A-Za-z_.]+\}?\}\}",
    tags="tags",
    shape=_add_key,
)


class Config(preset.Config):
    """A Kibana connector that posts to us."""

    kind: Literal["kibana"] = "kibana"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Kibana and Elastic Observability, webhook connector")
