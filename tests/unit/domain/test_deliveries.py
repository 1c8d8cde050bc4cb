"""A delivery survives serialization with its alerts and their decisions."""

import msgspec

from router.domain import alerts, decisions, deliveries, publications, severities


def subject(fingerprint: str) -> alerts.Alert:
    return alerts.Alert("am", fingerprint, "firing", 1, 0, labels={"a": "b"})


RESPONSE = decisions.Response("r", "a.yaml:1", "v", (decisions.Target("x", {"title": "t"}, "auto"),))
ROUTED = decisions.Decision("key", severities.Severity.MAJOR, RESPONSE)
IGNORED = decisions.Decision(ignored="no rule matched")


def test_shared_response_is_stored_once():
    packed = deliveries.pack("d", "am", 5, [(subject("1"), ROUTED), (subject("2"), ROUTED)])
    assert packed.responses == [RESPONSE]
    assert [row.response for row in packed.rows] == [0, 0]


def test_ignored_alert_keeps_its_reason_without_being_folded():
    packed = deliveries.pack("d", "am", 5, [(subject("1"), IGNORED), (subject("2"), ROUTED)])
    assert packed.rows[0].ignored == "no rule matched"
    assert [routed.alert.fingerprint for routed in deliveries.unpack(packed)] == ["2"]


def test_end_of_an_ignored_alert_is_folded():
    end = msgspec.structs.replace(subject("1"), status="resolved", ends_at=9)
    (routed,) = deliveries.unpack(deliveries.pack("d", "am", 5, [(end, IGNORED)]))
    assert routed.decision == IGNORED


def test_decision_is_unchanged_by_serialization():
    packed = deliveries.pack("d", "am", 5, [(subject("1"), ROUTED)])
    data = msgspec.msgpack.encode(packed)
    read = msgspec.msgpack.decode(data, type=deliveries.Delivery)
    assert deliveries.unpack(read) == [decisions.Routed(subject("1"), ROUTED, received_at=5)]


def test_content_digest_is_independent_of_field_order():
    one = publications.Content(severities.Severity.MAJOR, {"a": "1", "b": {"c": 1, "d": 2}})
    two = publications.Content(severities.Severity.MAJOR, {"b": {"d": 2, "c": 1}, "a": "1"})
    assert one.digest == two.digest


def test_content_digest_depends_on_severity_and_text():
    base = publications.Content(severities.Severity.MAJOR, {"a": "1"})
    assert base.digest != publications.Content(severities.Severity.CRITICAL, {"a": "1"}).digest
    assert base.digest != publications.Content(severities.Severity.MAJOR, {"a": "2"}).digest


def test_severities_are_ordered_and_named():
    assert (
        severities.Severity.INFO < severities.Severity.MINOR < severities.Severity.MAJOR < severities.Severity.CRITICAL
    )
    assert severities.parse("critical").word == "critical"


MUTED = msgspec.structs.replace(
    ROUTED, while_open=("other",), mute_windows=((10, 20, "night"),), inhibits=('inhibit:r{labels.region="eu"}',)
)


def test_mute_windows_and_inhibition_keys_are_serialized():
    data = msgspec.msgpack.encode(deliveries.pack("d", "am", 5, [(subject("1"), MUTED)]))
    assert deliveries.unpack(msgspec.msgpack.decode(data, type=deliveries.Delivery)) == [
        decisions.Routed(subject("1"), MUTED, received_at=5)
    ]


def test_delivery_of_an_older_version_is_readable():
    """Fields added since that version have their defaults."""
    (row,) = deliveries.pack("d", "am", 5, [(subject("1"), ROUTED)]).rows
    older = msgspec.to_builtins(row)[:6]
    assert msgspec.convert(older, deliveries.Row).decision([RESPONSE]) == ROUTED


def test_ignored_alert_that_inhibits_others_is_folded():
    ignored = msgspec.structs.replace(IGNORED, inhibits=("inhibit:r",))
    (routed,) = deliveries.unpack(deliveries.pack("d", "am", 5, [(subject("1"), ignored), (subject("2"), IGNORED)]))
    assert routed.decision == ignored
