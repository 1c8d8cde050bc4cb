"""How documents stand in the store: MessagePack, typed on the way in and out."""

from collections.abc import Sequence

import msgspec

from router.domain import asks as asking
from router.domain import delivery as deliveries
from router.domain import incident as incidents
from router.domain import publication as publications
from router.domain import timeline
from router.domain.undecodable import Undecodable
from router.store import errors

_encode = msgspec.msgpack.Encoder().encode
_decode_delivery = msgspec.msgpack.Decoder(deliveries.Delivery).decode
_decode_incident = msgspec.msgpack.Decoder(incidents.Incident).decode
_decode_events = msgspec.msgpack.Decoder(list[timeline.Event]).decode
_decode_publications = msgspec.msgpack.Decoder(list[publications.Publication]).decode


def pack_arguments(arguments: Sequence[str | int]) -> bytes:
    """Pack many arguments of a script into one, which it reads with ``cmsgpack.unpack``: one by one they are dear.

    Bytes cannot be among them: the servers' ``cmsgpack`` is older than MessagePack's type for them.
    """
    return _encode(arguments)


def parse_integer(data: bytes) -> int:
    """Read a whole number; ``Unreadable`` where it is none."""
    try:
        return int(data)
    except ValueError as error:
        raise errors.UnreadableDocument(f"{data[:40]!r} is no number") from error


def pack_delivery(delivery: deliveries.Delivery) -> bytes:
    """Pack what an inbox entry says of its body."""
    return _encode(delivery)


def unpack_delivery(data: bytes) -> deliveries.Delivery:
    """Read an inbox entry; ``Unreadable`` where it was written by a newer version or is damaged."""
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
    """Pack what is told of one change; nothing for nothing."""
    return _encode(events) if events else b""


def unpack_events(data: bytes) -> list[timeline.Event]:
    """Read what was told of one change; ``Unreadable`` where it is damaged."""
    try:
        return _decode_events(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the entry is not of a timeline: {error}") from error


def pack_incident(incident: incidents.Incident) -> bytes:
    """Pack an incident's document. The response and the alert of a sole ask are written once."""
    if len(incident.asks) != 1:
        return _encode(incident)
    (ask,) = incident.asks
    if ask.response is not incident.response or ask.alert is not incident.opening_alert:
        return _encode(incident)
    stored = asking.StoredAsk(ask.id, ask.began_at, ask.since, ask.fires, ask.severity, ask.is_joined)
    return _encode(msgspec.structs.replace(incident, asks=(), sole_ask=stored))


def unpack_incident(data: bytes) -> incidents.Incident:
    """Read an incident's document; ``Unreadable`` where it is damaged."""
    try:
        incident = _decode_incident(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the document is not an incident: {error}") from error
    stored, response, alert = incident.sole_ask, incident.response, incident.opening_alert
    if stored is None:
        return incident
    if response is None or alert is None:
        raise errors.UnreadableDocument("the document is not an incident: it has an ask without a response or an alert")
    ask = asking.Ask(
        stored.id, response, alert, stored.began_at, stored.since, stored.fires, stored.severity, stored.is_joined
    )
    return msgspec.structs.replace(incident, asks=(ask,), sole_ask=None)


def pack_publications(documents: list[publications.Publication]) -> bytes:
    """Pack the publications of one incident."""
    return _encode(documents)


def unpack_publications(data: bytes) -> list[publications.Publication]:
    """Read the publications of one incident; empty bytes are none; ``Unreadable`` where they are damaged."""
    if not data:
        return []
    try:
        return _decode_publications(data)
    except Undecodable as error:
        raise errors.UnreadableDocument(f"the document is not a list of publications: {error}") from error
