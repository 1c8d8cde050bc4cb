"""Documents of schema version 4 are read in full, and version 4 refuses the documents of this version."""

import msgspec
import pytest

from router.domain import (
    acknowledgements,
    alert_states,
    alerts,
    corrections,
    decisions,
    incidents,
    publications,
    reviews,
    severities,
)
from router.store import codec, errors, flat_documents

NOW = 1_700_000_000_000_000
MAJOR = severities.Severity.MAJOR
RESPONSE = decisions.Response("r", "f:1", "v1", (decisions.Target("page"),))
ALERT = alerts.Alert("am", "a", "firing", NOW, 0, title="down")
FIRING = alert_states.AlertState(NOW, False, 0, MAJOR, learned_at=NOW)
RESOLVED = alert_states.AlertState(NOW, True, NOW, MAJOR, learned_at=NOW)
VERDICT = reviews.Verdict("approved", "ann", NOW)
RETRACTION = reviews.Retraction("ann", NOW, "false alarm", "d")
TAKE = reviews.Take("ann", NOW, NOW + 1)
CORRECTION = corrections.Correction("u1", "fixed", "d", "ann", NOW)
ACKNOWLEDGEMENT = acknowledgements.Acknowledgement("ann", NOW, MAJOR)


def unpack(**fields) -> incidents.Incident:
    return codec.unpack_incident(msgspec.msgpack.encode({"key": "k", **fields}))


OLD = dict(  # noqa: C408 - the keys are names
    status="open",
    generation=2,
    episode="e2",
    severity=MAJOR,
    opened_at=1,
    closed_at=2,
    changed_at=3,
    accepted_at=4,
    response=RESPONSE,
    opening_alert=ALERT,
    alerts={"am/a": FIRING},
    verdicts={"page": VERDICT},
    pardons={"e2/page": 5},
    abandoned={"e2/page": 6},
    quiet_since=7,
    follows="e1",
    fires=1,
    heard_since=8,
    tombstones_since=9,
    held_since=10,
    unheld_at=11,
    changes=[12, 13],
    unheld=14,
    beat_at=15,
    expires_at=16,
    trace="00-a-b-01",
    ignored_at=17,
    quiet_after=18,
    monitored_since=19,
    retractions={"e2/page": RETRACTION},
    ended_at=20,
    corrections={"e2/page": CORRECTION},
    acknowledgement=ACKNOWLEDGEMENT,
    takes={"e2/page": TAKE},
)
NEW = incidents.Incident(
    "k",
    "open",
    2,
    "e2",
    MAJOR,
    opened_at=1,
    closed_at=2,
    changed_at=3,
    accepted_at=4,
    ended_at=20,
    response=RESPONSE,
    opening_alert=ALERT,
    alerts={"am/a": FIRING},
    summary=incidents.AlertSummary(1, 8, 16, 9),
    hold=incidents.Hold(10, dropped_at=11),
    quiet=incidents.QuietPeriod(7, 19, 18),
    changes=(12, 13),
    follows="e1",
    overflow_count=14,
    last_heartbeat_at=15,
    ignored_at=17,
    trace="00-a-b-01",
    interventions=incidents.Interventions(
        {"page": VERDICT},
        {"e2/page": 5},
        {"e2/page": 6},
        {"e2/page": RETRACTION},
        {"e2/page": CORRECTION},
        {"e2/page": TAKE},
        ACKNOWLEDGEMENT,
    ),
)


def test_every_part_of_old_document_is_read():
    assert unpack(**OLD) == NEW


def test_absent_fields_of_old_document_are_none():
    assert unpack() == incidents.Incident("k")


def test_pending_incident_of_old_document_is_held():
    assert unpack(status="pending", pending_since=5, held_since=3).hold == incidents.Hold(3, 5)
    assert unpack(status="pending", pending_since=5).hold == incidents.Hold(5, 5)


def test_alerts_of_uncounted_old_document_are_counted():
    assert unpack(alerts={"am/a": FIRING, "am/b": RESOLVED}).still_fires == 1


def test_single_ask_of_old_document_is_complete():
    stored = [0, NOW, NOW, 1, MAJOR, True]
    (ask,) = unpack(response=RESPONSE, opening_alert=ALERT, sole_ask=stored).asks
    assert (ask.response, ask.alert, ask.fires, ask.is_joined) == (RESPONSE, ALERT, 1, True)


def test_version_4_refuses_documents_of_this_version():
    """A worker of version 4 may read such a document until its next heartbeat. It would write it without its parts."""
    packed = codec.pack_incident(incidents.Incident("k", interventions=incidents.Interventions({"page": VERDICT})))
    with pytest.raises(msgspec.ValidationError, match="key"):
        msgspec.msgpack.decode(packed, type=flat_documents.FlatIncident)


def test_document_of_neither_version_is_refused():
    with pytest.raises(errors.UnreadableDocument, match="is not an incident"):
        unpack(status="unknown")


def unpacked_publication(**fields) -> publications.Publication:
    (publication,) = codec.unpack_publications(
        msgspec.msgpack.encode([{"episode": "e1", "destination": "p", **fields}])
    )
    return publication


def test_parts_of_old_publication_are_read():
    fields = {"dead": "422", "dead_of": "open:d", "dead_at": 1, "waits_of": "d", "waits_since": 2}
    fields |= {"missing_since": 3, "missing_answers": 4, "blocked_since": 5, "delayed_at": 6, "retry_at": 7}
    fields |= {"held_since": 8, "corrected_at": 9, "frozen_since": 10, "acknowledged_at": 11}
    assert unpacked_publication(state="open", vendor_id="v1", **fields) == publications.Publication(
        "e1",
        "p",
        "open",
        "v1",
        retry_at=7,
        held_since=8,
        corrected_at=9,
        frozen_since=10,
        acknowledged_at=11,
        rejection=publications.Rejection("422", "open:d", 1),
        review=publications.PendingReview("d", 2),
        missing=publications.Missing(3, 4),
        delay=publications.OpeningDelay(5, 6),
    )


def test_absent_fields_of_old_publication_are_none():
    assert unpacked_publication() == publications.Publication("e1", "p")


def test_every_other_field_of_old_publication_is_read():
    changed = {"rejection", "review", "missing", "delay"}
    kept = set(publications.Publication.__struct_fields__) - changed
    assert kept < set(flat_documents.FlatPublication.__struct_fields__)


def test_version_4_refuses_publications_of_this_version():
    packed = codec.pack_publications([publications.Publication("e1", "p", review=publications.PendingReview("d", 2))])
    with pytest.raises(msgspec.ValidationError, match="episode"):
        msgspec.msgpack.decode(packed, type=list[flat_documents.FlatPublication])
    assert codec.unpack_publications(packed)[0].review == publications.PendingReview("d", 2)
