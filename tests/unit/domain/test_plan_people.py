"""What people decide, and what time decides in their place, in the plan of a publication."""

import msgspec

from router.domain import plan, publication, review, severity

NOW = 1_700_000_000_000_000
CONTENT = publication.Content(severity.Severity.MAJOR, {"title": "down"})


def wanted(present: bool = True, **more) -> publication.Desired:
    return publication.Desired(present=present, content=CONTENT, **more)


def known(state: str = "absent", **more) -> publication.Publication:
    return publication.Publication("e1", "page", state=state, vendor_id="" if state == "absent" else "v1", **more)


def step(desired: publication.Desired, observed: publication.Publication) -> plan.Step:
    return plan.plan(desired, observed, now=NOW)


def kind(found: plan.Step) -> str:
    return found.kind if isinstance(found, plan.Act) else type(found).__name__


def waiting(since: int, **more) -> tuple[publication.Desired, publication.Publication]:
    desired = wanted(public=True, publish="review", deadline=100, **more)
    return desired, known(waits_of=desired.content.digest, waits_since=NOW - since)


def test_a_review_that_nobody_ends_ends_at_its_deadline_as_the_rule_says():
    assert step(*waiting(99)) == plan.Rest("review: waits for a person to approve", NOW + 1, "person")
    assert kind(step(*waiting(100, at_deadline="publish"))) == "open"
    over = step(*waiting(100, at_deadline="dismiss"))
    assert isinstance(over, plan.Rest)
    assert "nobody approved it in time" in over.reason
    assert plan.by_deadline(*waiting(100, at_deadline="publish"), now=NOW)
    assert not plan.by_deadline(*waiting(99, at_deadline="publish"), now=NOW)


def test_a_deadline_counts_from_when_this_very_content_began_to_wait():
    desired, observed = waiting(1000, at_deadline="publish")
    other = msgspec.structs.replace(observed, waits_of="something else")
    assert isinstance(step(desired, other), plan.Rest)


def test_no_deadline_lets_a_leak_through():
    assert isinstance(step(*waiting(1000, at_deadline="publish", careful="the text has an IP address")), plan.Rest)


def test_a_draft_whose_review_lapses_is_dismissed():
    desired, observed = waiting(100, at_deadline="dismiss")
    draft = msgspec.structs.replace(observed, state="draft", vendor_id="v1", digest=desired.content.digest)
    assert kind(step(desired, draft)) == "dismiss"


def test_what_was_refused_is_tried_again_when_a_person_says_so_and_given_up_when_they_say_that():
    dead = known(dead="422", dead_of=plan.death("open", CONTENT), dead_at=NOW - 9)
    assert kind(step(wanted(), dead)) == "Rest"
    assert kind(step(wanted(pardoned_at=NOW - 8), dead)) == "open"
    assert isinstance(step(wanted(pardoned_at=NOW - 10), dead), plan.Rest)
    given_up = step(wanted(abandoned_at=NOW - 8), dead)
    assert isinstance(given_up, plan.Rest)
    assert given_up.waits_for == "nothing"


def test_only_what_a_person_could_approve_is_a_review():
    desired = wanted(public=True, publish="review")
    assert plan.review_of(desired, known(), step(desired, known())) == desired.content.digest
    over = wanted(False, public=True)
    assert (
        plan.review_of(over, known("open", taken_over="edited"), step(over, known("open", taken_over="edited")))
        == review.RESOLUTION
    )
    frozen = wanted(public=True, publish="auto", frozen="ann")
    assert plan.review_of(frozen, known(), step(frozen, known())) == ""
    dead = known(dead="422", dead_of=plan.death("open", CONTENT))
    automatic = wanted(public=True, publish="auto")
    assert plan.review_of(automatic, dead, step(automatic, dead)) == ""


def test_another_change_of_a_person_is_another_review():
    desired = wanted(public=True, publish="review")
    shown = [publication.View(fields={"title": title}) for title in ("A", "B")]
    edited = [known("draft", taken_over="edited", view=view) for view in shown]
    asked = [plan.asked(desired, one) for one in edited]
    assert len({*asked, desired.content.digest}) == 3
    approval = review.Verdict("approved", "ann", NOW, asked[0])
    decided = wanted(public=True, publish="review", verdict=approval)
    assert step(decided, edited[0]) == plan.Act("publish", "the draft may be published")
    assert isinstance(step(decided, edited[1]), plan.Rest)


def test_what_is_taken_up_again_is_opened_once_its_end_was_told():
    waits = step(wanted(again_settled=False), known())
    assert (waits.reason, waits.waits_for) == ("waits for the end of what it takes up again", "sibling")
    assert step(wanted(again="v0"), known()) == plan.Act("open", "it fires again soon after its end")
    assert step(wanted(), known()) == plan.Act("open", "the incident is open and nothing is there yet")
