"""A publications document doesn't grow between 20 and 500 episodes, and keeps every entry that needs handling."""

import msgspec
import pytest

from router.domain import incidents, publications, retention, severities
from router.store import codec

SECOND = 1_000_000
HOUR = 3600 * SECOND
NOW = 1_700_000_000 * SECOND
DESTINATIONS = ("on-call", "devhelm", "page", "devhelm-page")
CONTENT = publications.Content(severities.Severity.MAJOR, {"title": "Down", "message": "We are investigating. " * 20})
VIEW = publications.View(fields={"title": "Down", "message": "We are investigating. " * 20}, titles=("Down",))


def make_publication(episode: str, destination: str = "page", state: publications.State = "resolved", **more):
    base = {"vendor_id": f"v-{episode}", "content": CONTENT, "view": VIEW, "told": ("a", "b"), "opened_at": NOW}
    return publications.Publication(episode, destination, state, **{**base, "acted_at": NOW, **more})


def make_incident(episode: str, follows: str = "") -> incidents.Incident:
    return incidents.Incident("down", status="open", episode=episode, follows=follows)


def run_episodes(episodes: int, pause: int) -> list[int]:
    """Fire and resolve, and return the size of the document after each episode."""
    known: list[publications.Publication] = []
    sizes = []
    now = NOW
    for number in range(episodes):
        now += pause
        incident = make_incident(f"e{number:03}", f"e{number - 1:03}" if number else "")
        known = retention.retain(incident, known, now)
        known += [make_publication(incident.episode, name, opened_at=now, acted_at=now) for name in DESTINATIONS]
        sizes.append(len(codec.pack_publications(known)))
    return sizes


@pytest.mark.parametrize("pause", [SECOND, 60 * SECOND, HOUR, 12 * HOUR])
def test_document_stops_growing_after_one_hundred_episodes(pause):
    sizes = run_episodes(500, pause)
    assert max(sizes[100:]) <= max(sizes[:100])
    assert max(sizes) < 25_000


def test_large_document_of_an_earlier_version_shrinks():
    known = [make_publication(f"e{number}", name, acted_at=NOW) for number in range(500) for name in DESTINATIONS]
    kept = retention.retain(make_incident("e499", "e498"), known, NOW)
    assert len(codec.pack_publications(known)) > 500_000
    assert len(codec.pack_publications(kept)) < 25_000
    assert [one for one in kept if one.content is not None] == known[-2 * len(DESTINATIONS) :]


def test_texts_of_an_earlier_episode_are_removed():
    known = [make_publication("e0", acted_at=NOW, uncertain=(CONTENT,)), make_publication("e1", acted_at=NOW)]
    first, second = retention.retain(make_incident("e1"), known, NOW + SECOND)
    assert (first.vendor_id, first.content, first.uncertain) == (known[0].vendor_id, None, ())
    assert second == known[1]


HANDLED = {
    "open": {"state": "open"},
    "draft": {"state": "draft"},
    "refused_resolution": {"state": "open", "rejection": publications.Rejection("422", "resolve:x", NOW)},
    "operation_under_way": {"state": "absent", "intent": publications.Intent("open", 1, NOW, CONTENT)},
    "resolution_under_way": {"state": "resolved", "intent": publications.Intent("resolve", 1, NOW, CONTENT)},
    "waits_for_a_reviewer": {"state": "absent", "review": publications.PendingReview("digest", NOW)},
    "waits_for_its_turn": {"state": "absent", "held_since": NOW},
    "search_is_to_come": {"state": "resolved", "unanswered_at": NOW},
    "second_search_is_to_come": {"state": "resolved", "unanswered_at": NOW, "searched_at": NOW + 200 * SECOND},
    "late_change_may_come": {"state": "resolved", "unanswered_change_at": NOW},
}


@pytest.mark.parametrize("kind", HANDLED)
def test_publication_that_needs_handling_is_kept_unchanged(kind):
    needed = make_publication("e0", **HANDLED[kind])
    known = [needed, *(make_publication(f"e{number}") for number in range(1, 500))]
    kept = retention.retain(make_incident("e499"), known, NOW + 300 * SECOND)
    assert kept[0] == needed
    assert len(kept) <= retention.MAX_NAMED_PUBLICATIONS + 2


def test_content_used_by_the_current_episode_is_kept():
    known = [make_publication(f"e{number}", name) for number in range(3) for name in DESTINATIONS]
    kept = retention.retain(make_incident("e2", "e0"), known, NOW + 30 * HOUR)
    assert kept == [one for one in known if one.episode != "e1"]


def test_earlier_post_is_recognized_for_two_hours():
    known = [make_publication("e0"), make_publication("e1")]
    (named, current) = retention.retain(make_incident("e1"), known, NOW + 2 * HOUR - 1)
    assert (named.vendor_id, named.content, named.view) == ("v-e0", None, publications.View())
    assert current == known[1]
    assert retention.retain(make_incident("e1"), known, NOW + 2 * HOUR) == [current]


def test_unpublished_publication_is_removed():
    known = [make_publication("e0", state="absent", vendor_id=""), make_publication("e1")]
    assert retention.retain(make_incident("e1"), known, NOW) == known[1:]


def test_unknown_incident_keeps_all_its_publications():
    known = [make_publication("e0"), make_publication("e1")]
    assert retention.retain(incidents.Incident("down"), known, NOW + 30 * HOUR) is known


def test_document_with_all_defaults_is_read():
    document = publications.Publication
    names = zip(document.__struct_encode_fields__, document.__struct_fields__, strict=True)
    full = {stored: getattr(make_publication("e0"), name) for stored, name in names}
    packed = msgspec.msgpack.encode([full])
    assert codec.unpack_publications(packed) == [make_publication("e0")]
