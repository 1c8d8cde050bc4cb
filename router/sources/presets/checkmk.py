"""Checkmk, by a custom notification script: one host or service, on each notification of its state.

The script posts Checkmk's notification variables as a form.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_WELL = {"OK", "UP"}
_WITHOUT_STATE = frozenset(
    {"custom", "downtimestart", "downtimeend", "downtimecancelled", "flappingstart", "flappingstop"}
)


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key. Sites may have hosts with the same name.

    Aliases and problem IDs aren't suitable: aliases are free texts.
    """
    host, service = objects.scalar(body.get("host_name")), objects.scalar(body.get("service_desc"))
    if not host:
        return body
    place = "/".join(filter(None, (objects.scalar(body.get("site")), host)))
    state = objects.scalar(body.get("service_state" if service else "host_state"))
    return {
        **body,
        "key": f"{place}!{service}" if service else place,
        "name": f"{service} on {host}" if service else host,
        "level": "" if state.upper() in _WELL else state,
    }


PRESET = preset.Preset(
    mapping={
        "title": "name",
        "status": {"path": "notification_type", "firing": ["problem", "acknowledgement"], "resolved": ["recovery"]},
        "fingerprint": "key",
        "severity": {"path": "level", "map": {"unknown": "major", "unreachable": "major"}},
        "labels": {
            "host": "host_name",
            "service": "service_desc",
            "site": "site",
            "host_address": "host_address",
            "host_groups": "host_groups",
            "service_groups": "service_groups",
        },
        "annotations": {
            "description": "service_output || host_output",
            "details": "long_output",
            "state": "service_state || host_state",
            "author": "author",
            "comment": "comment",
        },
        "starts_at": "microtime",
        "ends_at": "microtime",
        "link": "link",
    },
    ignored=_WITHOUT_STATE,
    shape=_add_key,
)


class Config(preset.Config):
    """A Checkmk that posts to us."""

    kind: Literal["checkmk"] = "checkmk"
    sender: ClassVar[preset.Preset] = PRESET


# The script fails, and Checkmk shows the error in the history of the notification.
KIND = preset.kind(Config, "Checkmk, notification script", unparsable_status=422)
