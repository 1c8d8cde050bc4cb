"""Cloudflare's notifications by webhook: one event of an alert type, and its end if Cloudflare reports one."""

from typing import ClassVar, Literal

from router.sources import objects
from router.sources.presets import preset

_START, _END = "alert_state_event_start", "alert_state_event_end"
_WORDS = ("new_status", "new_health", "incident_status", "status", "health")
_WELL = {"healthy", "tunnel_status_type_healthy", "up", "resolved", "success", "incident_status_resolved"}
# The subjects of an event, the narrowest first: one policy watches many subjects.
_ENTITIES = (
    "health_check_id",
    "origin_id",
    "pool_id",
    "tunnel_id",
    "certificate_pack_id",
    "project_id",
    "script_name",
    "zone_id",
    "zone_name",
    "hostname",
    "incident_id",
)


def _no_alert(body: objects.Members) -> str:
    subject = body.get("alert_type") or body.get("policy_id") or body.get("data")
    return "a test of the webhook" if not subject and "test message" in objects.scalar(body.get("text")) else ""


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key and the state.

    An alert with states has an ID. Any other alert is identified by its policy, its type, and its subject.
    """
    data = objects.optional(body.get("data"))
    entities = (objects.scalar(data.get(name)) for name in _ENTITIES)
    parts = [objects.scalar(body.get(name)) for name in ("policy_id", "alert_type")]
    key = objects.scalar(body.get("alert_correlation_id")) or "/".join(
        filter(None, (*parts, next(filter(None, entities), "")))
    )
    return {**body, "key": key, "state": _state(body, data)}


def _state(body: objects.Members, data: objects.Members) -> str:
    event = objects.scalar(body.get("alert_event")).casefold()
    if event in {_START, _END}:
        return "firing" if event == _START else "resolved"
    words = (objects.scalar(data.get(name)).casefold() for name in _WORDS)
    word = next(filter(None, words), "")
    if word in _WELL:
        return "resolved"
    return "firing" if word or body.get("alert_type") or body.get("policy_id") else ""


PRESET = preset.Preset(
    mapping={
        "title": "name || alert_type",
        "status": {"path": "state"},
        "fingerprint": "key",
        "severity": "data.severity",
        "labels": {
            "alert_type": "alert_type",
            "policy": "policy_name",
            "zone": "data.zone_name || data.zone",
            "tunnel": "data.tunnel_name",
            "pool": "data.pool_name",
            "health_check": "data.health_check_name",
            "account_id": "account_id",
        },
        "annotations": {
            "description": "text",
            "reason": "data.reason || data.failure_reason",
            "state": "data.new_status || data.new_health || data.status",
        },
        "starts_at": "ts",
        "ends_at": "ts",
        "link": "data.dashboard_link || data.link",
    },
    no_alert=_no_alert,
    shape=_add_key,
)


class Config(preset.Config):
    """A Cloudflare notification webhook that posts to us."""

    kind: Literal["cloudflare"] = "cloudflare"
    sender: ClassVar[preset.Preset] = PRESET


KIND = preset.kind(Config, "Cloudflare, notifications by webhook")
