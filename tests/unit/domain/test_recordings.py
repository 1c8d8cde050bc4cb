"""Recordings survive a round trip, and an invalid line is reported as such."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import decisions, deliveries, recordings
from router.domain.alerts import Alert

text = st.text(alphabet=st.characters(exclude_categories=["Cs"]))
texts = st.dictionaries(text, text, max_size=3)
alerts = st.builds(
    Alert,
    source=st.just("am"),
    fingerprint=text,
    status=st.sampled_from(["firing", "resolved"]),
    starts_at=st.integers(0, 2**53),
    ends_at=st.integers(0, 2**53),
    title=text,
    labels=texts,
    annotations=texts,
    severity=text,
    link=text,
)


@given(st.lists(alerts, max_size=4))
def test_recording_survives_a_round_trip_in_one_line(given_alerts):
    one = recordings.Recording("d1", "am", 17, given_alerts)
    line = recordings.encode(one)
    assert b"\n" not in line
    assert recordings.decode(line) == one


def test_recording_uses_the_field_names_of_alerts():
    packed = deliveries.pack("d1", "am", 5, [(Alert("am", "f", "firing", 1, 0, "t"), decisions.Decision(ignored="x"))])
    written = json.loads(recordings.encode(recordings.from_delivery(packed)))
    assert written["source"] == "am"
    assert written["received_at"] == 5
    assert written["alerts"][0]["fingerprint"] == "f"
    assert written["alerts"][0]["title"] == "t"


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b'{"id": 5}', b'{"id":"a","source":"b","received_at":"x","alerts":[]}']
)
def test_invalid_recording_is_an_error(line):
    with pytest.raises(ValueError, match=r"."):
        recordings.decode(line)
