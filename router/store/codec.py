"""Encodes documents as MessagePack and decodes them with validation.

A stored delivery has two fields: ``h``, the delivery with its alerts and decisions, and its body as received, in ``b``
or, if it is compressed, in ``z``. A compressed ``h`` begins with the byte C1.
"""

from collections.abc import Mapping, Sequence

import msgspec

from router.domain import asks, deliveries, incidents, publications, timeline
from router.domain.undecodable import Undecodable
from router.store import compression, errors, flat_documents

# The first byte of a compressed delivery. MessagePack never uses it.
_COMPRESSED = b"\xc1"

_encode = msgspec.msgpack.Encoder().encode
_decode_delivery = msgspec.msgpack.Decoder(deliveries.Delivery).decode
_decode_incident = msgspec.msgpack.Decoder(incidents.Incident).decode
_decode_flat_incident = msgspec.msgpack.Decoder(flat_documents.FlatIncident).decode
_decode_events = msgspec.msgpack.Decoder(list[timeline.Event]).decode
_decode_publications = msgspec.msgpack.Decoder(list[publications.Publication]).decode
_decode_flat_publications = msgspec.msgpack.Decoder(list[flat_documents.FlatPublication]).decode


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
    """Encode the delivery of an inbox entry, compressed if it is long."""
    packed = _encode(delivery)
    compressed = compression.compress(packed)
    return _COMPRESSED + compressed if compressed else packed


def delivery_size(data: bytes) -> int:
    """Return the size of an encoded delivery without compression, in bytes."""
    return compression.original_size(data[1:]) if data.startswith(_COMPRESSED) else len(data)


def unpack_delivery(data: bytes) -> deliveries.Delivery:
    """Decode an inbox entry. Raises ``UnreadableDocument`` if a newer version wrote it or it is damaged."""
    try:
        delivery = _decode_delivery(compression.decompress(data[1:]) if data.startswith(_COMPRESSED) else data)
    except (*Undecodable, errors.UnreadableDocument) as error:
        raise errors.UnreadableDocument(f"the entry is not a delivery: {error}") from error
    if delivery.schema != deliveries.SCHEMA:
        raise errors.UnreadableDocument(
            f"the entry has schema {delivery.schema}, this version reads {deliveries.SCHEMA}"
        )
    return delivery


def pack_body(body: bytes) -> tuple[str, bytes]:
    """Return the field in which a body is stored, and its value."""
    compressed = compression.compress(body)
    return ("z", compressed) if compressed else ("b", body)


def body_size(fields: Mapping[bytes, bytes]) -> int:
    """Return the size of the body of a stored delivery without compression, in bytes."""
    compressed = fields.get(b"z")
    return len(fields.get(b"b", b"")) if compressed is None else compression.original_size(compressed)


def unpack_body(fields: Mapping[bytes, bytes]) -> bytes:
    """Return the body of a stored delivery. Raises ``UnreadableDocument`` if it is missing or damaged."""
    if (compressed := fields.get(b"z")) is not None:
        return compression.decompress(compressed)
    try:
        return fields[b"b"]
    except KeyError as error:
        raise errors.UnreadableDocument("the entry has no body") from error


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
    # Most incidents have one ask, with their own response and opening alert. Storing these once saves a third of the
    # bytes.
    if len(incident.asks) != 1:
        return _encode(incident)
    (ask,) = incident.asks
    # `unpack_incident` shares the objects, so identity suffices. Equal copies would only be stored twice.
    if ask.response is not incident.response or ask.alert is not incident.opening_alert:
        return _encode(incident)
    stored = asks.StoredAsk(ask.id, ask.began_at, ask.since, ask.fires, ask.severity, ask.is_joined)
    return _encode(msgspec.structs.replace(incident, asks=(), sole_ask=stored))


def unpack_incident(data: bytes) -> incidents.Incident:
    """Decode an incident document of this version or the previous one. Raises ``UnreadableDocument``."""
    try:
        incident = _decode_incident(data)
    except Undecodable as error:
        incident = _unpack_flat_incident(data, error)
    stored, response, alert = incident.sole_ask, incident.response, incident.opening_alert
    if stored is None:
        return incident
    if response is None or alert is None:
        raise errors.UnreadableDocument(
            "the document is not an incident: it has a request without a response or an alert"
        )
    ask = asks.Ask(
        stored.id, response, alert, stored.began_at, stored.since, stored.fires, stored.severity, stored.is_joined
    )
    return msgspec.structs.replace(incident, asks=(ask,), sole_ask=None)


def _unpack_flat_incident(data: bytes, refusal: Exception) -> incidents.Incident:
    """Decode an incident document of version 4, after reading it as one of this version failed with ``refusal``.

    A worker of the previous version may write such documents until its next heartbeat.
    """
    try:
        return _decode_flat_incident(data).nest()
    except Undecodable:
        raise errors.UnreadableDocument(f"the document is not an incident: {refusal}") from refusal


def pack_publications(documents: list[publications.Publication]) -> bytes:
    """Encode the publications of one incident."""
    return _encode(documents)


def unpack_publications(data: bytes) -> list[publications.Publication]:
    """Decode the publications of one incident, written by this version or the previous one; empty bytes are none.

    Raises ``UnreadableDocument``.
    """
    if not data:
        return []
    try:
        return _decode_publications(data)
    except Undecodable as error:
        return _unpack_flat_publications(data, error)


def _unpack_flat_publications(data: bytes, refusal: Exception) -> list[publications.Publication]:
    """Decode publications of version 4, after reading them as of this version failed with ``refusal``."""
    try:
        return [document.nest() for document in _decode_flat_publications(data)]
    except Undecodable:
        raise errors.UnreadableDocument(f"the document is not a list of publications: {refusal}") from refusal
