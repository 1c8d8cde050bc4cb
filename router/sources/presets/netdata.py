"""Netdata Cloud's webhook: one alert of one node that is raised or cleared, or a node that is unreachable."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_OVER = "clear"


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key.

    An alert's name is that of its rule: the same on all nodes, and for all charts that the rule watches.
    """
    host = objects.scalar(body.get("host") or body.get("node") or body.get("hostname"))
    severity = objects.scalar(body.get("severity")).casefold()
    reachability = objects.optional(body.get("status"))
    if reachability:
        reachable = reachability.get("reachable") is True
        state, level = ("reachable", "") if reachable else ("unreachable", severity)
        return {
            **body,
            "host": host,
            "key": f"node/{host}" if host else "",
            "state": state,
            "level": level,
            "title": f"{host} is {state}" if host else "",
        }
    parts = [objects.scalar(body.get(name)) for name in ("chart", "alert")]
    place = filter(None, (objects.scalar(body.get("space")), host))
    return {
        **body,
        "host": host,
        "key": "/".join((*place, *parts)) if all(parts) else "",
        "state": severity,
        "level": "" if severity == _OVER else severity,
        "title": body.get("alert"),
    }


PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {
            "path": "state",
            "firing": ["warning", "critical", "unreachable"],
            "resolved": [_OVER, "reachable"],
        },
        "fingerprint": "key",
        "severity": "level",
        "labels": {
            "host": "host",
            "alert": "alert",
            "chart": "chart",
            "context": "context",
            "family": "family",
            "class": "class",
            "space": "space",
        },
        "annotations": {"summary": "message", "description": "info", "duration": "duration"},
        "starts_at": "date",
        "ends_at": "date",
        "link": "alert_url || alertURL || url",
    },
    shape=_add_key,
)


class Config(preset.Config):
    """A Netdata Cloud space that posts to us."""

    kind: Literal["netdata"] = "netdata"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Netdata Cloud, webhook")
