"""Splunk Observability Cloud's webhook (once SignalFx): one incident of a detector, when it begins and when it clears.

Splunk itself, whose saved searches never clear anything, is the kind ``splunk``.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _with_dimensions(body: objects.Members) -> objects.Members:
    """Detectors without dimensions have none to send, in whatever way that is written."""
    return {**body, "dimensions": objects.optional(body.get("dimensions"))}


PRESET = preset.Preset(
    mapping={
        "title": "messageTitle || rule || detector",
        "status": {
            "path": "status",
            "firing": ["anomalous"],
            "resolved": ["ok", "manually resolved", "stopped"],
        },
        "fingerprint": "incidentId",
        "severity": "severity",
        "labels": {
            "*": "dimensions",
            "detector": "detector",
            "rule": "rule",
            "metric": "originatingMetric",
        },
        "annotations": {
            "description": "messageBody || description",
            "condition": "detectOnCondition",
            "status": "statusExtended",
            "tip": "tip",
            "runbook": "runbookUrl",
            "image": "imageUrl",
        },
        # Each message has its own time, and a repeated one the same: they are in order as they happened.
        "starts_at": "timestamp",
        "ends_at": "timestamp",
        "link": "detectorUrl",
    },
    shape=_with_dimensions,
)


class Config(preset.Config):
    """A Splunk Observability Cloud integration that posts to us."""

    kind: Literal["splunk-observability"] = "splunk-observability"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Splunk Observability Cloud, webhook")
