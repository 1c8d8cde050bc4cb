"""Splunk Observability Cloud's webhook (formerly SignalFx).

It reports one incident of a detector, when it begins and when it clears.

Splunk itself, whose saved searches never clear, is the kind ``splunk``.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _add_dimensions(body: objects.Members) -> objects.Members:
    """Replace dimensions that aren't an object, which detectors without dimensions send in several forms, by none."""
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
        # Each message has its own time, which retries keep: messages are ordered by that time.
        "starts_at": "timestamp",
        "ends_at": "timestamp",
        "link": "detectorUrl",
    },
    shape=_add_dimensions,
)


class Config(preset.Config):
    """A Splunk Observability Cloud integration that posts to us."""

    kind: Literal["splunk-observability"] = "splunk-observability"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Splunk Observability Cloud, webhook")
