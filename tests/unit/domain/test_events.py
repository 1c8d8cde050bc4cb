"""Event types: each has a topic, a stable ID, and a format that later versions can read."""

import msgspec

from router.domain import events, times


def test_every_event_type_except_test_has_a_topic():
    tags = {kind.__struct_config__.tag for kind in events.TYPES}
    assert tags - {"notifier.test"} == set(events.TOPICS)
    assert events.topic_of(events.TestSent("ann")) is None


def test_event_id_is_stable():
    stored = events.Recorded(0, 1_800_000_000_000_001, "down", "IR-1", events.FreezeEnded("ann"))
    packed = msgspec.msgpack.encode(stored)
    read = [msgspec.structs.replace(msgspec.msgpack.decode(packed, type=events.Recorded), sequence=7) for _ in "ab"]
    assert read[0].id == read[1].id == "IR-1.7.1800000000000001"
    assert read[0].type == "freeze.ended"


def test_event_ids_differ_after_a_sequence_reset():
    """After a restored backup, the sequence restarts lower. A receiver must not discard new events as duplicates."""
    event = events.FreezeEnded("ann")
    first, second = (events.Recorded(7, at, "", "router", event) for at in (1_000_000, 2_000_000))
    assert first.id != second.id


def test_event_times_are_formatted_as_rfc_3339():
    started = events.FreezeStarted(times.to_datetime(1_800_000_000_123_456), "ann")
    assert msgspec.json.decode(msgspec.json.encode(started)) == {
        "type": "freeze.started",
        "since": "2027-01-15T08:00:00.123456Z",
        "by": "ann",
        "reason": "",
    }
