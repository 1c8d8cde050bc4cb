"""Documents survive encoding and decoding. Damaged documents are refused."""

import msgspec
import pytest

from router.domain import alerts, decisions, deliveries, fold, incidents, severities
from router.store import codec, errors

NOW = 1_700_000_000_000_000
MARK = "a title that is in the response"


def response(rule: str) -> decisions.Response:
    return decisions.Response(rule, f"f:{rule}", "v1", (decisions.Target(rule, {"title": MARK}),))


def make_incident(*rules: str) -> incidents.Incident:
    incident = incidents.Incident(key="k")
    for name in rules:
        fired = alerts.Alert("am", name, "firing", NOW - 1, 0, title="down")
        decided = decisions.Decision("k", severities.Severity.MINOR, response(name))
        incident = fold.fold(incident, [decisions.Routed(fired, decided, NOW)], now=NOW, episode="e")
    return incident


@pytest.mark.parametrize("rules", [(), ("a",), ("a", "b")])
def test_incident_survives_a_round_trip(rules):
    incident = make_incident(*rules)
    assert len(incident.asks) == len(rules)
    assert codec.unpack_incident(codec.pack_incident(incident)) == incident


def test_single_ask_stores_response_and_alert_once():
    packed = codec.pack_incident(make_incident("a"))
    assert packed.count(MARK.encode()) == 1
    assert packed.count(b"down") == 1


def test_ask_that_differs_from_incident_is_stored_completely():
    incident = make_incident("a")
    (ask,) = incident.asks
    other = msgspec.structs.replace(incident, asks=(msgspec.structs.replace(ask, response=response("b")),))
    assert codec.unpack_incident(codec.pack_incident(other)) == other


def test_single_ask_without_a_response_is_refused():
    document = msgspec.msgpack.decode(codec.pack_incident(make_incident("a")))
    del document["response"]
    with pytest.raises(errors.UnreadableDocument, match="a request without a response"):
        codec.unpack_incident(msgspec.msgpack.encode(document))


@pytest.mark.parametrize(
    "unpack", [codec.unpack_incident, codec.unpack_publications, codec.unpack_delivery, codec.unpack_events]
)
@pytest.mark.parametrize("data", [b"\xa1\xff", b"\xc1", b"\x91" * 100_000], ids=["not UTF-8", "no type", "too deep"])
def test_damaged_documents_are_refused(unpack, data):
    with pytest.raises(errors.UnreadableDocument):
        unpack(data)


def pack_delivery(count: int) -> deliveries.Delivery:
    found = [alerts.Alert("am", f"a{number}", "firing", NOW, 0, labels={"host": "db-1"}) for number in range(count)]
    decided = decisions.Decision("k", severities.Severity.MINOR, response("a"))
    return deliveries.pack("d1", "am", NOW, [(alert, decided) for alert in found])


@pytest.mark.parametrize("count", [0, 1, 100])
def test_delivery_survives_a_round_trip(count):
    one = pack_delivery(count)
    packed = codec.pack_delivery(one)
    assert codec.unpack_delivery(packed) == one
    assert codec.delivery_size(packed) == len(msgspec.msgpack.encode(one))


def test_long_delivery_is_compressed():
    assert len(codec.pack_delivery(pack_delivery(100))) < len(msgspec.msgpack.encode(pack_delivery(100))) // 3


def test_uncompressed_deliveries_of_earlier_versions_are_read():
    assert codec.unpack_delivery(msgspec.msgpack.encode(pack_delivery(100))) == pack_delivery(100)
    assert codec.unpack_body({b"h": b"", b"b": b"body " * 1000}) == b"body " * 1000


def test_damaged_compressed_delivery_is_refused():
    packed = codec.pack_delivery(pack_delivery(100))
    for damaged in (packed[:-1], packed[:5], packed[:1] + b"\xff" * 20):
        with pytest.raises(errors.UnreadableDocument):
            codec.unpack_delivery(damaged)


@pytest.mark.parametrize("body", [b"", b"short", b"long " * 1000, b"\xc1" * 5000])
def test_body_survives_a_round_trip(body):
    field, stored = codec.pack_body(body)
    assert len(stored) <= len(body)
    assert codec.unpack_body({field.encode(): stored}) == body
    assert codec.body_size({field.encode(): stored}) == len(body)


@pytest.mark.parametrize("fields", [{}, {b"z": b""}, {b"z": b"\xff\xff\xff\x7fabc"}])
def test_missing_or_damaged_body_is_refused(fields):
    with pytest.raises(errors.UnreadableDocument):
        codec.unpack_body(fields)
