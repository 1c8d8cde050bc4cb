"""Splunk's alert action "webhook": the first row of what a saved search found.

A search never says that it is over. A row may: by fields that the search makes, `alert_key` and `alert_status`.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset


def _with_a_key(body: objects.Members) -> objects.Members:
    """The id of a search is new with each run: what it is about is the search itself, or what its row names."""
    row = objects.optional(body.get("result"))
    named = objects.scalar(row.get("alert_key"))
    search = [objects.scalar(body.get(name)) for name in ("app", "owner", "search_name")]
    return {**body, "key": named or ("/".join(search) if any(search) else "")}


PRESET = preset.Preset(
    mapping={
        "title": "result.alert_title || search_name || sid",
        "status": {"path": "result.alert_status", "otherwise": "firing"},
        "fingerprint": "key",
        "severity": "result.alert_severity || result.severity",
        "labels": {
            "search": "search_name",
            "app": "app",
            "owner": "owner",
            "host": "result.host",
            "source": "result.source",
            "sourcetype": "result.sourcetype",
            "index": "result.index",
        },
        "annotations": {"description": "result.alert_description || result._raw", "sid": "sid"},
        "link": "results_link",
    },
    shape=_with_a_key,
)


class Config(preset.Config):
    """A Splunk alert that posts to us."""

    kind: Literal["splunk"] = "splunk"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Splunk, alert action webhook")
