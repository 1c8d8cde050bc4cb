"""Timeline entries for operations and people's decisions: one entry per event, with text and structured data."""

import msgspec
import pytest

from router.domain import operations, publications, severities, steps
from router.domain.reasons import Cause, Edit, Reason
from router.worker import timeline_messages

NOW = 1_700_000_000_000_000
CONTENT = publications.Content(severities.Severity.MAJOR, {"title": "Down"})


def make_publication(state: str = "absent", **more) -> publications.Publication:
    return publications.Publication("e1", "page", state=state, **more)


def make_operation(kind: str = "open") -> operations.Operation:
    return operations.Operation(kind, "e1", "page", 3, CONTENT, NOW)


def format_messages(before, after, kind="open", result="done") -> list:
    ended = timeline_messages.Ended(result, (Cause(Reason.NOT_OPENED), Cause(Reason.APPROVED, who="ann")), ("found",))
    return timeline_messages.end_events(before, after, make_operation(kind), ended, NOW)


def test_operation_is_recorded_with_reason_and_fields():
    (event,) = format_messages(make_publication(), make_publication("open", vendor_id="v1", url="https://v/1"))
    reasons = "the incident is open and nothing has been posted yet; approved by ann; found"
    assert event.text == f"Opened at page: {reasons}."
    assert event.detail["reasons"] == ["not_opened", "approved"]
    assert (event.what, event.destination, event.at) == ("operation", "page", NOW)
    assert event.detail["fields"] == {"title": "Down"}
    assert (event.detail["vendor_id"], event.detail["number"]) == ("v1", 3)
    assert event.detail["key"] == make_operation().key


@pytest.mark.parametrize("result", ["refused", "temporary", "unanswered"])
def test_failure_is_recorded_with_the_vendor_s_message(result):
    (event,) = format_messages(
        make_publication(), make_publication(problem="422: no such page", attempts=1), result=result
    )
    assert event.text == f"Could not open at page ({result}): 422: no such page"


def test_series_of_failures_is_recorded_once():
    assert format_messages(make_publication(), make_publication(problem="503", attempts=3), result="temporary")
    assert format_messages(make_publication(), make_publication(problem="503", attempts=4), result="temporary") == []
    assert format_messages(make_publication(), make_publication(problem="no", attempts=0), result="refused")


def test_missing_draft_is_not_recorded():
    assert format_messages(make_publication(), make_publication(adoption_tried=True), "adopt") == []
    assert format_messages(make_publication(), make_publication("draft"), "adopt")[0].text.startswith(
        "Adopted the page's draft"
    )


@pytest.mark.parametrize("kind", ["update", "resolve"])
def test_manual_change_is_recorded_instead_of_the_operation(kind):
    before = make_publication("open")
    after = msgspec.structs.replace(before, taken_over=Edit.TITLE_CHANGED)
    (event,) = format_messages(before, after, kind)
    assert event.what == "person"
    assert "a person has changed the title" in event.text
    assert event.detail == {"edit": "title_changed"}


@pytest.mark.parametrize(("state", "word"), [("resolved", "resolved"), ("dismissed", "deleted")])
def test_manual_end_is_recorded(state, word):
    (event,) = timeline_messages.person_events(make_publication("open"), make_publication(state), NOW, present=True)
    assert event.text == f"It was {word} at page by a person. The router does not change it back."


def test_automatic_end_is_not_recorded_as_manual():
    assert (
        timeline_messages.person_events(make_publication("open"), make_publication("resolved"), NOW, present=False)
        == []
    )
    assert timeline_messages.person_events(make_publication("open"), make_publication("open"), NOW, present=True) == []


def test_manually_published_draft_is_recorded():
    (event,) = timeline_messages.person_events(make_publication("draft"), make_publication("open"), NOW, present=True)
    assert event.text == "The draft was published at page by a person."


def test_waiting_post_is_recorded_with_its_content():
    wait = steps.Wait(Cause(Reason.REVIEW_REQUIRED), waiting_on=steps.WaitingOn.REVIEWER)
    event = timeline_messages.wait_event("page", wait, CONTENT, NOW)
    assert event.text == "At page: awaiting approval: the rule requires a review."
    assert event.detail == {"reason": "review_required", "digest": CONTENT.digest, "fields": {"title": "Down"}}


def test_review_without_a_decision_is_recorded():
    assert "before anyone acted" in timeline_messages.review_end_event(make_publication(), NOW).text


def test_storm_delay_is_recorded_with_limit_and_duration():
    event = timeline_messages.queued_event(100, 60_000_000, NOW)
    assert (event.what, event.at) == ("storm", NOW)
    assert "100 incidents have opened within 1m" in event.text
    assert "the alert storm after 90 s" in timeline_messages.dequeued_event(NOW - 90_000_000, NOW).text
    assert "queued in an alert storm" in timeline_messages.storm_end_event(NOW).text
