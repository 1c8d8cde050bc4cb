"""UptimeRobot's webhook alert contact: one monitor that is down, up again, or whose certificate expires.

The user defines the template of the body. UptimeRobot's own parameter names are accepted as well.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_CERTIFICATE = "3"


_MONITOR = ("monitor_id", "monitorID", "monitor_url", "monitorURL", "monitor_name", "monitorFriendlyName")


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key. An expiring certificate is another alert than a monitor that is down, and isn't resolved by it."""
    monitor = next(filter(None, (objects.scalar(body.get(name)) for name in _MONITOR)), "")
    certificate = objects.scalar(body.get("alert_type") or body.get("alertType")) == _CERTIFICATE
    return {**body, "key": f"certificate/{monitor}" if certificate and monitor else monitor}


PRESET = preset.Preset(
    mapping={
        "title": "monitor_name || monitorFriendlyName || monitor_url || monitorURL",
        "status": {"path": "alert_type || alertType", "firing": ["1", "3"], "resolved": ["2"]},
        "fingerprint": "key",
        "labels": {
            "monitor": "monitor_name || monitorFriendlyName",
            "url": "monitor_url || monitorURL",
        },
        "annotations": {
            "event": "alert_type_name || alertTypeFriendlyName",
            "description": "alert_details || alertDetails",
            "duration_seconds": "alert_duration || alertDuration",
            "certificate_ends": "ssl_expiry_date || sslExpiryDate",
            "certificate_days_left": "ssl_expiry_days_left || sslExpiryDaysLeft",
        },
        "starts_at": "alert_datetime || alertDateTime",
        "ends_at": "alert_datetime || alertDateTime",
        "link": "monitor_url || monitorURL",
    },
    placeholder=r"\*[A-Za-z]+\*",
    escaped=True,
    shape=_add_key,
)


class Config(preset.Config):
    """An UptimeRobot alert contact that posts to us."""

    kind: Literal["uptimerobot"] = "uptimerobot"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "UptimeRobot, webhook alert contact")
