"""Checkly's webhook alert channel: one check that fails, degrades, or recovers, or whose certificate expires.

The user defines the template of the body. The names are those of Checkly's own example, and texts are HTML-escaped.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_CERTIFICATE = "ALERT_SSL"
_FAILS = {"ALERT_FAILURE", "ALERT_FAILURE_REMAIN", "ALERT_DEGRADED_FAILURE"}
_DEGRADED = {"ALERT_DEGRADED", "ALERT_DEGRADED_REMAIN", "ALERT_FAILURE_DEGRADED"}
_OVER = {"ALERT_RECOVERY", "ALERT_DEGRADED_RECOVERY"}


def _add_level(body: objects.Members) -> objects.Members:
    """Add the level, which only the type indicates, and the key.

    An expiring certificate and a failing check are separate alerts.
    """
    kind = objects.scalar(body.get("alert_type"))
    check = objects.scalar(body.get("check_id")) or objects.scalar(body.get("check_name"))
    level = "critical" if kind in _FAILS else "" if kind in _OVER else "warning"
    return {**body, "level": level, "key": f"certificate/{check}" if check and kind == _CERTIFICATE else check}


PRESET = preset.Preset(
    mapping={
        "title": "check_name",
        "status": {
            "path": "alert_type",
            "firing": sorted({_CERTIFICATE, *_FAILS, *_DEGRADED}),
            "resolved": sorted(_OVER),
        },
        "fingerprint": "key",
        "severity": "level",
        "labels": {
            "*": "tags",
            "check": "check_name",
            "check_id": "check_id",
            "check_type": "check_type",
            "group": "group_name",
        },
        "annotations": {
            "description": "check_error_message",
            "summary": "alert_title || event",
            "alert_type": "alert_type",
            "location": "run_location",
            "response_time_ms": "response_time",
            "status_code": "api_check_response_status_code",
            "certificate_days_left": "ssl_days_remaining",
            "certificate_domain": "ssl_check_domain",
        },
        # A late retry of a failure may arrive after the recovery. Each message has its own time, which orders them.
        "starts_at": "started_at",
        "ends_at": "started_at",
        "link": "link",
    },
    ignored=frozenset({"no_alert"}),
    escaped=True,
    tags="tags",
    shape=_add_level,
)


class Config(preset.Config):
    """A Checkly alert channel that posts to us."""

    kind: Literal["checkly"] = "checkly"
    sender: ClassVar[preset.Preset] = PRESET


# Checkly retries five times after a 4xx, with the same body.
KIND = preset.kind(Config, "Checkly, webhook alert channel")
