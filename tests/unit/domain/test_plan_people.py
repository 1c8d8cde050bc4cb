"""Manual decisions and review timeouts in the plan of a publication."""

import msgspec

from router.domain import plan, publications, reviews, severities, steps
from router.domain.reasons import Cause, Reason

NOW = 1_700_000_000_000_000
LEAK = Cause(Reason.TEXT_LEAKS, detail="an IP address")
FROZEN = Cause(Reason.FROZEN, detail="by ann")
CONTENT = publications.Content(severities.Severity.MAJOR, {"title": "down"})


def make_desired(present: bool = True, **more) -> publications.Desired:
    return publications.Desired(present=present, content=CONTENT, **more)


def make_publication(state: str = "absent", **more) -> publications.Publication:
    return publications.Publication("e1", "page", state=state, vendor_id="" if state == "absent" else "v1", **more)


def step(desired: publications.Desired, observed: publications.Publication) -> steps.Step:
    return plan.plan(desired, observed, now=NOW)


def kind(found: steps.Step) -> str:
    return found.kind if isinstance(found, steps.Execute) else type(found).__name__


def make_waiting(since: int, **more) -> tuple[publications.Desired, publications.Publication]:
    desired = make_desired(public=True, publish="review", deadline=100, **more)
    return desired, make_publication(review=publications.PendingReview(desired.content.digest, NOW - since))


def test_undecided_review_ends_at_its_deadline():
    assert step(*make_waiting(99)) == steps.Wait(Cause(Reason.REVIEW_REQUIRED), NOW + 1, steps.WaitingOn.REVIEWER)
    assert kind(step(*make_waiting(100, at_deadline="publish"))) == "open"
    over = step(*make_waiting(100, at_deadline="dismiss"))
    assert isinstance(over, steps.Wait)
    assert over.cause.code is Reason.REVIEW_EXPIRED
    assert plan.is_decided_by_deadline(*make_waiting(100, at_deadline="publish"), now=NOW)
    assert not plan.is_decided_by_deadline(*make_waiting(99, at_deadline="publish"), now=NOW)


def test_changed_content_restarts_the_review_deadline():
    desired, observed = make_waiting(1000, at_deadline="publish")
    other = msgspec.structs.replace(observed, review=publications.PendingReview("something else", NOW))
    assert isinstance(step(desired, other), steps.Wait)


def test_leak_is_not_published_at_the_deadline():
    assert isinstance(step(*make_waiting(1000, at_deadline="publish", review_cause=LEAK)), steps.Wait)


def test_draft_is_dismissed_at_its_review_deadline():
    desired, observed = make_waiting(100, at_deadline="dismiss")
    draft = msgspec.structs.replace(observed, state="draft", vendor_id="v1", digest=desired.content.digest)
    assert kind(step(desired, draft)) == "dismiss"


def test_rejected_operation_follows_redrive_and_discard():
    dead = make_publication(
        rejection=publications.Rejection("422", plan.operation_fingerprint("open", CONTENT), NOW - 9)
    )
    assert kind(step(make_desired(), dead)) == "Wait"
    assert kind(step(make_desired(redriven_at=NOW - 8), dead)) == "open"
    assert isinstance(step(make_desired(redriven_at=NOW - 10), dead), steps.Wait)
    given_up = step(make_desired(discarded_at=NOW - 8), dead)
    assert isinstance(given_up, steps.Wait)
    assert given_up.waiting_on == "nothing"


def test_only_approvable_content_has_a_pending_review():
    desired = make_desired(public=True, publish="review")
    assert (
        plan.pending_review_digest(desired, make_publication(), step(desired, make_publication()))
        == desired.content.digest
    )
    over = make_desired(False, public=True)
    assert (
        plan.pending_review_digest(
            over,
            make_publication("open", taken_over="edited"),
            step(over, make_publication("open", taken_over="edited")),
        )
        == reviews.RESOLUTION
    )
    frozen = make_desired(public=True, publish="auto", frozen=FROZEN)
    assert plan.pending_review_digest(frozen, make_publication(), step(frozen, make_publication())) == ""
    dead = make_publication(rejection=publications.Rejection("422", plan.operation_fingerprint("open", CONTENT), 0))
    automatic = make_desired(public=True, publish="auto")
    assert plan.pending_review_digest(automatic, dead, step(automatic, dead)) == ""


def test_each_manual_change_needs_its_own_review():
    desired = make_desired(public=True, publish="review")
    shown = [publications.View(fields={"title": title}) for title in ("A", "B")]
    edited = [make_publication("draft", taken_over="edited", view=view) for view in shown]
    asked = [plan.review_digest(desired, one) for one in edited]
    assert len({*asked, desired.content.digest}) == 3
    approval = reviews.Verdict("approved", "ann", NOW, asked[0])
    decided = make_desired(public=True, publish="review", verdict=approval)
    assert step(decided, edited[0]) == steps.Execute("publish", Cause(Reason.PUBLISHING_ALLOWED))
    assert isinstance(step(decided, edited[1]), steps.Wait)


def test_resumed_publication_opens_after_its_announced_end():
    waits = step(make_desired(is_previous_closed=False), make_publication())
    assert (waits.cause.code, waits.waiting_on) == (Reason.PREVIOUS_EPISODE, "other_publication")
    assert step(make_desired(reopen_vendor_id="v0"), make_publication()) == steps.Execute(
        "open", Cause(Reason.REOPENING)
    )
    assert step(make_desired(), make_publication()) == steps.Execute("open", Cause(Reason.NOT_OPENED))
