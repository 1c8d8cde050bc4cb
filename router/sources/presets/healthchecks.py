"""Healthchecks.io's webhook integration: one check whose ping is late or has arrived.

The user defines the template of the body. The names are those of Healthchecks.io's placeholders.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset, tags


def _add_tags(body: objects.Members) -> objects.Members:
    """Add the tags as labels. Healthchecks.io separates tags by spaces."""
    return {**body, "tags": tags.labels(objects.scalar(body.get("tags")).split())}


PRESET = preset.Preset(
    mapping={
        "title": "name || code",
        "status": {"path": "status", "firing": ["down"], "resolved": ["up"]},
        # Names may be used twice; the code is unique.
        "fingerprint": "code",
        "labels": {"*": "tags", "check": "name", "check_id": "code"},
        "annotations": {"exit_status": "exit_status", "description": "description"},
        "starts_at": "now",
        "ends_at": "now",
        "link": "link",
    },
    placeholder=r"\$[A-Z0-9_]+",
    shape=_add_tags,
)


class Config(preset.Config):
    """A Healthchecks.io integration that posts to us."""

    kind: Literal["healthchecks"] = "healthchecks"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Healthchecks.io, webhook integration")
