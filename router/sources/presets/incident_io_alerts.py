"""incident.io's alert events as an inbound format, so that their senders can post to the router instead.

The responses are incident.io's. Alertmanager's incident.io receiver posts to the same URL, but sends its own groups of
alerts.
"""

import dataclasses
from collections.abc import Mapping
from typing import ClassVar, Literal

import msgspec

from router.domain.times import Timestamp
from router.sources import alertmanager, base, objects
from router.sources.presets import preset

_RECEIVER_VERSION = "1"


def _add_key(body: objects.Members) -> objects.Members:
    """Add the key. As at incident.io, different events without a key are separate alerts.

    The title is part of the key, because several alerts may have the same metadata. A repetition of the same event is
    the same alert.
    """
    key, title = objects.scalar(body.get("deduplication_key")), objects.scalar(body.get("title"))
    metadata = sorted(objects.texts(objects.optional(body.get("metadata"))).items())
    return {**body, "key": key or (objects.digest(title, metadata) if title else "")}


PRESET = preset.Preset(
    mapping={
        "title": "title",
        "status": {"path": "status"},
        "fingerprint": "key",
        "severity": "metadata.severity || metadata.priority",
        "labels": {"*": "metadata"},
        "annotations": {"description": "description"},
        "link": "source_url",
    },
    shape=_add_key,
)


class Config(preset.Config):
    """A client of incident.io's alert events that posts to us."""

    kind: Literal["incident-io-alerts"] = "incident-io-alerts"
    sender: ClassVar[preset.Preset] = PRESET


class _Group(msgspec.Struct):
    """The members that distinguish an Alertmanager group from an alert event."""

    alerts: list[msgspec.Raw] | msgspec.UnsetType = msgspec.UNSET


_decode_group = msgspec.json.Decoder(_Group).decode


class Source(preset.Source):
    """Reads alert events, and the groups of Alertmanager's incident.io receiver."""

    def __init__(self, name: str, config: preset.Config) -> None:
        super().__init__(name, config)
        self._groups = alertmanager.Alertmanager(name, _RECEIVER_VERSION)

    def parse(
        self, body: bytes, headers: Mapping[bytes, bytes], now: Timestamp, max_alerts: int = base.MAX_ALERTS
    ) -> base.Parsed:
        """Turn an event or a group into alerts. Raises ``base.Unparsable`` if the body is neither."""
        parse = self._groups.parse if _is_group(body) else super().parse
        return parse(body, headers, now, max_alerts)


def _is_group(body: bytes) -> bool:
    try:
        return _decode_group(body).alerts is not msgspec.UNSET
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False


def answer(parsed: base.Parsed, _delivery: str) -> Mapping[str, str]:
    """Make the response, from which the sender's client takes the key to resolve the alert later."""
    key = parsed.alerts[0].fingerprint if parsed.alerts else ""
    return {"status": "success", "message": "Event accepted for processing", "deduplication_key": key}


# Like incident.io, answer 422 to an invalid event, so that the client can report it.
KIND = dataclasses.replace(
    preset.kind(Config, "incident.io's alert events, as its HTTP sources take them", 422, answer), make=Source
)
