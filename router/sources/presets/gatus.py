"""Gatus, alerting provider "custom": one endpoint that fails, or is healthy again.

The user defines the template of the body. The names are those of Gatus' placeholders.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key. Names of endpoints are unique only within their group."""
    group, name = objects.scalar(body.get("endpoint_group")), objects.scalar(body.get("endpoint_name"))
    return {**body, "key": f"{group}/{name}" if group and name else name}


PRESET = preset.Preset(
    mapping={
        "title": "endpoint_name",
        "status": {"path": "status", "firing": ["triggered"], "resolved": ["resolved"]},
        "fingerprint": "key",
        "severity": "severity",
        "labels": {"endpoint": "endpoint_name", "group": "endpoint_group"},
        "annotations": {"summary": "description", "description": "errors", "url": "endpoint_url"},
        "link": "link || endpoint_url",
    },
    placeholder=r"\[[A-Z_]+\]",
    shape=_add_key,
)


class Config(preset.Config):
    """A Gatus that posts to us."""

    kind: Literal["gatus"] = "gatus"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, 'Gatus, alerting provider "custom"')
