"""Dynatrace's custom integration: one problem, when it opens, changes, and closes.

The user defines the template of the body. The names are those of Dynatrace's own example.
"""

from typing import ClassVar, Literal

from router.sources.presets import preset

# Dynatrace's order: unavailability is the worst.
_SEVERITIES = {
    "availability": "critical",
    "monitoring_unavailable": "major",
    "error": "major",
    "performance": "minor",
    "slowdown": "minor",
    "resource_contention": "minor",
    "resource": "minor",
    "custom_alert": "minor",
    "info": "info",
}

PRESET = preset.Preset(
    mapping={
        "title": "ProblemTitle",
        # A merged problem continues under another ID, with separate notifications.
        "status": {"path": "State", "resolved": ["merged"]},
        "fingerprint": "PID || ProblemID",
        "severity": {"path": "ProblemSeverity", "map": _SEVERITIES},
        "labels": {
            "*": "Tags",
            "problem_severity": "ProblemSeverity",
            "impact": "ProblemImpact",
            "entities": "NamesOfImpactedEntities || ImpactedEntityNames",
        },
        "annotations": {
            "description": "ProblemDetails || ProblemDetailsText",
            "problem": "ProblemID",
            "impacted": "ImpactedEntity",
        },
        "link": "ProblemURL",
    },
    placeholder=r"\{[A-Za-z0-9]+\}",
    tags="Tags",
)


class Config(preset.Config):
    """A Dynatrace problem notification that posts to us."""

    kind: Literal["dynatrace"] = "dynatrace"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Dynatrace, custom integration")
