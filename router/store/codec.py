"""Encodes documents as MessagePack and decodes them with validation."""

from collections.abc import Sequence

import msgspec

from router.domain import asks, deliveries, incidents, publications, timeline
from router.domain.undecodable import Undecodable
from router.store import errors

_encode = msgspec.msgpack.Encoder().encode
_decode_delivery = msgspec.msgpack.Decoder(deliveries.Delivery).decode
_decode_incident = msgspec.msgpack.Decoder(incidents.Incident).decode
_decode_events = msgspec.msgpack.Decoder(list[timeline.Event]).decode
_decode_publications = msgspec.msgpack.Decoder(list[publications.Publication]).decode


def pack_arguments(arguments: Sequence[str | int]) -> bytes:
    """Pack many script arguments into one, which the script reads with ``cmsgpack.unpack``. Single arguments are slow.

    Bytes aren't possible: the servers' ``cmsgpack`` predates MessagePack's binary type.
    """
    return _encode(arguments)


def parse_integer(data: bytes) -> int:
    """Parse an integer. Raises ``UnreadableDocument``."""
    try:
        return int(data)
    except ValueError as error:
        raise errors.UnreadableDocument(f"{data[:40]!r} is no number") from error


def pack_delivery(delivery: deliveries.Delivery) -> bytes:
    """Encode the delivery of an inbox entry; the body is stored beside it."""
    return _encode(delivery)


def unpack_delivery(data: bytes) -> deliveries.Delivery:
    """Decode an inbox entry. Raises ``UnreadableDocument`` if a newer version wrote it or it is damaged."""
    try:
        delivery = _decode_delivery(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the entry is not a delivery: {error}") from error
    if delivery.schema != deliveries.SCHEMA:
        raise errors.UnreadableDocument(
            f"the entry has schema {delivery.schema}, this version reads {deliveries.SCHEMA}"
        )
    return delivery


def pack_events(events: Sequence[timeline.Event]) -> bytes:
    """Encode the timeline events of one change; empty bytes if there are none."""
    return _encode(events) if events else b""


def unpack_events(data: bytes) -> list[timeline.Event]:
    """Decode the timeline events of one change. Raises ``UnreadableDocument``."""
    try:
        return _decode_events(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the entry is not of a timeline: {error}") from error


def pack_incident(incident: incidents.Incident) -> bytes:
    """Encode an incident document. A response or an alert that is referred to once is stored once."""
    if len(incident.asks) != 1:
        return _encode(incident)
    (ask,) = incident.asks
    if ask.response is not incident.response or ask.alert is not incident.opening_alert:
        return _encode(incident)
    stored = asks.StoredAsk(ask.id, ask.began_at, ask.since, ask.fires, ask.severity, ask.is_joined)
    return _encode(msgspec.structs.replace(incident, asks=(), sole_ask=stored))


def unpack_incident(data: bytes) -> incidents.Incident:
    """Decode an incident document. Raises ``UnreadableDocument``."""
    try:
        incident = _decode_incident(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the document is not an incident: {error}") from error
    stored, response, alert = incident.sole_ask, incident.response, incident.opening_alert
    if stored is None:
        return incident
    if response is None or alert is None:
        raise errors.UnreadableDocument("the document is not an incident: it has an ask without a response or an alert")
    ask = asks.Ask(
        stored.id, response, alert, stored.began_at, stored.since, stored.fires, stored.severity, stored.is_joined
    )
    return msgspec.structs.replace(incident, asks=(ask,), sole_ask=None)


def pack_publications(documents: list[publications.Publication]) -> bytes:
    """Encode the publications of one incident."""
    return _encode(documents)


def unpack_publications(data: bytes) -> list[publications.Publication]:
    """Decode the publications of one incident; empty bytes are none. Raises ``UnreadableDocument``."""
    if not data:
        return []
    try:
        return _decode_publications(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the document is not a list of publications: {error}") from error
