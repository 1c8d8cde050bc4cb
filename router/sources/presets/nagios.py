"""Nagios, Naemon, Icinga: a host's or a service's notification, posted by a notification command.

The command's fields are the body, as a form or as JSON. The host and the service identify the alert.
"""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_WELL = {"OK", "UP"}
# Icinga 2 uses other words than Nagios for some types.
_FLAPPING = {"flappingstart", "flappingstop", "flappingdisabled", "flappingend"}
_DOWNTIME = {"downtimestart", "downtimeend", "downtimecancelled", "downtimeremoved"}


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key, the host or the service on it. Problem IDs aren't suitable: they are 0 after the recovery."""
    host, service = objects.scalar(body.get("host_name")), objects.scalar(body.get("service_desc"))
    if not host:
        return body
    state = objects.scalar(body.get("service_state" if service else "host_state"))
    return {
        **body,
        "key": f"{host}!{service}" if service else host,
        "name": f"{service} on {host}" if service else host,
        "level": "" if state.upper() in _WELL else state,
    }


PRESET = preset.Preset(
    mapping={
        "title": "name",
        "status": {"path": "notification_type", "firing": ["problem", "acknowledgement"], "resolved": ["recovery"]},
        "fingerprint": "key",
        # A check with an unknown result, or a host behind one that is down, may be in any condition.
        "severity": {"path": "level", "map": {"unknown": "major", "unreachable": "major"}},
        "labels": {
            "host": "host_name",
            "service": "service_desc",
            "host_address": "host_address",
            "host_groups": "host_groups",
            "service_groups": "service_groups",
        },
        "annotations": {
            "description": "output",
            "details": "long_output",
            "state": "service_state || host_state",
            "attempt": "attempt",
            "author": "author",
            "comment": "comment",
        },
        "starts_at": "timet",
        "ends_at": "timet",
        "link": "link",
    },
    ignored=frozenset({*_FLAPPING, *_DOWNTIME, "custom"}),
    placeholder=r"\$[A-Z0-9]+\$",
    shape=_add_key,
)


class Config(preset.Config):
    """A Nagios, Naemon, or Icinga that posts to the router."""

    kind: Literal["nagios"] = "nagios"
    sender: ClassVar[preset.Preset] = PRESET


# curl prints the 4xx into the log of Nagios, where an operator can see it.
KIND = preset.kind(Config, "Nagios, Naemon and Icinga, notification command", unparsable_status=422)
