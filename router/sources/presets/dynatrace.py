"""Dynatrace's custom integration: one problem, when it opens, changes and closes.

Its body is a template of the user's, in the names that Dynatrace's own example has.
"""

from typing import ClassVar, Literal

from router.sources.presets import preset

# Dynatrace's order: what is unavailable is worst.
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
        # A problem that was merged goes on under another id, with notifications of its own.
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
