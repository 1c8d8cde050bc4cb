"""Alert events as incident.io takes them over HTTP, so that whatever posts there can point here instead.

What its clients are answered is what incident.io would answer them.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from router.sources import base
from router.sources.presets import preset

PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {"path": "status"},
        "fingerprint": "deduplication_key",
        "severity": "metadata.severity || metadata.priority",
        "labels": {"*": "metadata"},
        "annotations": {"description": "description"},
        "link": "source_url",
    },
)


class Config(preset.Config):
    """A client of incident.io's alert events that posts to us."""

    kind: Literal["incident-io-alerts"] = "incident-io-alerts"
    sender: ClassVar[preset.Preset] = PRESET


def answer(parsed: base.Parsed, _delivery: str) -> Mapping[str, str]:
    """The body that such a client looks into for the key with which it may resolve the alert later."""
    key = parsed.alerts[0].fingerprint if parsed.alerts else ""
    return {"status": "success", "message": "Event accepted for processing", "deduplication_key": key}


# The client has made a mistake, and can be told; incident.io answers the same.
KIND = preset.kind(Config, "incident.io's alert events, as its HTTP sources take them", 422, answer)
