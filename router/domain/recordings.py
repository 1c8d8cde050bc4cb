"""Recorded deliveries in a file, one JSON object per line, with alerts in the normal form, for replays elsewhere."""

import msgspec

from router.domain import alerts, deliveries
from router.domain.times import Timestamp
from router.domain.undecodable import Undecodable


class _Written(msgspec.Struct, frozen=True):
    """An alert as an object with named fields, for people and other programs."""

    fingerprint: str
    status: alerts.Status
    starts_at: Timestamp
    ends_at: Timestamp = Timestamp(0)
    title: str = ""
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    severity: str = ""
    link: str = ""


class _Line(msgspec.Struct, frozen=True):
    id: str
    source: str
    received_at: Timestamp
    alerts: list[_Written]


class Recording(msgspec.Struct, frozen=True):
    """One recorded delivery: ``received_at`` is microseconds since the epoch."""

    id: str
    source: str
    received_at: Timestamp
    alerts: list[alerts.Alert]


_decode = msgspec.json.Decoder(_Line).decode
_encode = msgspec.json.Encoder().encode


def from_delivery(delivery: deliveries.Delivery) -> Recording:
    """Return the recording of a delivery: its alerts, without their decisions."""
    return Recording(delivery.id, delivery.source, delivery.received_at, [row.alert for row in delivery.rows])


def encode(recording: Recording) -> bytes:
    """Return one line of a file, without its end."""
    return _encode(
        _Line(
            recording.id,
            recording.source,
            recording.received_at,
            [
                _Written(
                    alert.fingerprint,
                    alert.status,
                    alert.starts_at,
                    alert.ends_at,
                    alert.title,
                    alert.labels,
                    alert.annotations,
                    alert.severity,
                    alert.link,
                )
                for alert in recording.alerts
            ],
        )
    )


def decode(line: bytes | memoryview) -> Recording:
    """Parse a line. Raises ``ValueError``, which says what is wrong with it."""
    try:
        read = _decode(line)
    except Undecodable as error:
        raise ValueError(str(error)) from error
    source = read.source
    return Recording(
        read.id,
        source,
        read.received_at,
        [
            alerts.Alert(
                source,
                alert.fingerprint,
                alert.status,
                alert.starts_at,
                alert.ends_at,
                alert.title,
                alert.labels,
                alert.annotations,
                alert.severity,
                alert.link,
            )
            for alert in read.alerts
        ],
    )
