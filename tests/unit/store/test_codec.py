"""Documents survive encoding and decoding. Damaged documents are refused."""

import msgspec
import pytest

from router.domain import alerts, decisions, fold, incidents, severities
from router.store import codec, errors

NOW = 1_700_000_000_000_000
MARK = "a title that is in the response"


def response(rule: str) -> decisions.Response:
    return decisions.Response(rule, f"f:{rule}", "v1", (decisions.Target(rule, {"title": MARK}),))


def folded(*rules: str) -> incidents.Incident:
    one = incidents.Incident(key="k")
    for name in rules:
        fired = alerts.Alert("am", name, "firing", NOW - 1, 0, title="down")
        decided = decisions.Decision("k", severities.Severity.MINOR, response(name))
        one = fold.fold(one, [decisions.Routed(fired, decided, NOW)], now=NOW, episode="e")
    return one


@pytest.mark.parametrize("rules", [(), ("a",), ("a", "b")])
def test_an_incident_is_read_as_it_was_written(rules):
    one = folded(*rules)
    assert len(one.asks) == len(rules)
    assert codec.unpack_incident(codec.pack_incident(one)) == one


def test_a_sole_ask_repeats_neither_response_nor_alert():
    packed = codec.pack_incident(folded("a"))
    assert packed.count(MARK.encode()) == 1
    assert packed.count(b"down") == 1


def test_ask_that_differs_from_the_incident_is_complete():
    one = folded("a")
    (ask,) = one.asks
    other = msgspec.structs.replace(one, asks=(msgspec.structs.replace(ask, response=response("b")),))
    assert codec.unpack_incident(codec.pack_incident(other)) == other


def test_a_sole_ask_without_a_response_is_refused():
    document = msgspec.msgpack.decode(codec.pack_incident(folded("a")))
    del document["response"]
    with pytest.raises(errors.UnreadableDocument, match="an ask without a response"):
        codec.unpack_incident(msgspec.msgpack.encode(document))


@pytest.mark.parametrize(
    "unpack", [codec.unpack_incident, codec.unpack_publications, codec.unpack_delivery, codec.unpack_events]
)
@pytest.mark.parametrize("data", [b"\xa1\xff", b"\xc1", b"\x91" * 100_000], ids=["not UTF-8", "no type", "too deep"])
def test_damaged_documents_are_refused(unpack, data):
    with pytest.raises(errors.UnreadableDocument):
        unpack(data)
