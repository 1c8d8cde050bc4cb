"""Zabbix, by a custom webhook media type: one event, its recovery, and its updates.

The media type's parameters are the body. Macros that Zabbix could not replace stay unchanged.
"""

from typing import ClassVar, Literal

from router.sources.presets import preset

PRESET = preset.Preset(
    mapping={
        "title": "event_name || trigger_name",
        "status": {"path": "event_value", "firing": ["1"], "resolved": ["0"]},
        # In a recovery, too, this is the ID of the problem's first event.
        "fingerprint": "event_id",
        "severity": "event_severity",
        "labels": {
            "*": "event_tags",
            "host": "host_name || host_host",
            "host_ip": "host_ip",
            "host_groups": "host_groups",
            "trigger_id": "trigger_id",
        },
        "annotations": {
            "description": "trigger_description",
            "operational_data": "event_opdata",
            "severity_number": "event_nseverity",
            "acknowledged": "event_ack_status",
            "update": "update_action",
            "update_message": "update_message",
        },
        "starts_at": "event_timestamp",
        "ends_at": "recovery_timestamp",
        "link": "link || zabbix_url",
    },
    placeholder=r"\{[A-Z$#.0-9]+\}",
    tags="event_tags",
)


class Config(preset.Config):
    """A Zabbix media type that posts to us."""

    kind: Literal["zabbix"] = "zabbix"
    sender: ClassVar[preset.Preset] = PRESET


# The script of the media type shows the error in Zabbix, where an operator can see it.
KIND = preset.kind(Config, "Zabbix, webhook media type", unparsable_status=422)
