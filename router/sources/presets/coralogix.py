"""Coralogix's generic webhook: one alert, or one group of an alert, that is triggered or resolved.

The user defines the template of the body. The names are those of Coralogix's default template.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key and the labels. An alert's ID changes with each version; its unique identifier doesn't.

    An alert that notifies by group is triggered and resolved separately for each group.
    """
    fields = body.get("fields")
    values = {
        objects.scalar(field.get("key")): objects.scalar(field.get("value"))
        for field in map(objects.optional, fields if isinstance(fields, list) else [])
    }
    labels = {name: value for name, value in values.items() if name and value and not value.startswith("$")}
    alert = objects.scalar(body.get("unique_identifier") or body.get("alert_id"))
    group = objects.scalar(body.get("group_by_labels")).strip()
    severity = objects.scalar(body.get("priority") or labels.get("priority") or labels.get("severity"))
    return {
        **body,
        "key": f"{alert}/{group}" if alert and group else alert,
        "labels": {name: labels[name] for name in labels if name not in {"priority", "severity", "timestamp"}},
        "level": severity,
        "at": body.get("timestamp") or labels.get("timestamp"),
    }


PRESET = preset.Preset(
    mapping={
        "title": "name",
        "status": {"path": "alert_action", "firing": ["trigger"], "resolved": ["resolve"]},
        "fingerprint": "key",
        "severity": "level",
        "labels": {
            "*": "labels",
            "application": "application || labels.application",
            "subsystem": "subsystem || labels.subsystem",
            "team": "team || labels.team",
            "group": "group_by_labels",
        },
        "annotations": {"description": "description", "threshold": "threshold", "log_url": "log_url"},
        "starts_at": "at",
        "ends_at": "at",
        "link": "alert_url",
    },
    placeholder=r"\$[A-Z0-9_]+",
    shape=_add_key,
)


class Config(preset.Config):
    """A Coralogix webhook that posts to us."""

    kind: Literal["coralogix"] = "coralogix"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Coralogix, generic webhook")
