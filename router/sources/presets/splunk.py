"""Splunk's alert action "webhook": the first row of a saved search's result.

A search never reports a resolution. A row may, by fields that the search adds: `alert_key` and `alert_status`.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_ORIGIN = ("host", "source", "sourcetype", "index")


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key: the row's `alert_key`, or else the search. A search ID isn't suitable: it changes with each run.

    A search without a name is identified by the columns of its result, and by their origin. Other values change with
    each run.
    """
    row = objects.optional(body.get("result"))
    app, owner, name = (objects.scalar(body.get(field)) for field in ("app", "owner", "search_name"))
    key = objects.scalar(row.get("alert_key"))
    if not key and name:
        key = "/".join([app, owner, name])
    if not key and row:
        key = objects.digest(app, owner, sorted(row), [objects.scalar(row.get(field)) for field in _ORIGIN])
    return {**body, "key": key or objects.scalar(body.get("sid"))}


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
    shape=_add_key,
)


class Config(preset.Config):
    """A Splunk alert that posts to us."""

    kind: Literal["splunk"] = "splunk"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Splunk, alert action webhook")
