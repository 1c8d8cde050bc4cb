"""Uptime Kuma's webhook notification, in both of its encodings: JSON, or JSON in a field of a form.

A heartbeat has the state of its monitor. Messages without one (a test, an expiring certificate) aren't alerts.
"""

from collections.abc import Mapping
from typing import Literal

from router.domain import alerts
from router.domain.times import Timestamp
from router.sources import base, forms, objects, reading, repeated

# 2 is pending, while Uptime Kuma repeats a failed check, and 3 is maintenance.
_STATUSES: dict[str, alerts.Status | None] = {"0": "firing", "1": "resolved", "2": None, "3": None}
# Monitors without a URL keep the form's prefilled text.
_NO_ADDRESS = {"", "https://", "http://"}


class Config(base.Config):
    """An Uptime Kuma that posts to us."""

    kind: Literal["uptime-kuma"] = "uptime-kuma"


def read(delivery: reading.Reading, body: objects.Members) -> base.Parsed:
    """Read the monitor of a notification; none without a heartbeat, or if the monitor is neither up nor down."""
    message = objects.scalar(body.get("msg"))
    if "heartbeat" not in body:
        raise base.Unparsable(
            "heartbeat", "missing: this is not Uptime Kuma's own body; set the preset application/json"
        )
    # Uptime Kuma sends null for its test and for messages about certificates.
    if body["heartbeat"] is None:
        return objects.no_alert("a test, or a message without a heartbeat", message=message)
    heartbeat = objects.members(body["heartbeat"], "heartbeat")
    monitor = objects.optional(body.get("monitor"))
    word = objects.scalar(heartbeat.get("status"))
    if word not in _STATUSES:
        raise base.Unparsable("heartbeat.status", f"{word[:40]!r} is not 0 (down), 1 (up), 2, or 3")
    status = _STATUSES[word]
    if status is None:
        return objects.no_alert("pending, or under maintenance: neither up nor down", message=message)
    key = objects.scalar(monitor.get("id")) or objects.scalar(heartbeat.get("monitorID"))
    at = delivery.moment(heartbeat.get("time"), "heartbeat.time") or delivery.now
    labels = _labels(monitor)
    alert = alerts.Alert(
        delivery.source,
        objects.require_text(key, "monitor.id"),
        status,
        at,
        Timestamp(0 if status == "firing" else at),
        objects.scalar(monitor.get("name")) or message,
        labels,
        objects.texts({"message": heartbeat.get("msg"), "description": monitor.get("description")}),
        labels.get("severity", ""),
        _link(monitor),
    )
    return base.Parsed([alert])


def _unwrap(body: bytes, headers: Mapping[bytes, bytes]) -> objects.Members:
    """Return the object in the body or in a form. The body's first character decides, whatever its content type.

    A form has the object in one field, or each member of the object in a separate field.
    """
    if forms.is_json(body):
        return objects.decode(body)
    fields = forms.fields(body, headers)
    if "data" in fields:
        return objects.decode(fields["data"].encode())
    if "heartbeat" not in fields:
        raise base.Unparsable("", "neither JSON, nor a form with a field data, or with heartbeat and monitor")
    return {
        "msg": fields.get("msg"),
        **{name: _nothing_or_object(fields.get(name, "")) for name in ("heartbeat", "monitor")},
    }


def _nothing_or_object(text: str) -> objects.Members | None:
    return None if text in {"", "null"} else objects.decode(text.encode())


def _labels(monitor: objects.Members) -> dict[str, str]:
    """Return the tags by name, with the values of a repeated tag joined."""
    tags = monitor.get("tags")
    pairs = []
    for item in tags if isinstance(tags, list) else []:
        tag = objects.optional(item)
        pairs.append((objects.scalar(tag.get("name")), objects.scalar(tag.get("value")) or "true"))
    labels = repeated.join_values(pairs)
    keys = {"monitor": "name", "path": "pathName", "type": "type", "hostname": "hostname"}
    return labels | {name: text for name, key in keys.items() if (text := objects.scalar(monitor.get(key)))}


def _link(monitor: objects.Members) -> str:
    address = objects.scalar(monitor.get("url"))
    return "" if address in _NO_ADDRESS else address


KIND = base.Kind(
    name="uptime-kuma",
    config=Config,
    make=lambda name, _config: objects.Source(name, read, _unwrap),
    summary="Uptime Kuma, webhook notification",
    # Uptime Kuma never retries.
    unparsable_status=202,
)
