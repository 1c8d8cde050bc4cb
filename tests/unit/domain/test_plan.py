"""The next step for a publication: each pair of observed and desired state has one step with a reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import messages, plan, reasons, reviews, severities, steps
from router.domain.publications import (
    Content,
    Desired,
    Intent,
    PendingReview,
    Publication,
    Rejection,
    View,
    is_awaiting,
)
from router.domain.reasons import Cause, Reason

NOW = 1_700_000_000_000_000
LEAK = reasons.Cause(reasons.Reason.TEXT_LEAKS, detail="an IP address")
FROZEN = reasons.Cause(reasons.Reason.FROZEN, detail="by ann")
TEST = reasons.Cause(reasons.Reason.TEST_ALERT)


def content(text: str = "down", level: severities.Severity = severities.Severity.MAJOR) -> Content:
    return Content(level, {"title": text})


def wanted(present: bool = True, **more) -> Desired:
    return Desired(present=present, **{"content": content(), **more})


def known(state: str = "absent", **more) -> Publication:
    defaults = {"vendor_id": "" if state == "absent" else "v1"}
    return Publication("e1", "page", state=state, **{**defaults, **more})


def retraction(digest: str = reviews.RETRACTION) -> reviews.Retraction:
    return reviews.Retraction("ann", NOW, "a false alarm", digest)


def said(kind: str = "approved", digest: str = "", who: str = "ann") -> reviews.Verdict:
    return reviews.Verdict(kind, who, NOW, digest)


def step(desired: Desired, observed: Publication, now: int = NOW) -> steps.Step:
    return plan.plan(desired, observed, now=now)


def kind(found: steps.Step) -> str:
    return found.kind if isinstance(found, steps.Execute) else type(found).__name__


INTENT = Intent("open", 1, NOW - 5, content())
IN_STEP = content().digest


@pytest.mark.parametrize(
    ("desired", "observed", "answer"),
    [
        (wanted(), known(), "open"),
        (wanted(), known("open", digest=IN_STEP), "Wait"),
        (wanted(), known("open", digest="other"), "update"),
        (wanted(False), known("open", digest=IN_STEP), "resolve"),
        (wanted(False), known(), "Wait"),
        (wanted(False), known("draft"), "dismiss"),
        (wanted(False), known("resolved"), "Wait"),
        (wanted(), known("resolved"), "Wait"),
        (wanted(), known("dismissed"), "Wait"),
        (wanted(public=True, publish="auto"), known(), "open"),
        (wanted(public=True, publish="review"), known(), "Wait"),
        (wanted(public=True, publish="review", verdict=said()), known(), "open"),
        (wanted(public=True, publish="review", verdict=said(digest=IN_STEP)), known(), "open"),
        (wanted(public=True, publish="review", verdict=said(digest="what was there before")), known(), "Wait"),
        (wanted(public=True, publish="review", verdict=said("dismissed")), known(), "Wait"),
        (wanted(public=True, publish="auto", verdict=said("dismissed")), known(), "Wait"),
        (wanted(public=True, publish="review", verdict=said("dismissed")), known("draft", digest=IN_STEP), "dismiss"),
        (wanted(public=True, publish="auto", review_cause=LEAK), known(), "Wait"),
        (wanted(public=True, publish="auto", review_cause=LEAK, verdict=said(digest=IN_STEP)), known(), "open"),
        (wanted(public=True, publish="auto", review_cause=LEAK), known("open", digest="other"), "Wait"),
        (wanted(False, public=True, publish="auto", review_cause=LEAK), known("open"), "resolve"),
        (wanted(public=False, review_cause=LEAK), known(), "open"),
        (wanted(public=True, publish="auto", suppressed=TEST), known(), "Wait"),
        (wanted(public=True, publish="auto", suppressed=TEST, verdict=said()), known(), "Wait"),
        (wanted(public=True, publish="auto", frozen=FROZEN), known(), "Wait"),
        (wanted(public=True, publish="auto", frozen=FROZEN), known("open", digest="other"), "Wait"),
        (wanted(False, public=True, publish="auto", frozen=FROZEN), known("open"), "Wait"),
        (wanted(public=True, publish="auto", frozen=FROZEN), known(intent=INTENT), "Wait"),
        (wanted(public=True, frozen=FROZEN, may_adopt_draft=True, linked_id="i1"), known(), "adopt"),
        (wanted(public=False, frozen=FROZEN), known(), "open"),
        (wanted(public=True, publish="auto"), known("open", digest="other", taken_over="edited"), "Wait"),
        (wanted(public=True, verdict=said(digest=IN_STEP)), known("open", digest="o", taken_over="edited"), "update"),
        (wanted(public=True, verdict=said()), known("open", digest="o", taken_over="edited"), "Wait"),
        (wanted(public=True, verdict=said()), known("draft", digest="o", taken_over="edited"), "Wait"),
        (wanted(False, public=True), known("open", taken_over="edited"), "Wait"),
        (wanted(False, public=True, verdict=said(digest=IN_STEP)), known("open", taken_over="edited"), "Wait"),
        (wanted(False, public=True, verdict=said(digest="resolution")), known("open", taken_over="edited"), "resolve"),
        (wanted(public=True), known("draft", digest="other", taken_over="edited"), "Wait"),
        (
            wanted(public=True, publish="auto", min_update_interval=9),
            known("open", digest="other", acted_at=NOW - 8),
            "Wait",
        ),
        (
            wanted(public=True, publish="auto", min_update_interval=9),
            known("open", digest="other", acted_at=NOW - 9),
            "update",
        ),
        (wanted(public=True, publish="auto", min_update_interval=9), known("open", acted_at=NOW - 8), "update"),
        (wanted(public=True, min_update_interval=9), known("draft", digest="other", acted_at=NOW - 8), "update"),
        (wanted(False, public=True, min_update_interval=9), known("open", acted_at=NOW - 8), "resolve"),
        (wanted(observe_interval=9), known("open", digest=IN_STEP, acted_at=NOW - 9), "Observe"),
        (wanted(observe_interval=9), known("open", digest=IN_STEP, acted_at=NOW - 20, looked_at=NOW - 9), "Observe"),
        (wanted(observe_interval=9), known("open", digest=IN_STEP, acted_at=NOW - 20, looked_at=NOW - 8), "Wait"),
        (wanted(observe_interval=9), known("absent"), "open"),
        (wanted(recheck_at=NOW - 2), known("open", digest=IN_STEP, looked_at=NOW - 3_000_000), "Observe"),
        (wanted(recheck_at=NOW - 2), known("open", digest=IN_STEP, looked_at=NOW - 2_999_999), "Wait"),
        (wanted(recheck_at=NOW - 2), known("open", digest=IN_STEP, acted_at=NOW - 2_999_999), "Wait"),
        (wanted(recheck_at=NOW - 2), known("open", digest=IN_STEP, looked_at=NOW - 2), "Wait"),
        (wanted(recheck_at=NOW + 1_000_001), known("open", digest=IN_STEP), "Wait"),
        (
            wanted(recheck_at=NOW - 2, observe_interval=9_000_000),
            known("open", digest=IN_STEP, looked_at=NOW - 3_000_000),
            "Observe",
        ),
        (wanted(recheck_at=NOW - 2), known("open", digest="other"), "update"),
        (wanted(public=True, publish="shadow"), known(), "Wait"),
        (wanted(public=True, publish="shadow", verdict=said()), known(), "Wait"),
        (wanted(public=False, publish="shadow"), known(), "open"),
        (wanted(public=True, publish="auto"), known("draft", digest=IN_STEP), "publish"),
        (wanted(public=True, publish="review"), known("draft", digest=IN_STEP), "Wait"),
        (wanted(public=True, publish="review"), known("draft", digest="other"), "update"),
        (wanted(public=True, publish="review", verdict=said()), known("draft"), "publish"),
        (wanted(public=True, publish="auto"), known("open", digest="other"), "update"),
        (wanted(public=True, publish="review"), known("open", digest="other"), "Wait"),
        (wanted(public=True, publish="review", verdict=said()), known("open", digest="other"), "update"),
        (wanted(public=True, publish="review", verdict=said(digest="other")), known("open", digest="other"), "Wait"),
        (wanted(may_adopt_draft=True, follows_settled=False), known(), "Wait"),
        (wanted(may_adopt_draft=True, linked_id="i1"), known(), "adopt"),
        (wanted(may_adopt_draft=True, linked_id="i1", public=True), known(), "adopt"),
        (wanted(may_adopt_draft=True, linked_id="i1"), known(adoption_tried=True), "open"),
        (wanted(may_adopt_draft=True, follows_settled=True), known(), "open"),
        (wanted(), known(intent=INTENT), "ResumeIntent"),
        (wanted(False), known("open", intent=INTENT), "ResumeIntent"),
        (wanted(), known(retry_at=NOW + 1), "Wait"),
        (wanted(), known(retry_at=NOW), "open"),
        (wanted(), known(intent=INTENT, retry_at=NOW + 1), "Wait"),
    ],
)
def test_each_observed_and_desired_state_has_its_step(desired, observed, answer):
    assert kind(step(desired, observed)) == answer


def test_failed_attempt_is_retried_at_its_time():
    assert step(wanted(), known(retry_at=NOW + 7)) == steps.Wait(Cause(Reason.BACKOFF), NOW + 7, steps.WaitingOn.TIME)


def test_linked_page_waits_for_its_incident():
    rest = step(wanted(may_adopt_draft=True, follows_settled=False), known())
    assert isinstance(rest, steps.Wait)
    assert rest.waiting_on == "other_publication"


def test_post_under_review_waits_for_a_reviewer():
    rest = step(wanted(public=True, publish="review"), known())
    assert isinstance(rest, steps.Wait)
    assert rest.waiting_on == "reviewer"


def rejection(kind: str, refused: Content, message: str = "422") -> Rejection:
    return Rejection(message, plan.operation_fingerprint(kind, refused), NOW - 1)


@pytest.mark.parametrize("state", ["absent", "open", "draft"])
def test_permanent_rejection_is_not_retried(state):
    before = known(state, digest="other")
    act = step(wanted(), before)
    assert isinstance(act, steps.Execute)
    dead = msgspec.structs.replace(before, rejection=rejection(act.kind, content(), "422: no such page"))
    rest = step(wanted(), dead)
    assert isinstance(rest, steps.Wait)
    assert rest.cause == Cause(Reason.DEAD_LETTER, detail="422: no such page")
    assert rest.waiting_on == "operator"


def test_page_with_a_rejected_update_is_still_resolved():
    dead = known("open", digest="other", rejection=rejection("update", content()))
    assert kind(step(wanted(False), dead)) == "resolve"


def test_changed_content_is_sent_after_a_rejection():
    dead = known("open", digest="other", rejection=rejection("update", content("too long")))
    assert kind(step(wanted(), dead)) == "update"


desires = st.builds(
    Desired,
    present=st.booleans(),
    content=st.builds(content, st.sampled_from(["a", "b"]), st.sampled_from(list(severities.Severity))),
    public=st.booleans(),
    publish=st.sampled_from(["shadow", "review", "auto"]),
    verdict=st.one_of(
        st.none(),
        st.builds(
            said,
            st.sampled_from(["approved", "dismissed"]),
            st.sampled_from(["", content("a").digest, content("b").digest, reviews.RESOLUTION]),
        ),
    ),
    review_cause=st.sampled_from([None, LEAK]),
    frozen=st.sampled_from([None, FROZEN]),
    suppressed=st.sampled_from([None, TEST]),
    deadline=st.sampled_from([0, 5]),
    at_deadline=st.sampled_from(["publish", "dismiss"]),
    min_update_interval=st.sampled_from([0, 3]),
    observe_interval=st.sampled_from([0, 3]),
    recheck_at=st.sampled_from([0, NOW]),
    redriven_at=st.sampled_from([0, NOW]),
    discarded_at=st.sampled_from([0, NOW]),
    may_adopt_draft=st.booleans(),
    linked_id=st.sampled_from(["", "i1"]),
    follows_settled=st.booleans(),
    retracted=st.sampled_from([None, retraction()]),
)
publications = st.builds(
    Publication,
    episode=st.just("e1"),
    destination=st.just("page"),
    state=st.sampled_from(["absent", "draft", "open", "resolved", "dismissed"]),
    digest=st.sampled_from(["", content("a").digest]),
    intent=st.sampled_from([None, INTENT]),
    retry_at=st.sampled_from([0, NOW + 1]),
    rejection=st.sampled_from([None, rejection("open", content("a"))]),
    adoption_tried=st.booleans(),
    review=st.sampled_from([None, *(PendingReview(content("a").digest, NOW - ago) for ago in (5, 1))]),
    taken_over=st.sampled_from(["", reasons.Edit.TITLE_CHANGED]),
    acted_at=st.sampled_from([0, NOW]),
)


@given(desires, publications)
def test_every_step_describes_its_reason_once(desired, observed):
    found = step(desired, observed)
    assert messages.describe_step(found, desired).count(messages.describe(found.cause)) == 1


@given(desires, publications)
def test_only_permitted_content_is_published(desired, observed):
    found = step(desired, observed)
    shown = kind(found) in {"open", "publish"} or (kind(found) == "update" and observed.state == "open")
    if desired.public and shown:
        digest = desired.content.digest
        verdict = desired.verdict
        approved = verdict is not None and verdict.kind == "approved" and verdict.digest in {"", digest}
        automatic = desired.publish == "auto" and not desired.review_cause and not observed.taken_over
        lapsed = desired.at_deadline == "publish" and is_awaiting(observed, digest) and desired.deadline
        assert approved or ((automatic or lapsed) and not (verdict is not None and verdict.covers(digest)))
        assert not desired.frozen
        assert not (desired.suppressed and observed.state != "open")
        assert not (lapsed and not automatic and not approved and (desired.review_cause or observed.taken_over))


@given(desires, publications)
def test_frozen_publication_is_not_changed(desired, observed):
    found = step(desired, observed)
    if desired.public and desired.frozen and desired.retracted is None:
        assert kind(found) in {"Wait", "Observe", "adopt"}


@given(desires, publications)
def test_manually_changed_post_is_not_updated(desired, observed):
    found = step(desired, observed)
    if desired.retracted is not None:  # The digest matches a post without manual changes.
        assert not (observed.taken_over and observed.view.digest and isinstance(found, steps.Execute))
    elif observed.taken_over and observed.state == "open" and desired.public and isinstance(found, steps.Execute):
        assert desired.verdict is not None
        assert desired.verdict.kind == "approved"


@given(desires, publications)
def test_no_operation_starts_while_an_intent_is_unresolved(desired, observed):
    if observed.intent is not None:
        assert not isinstance(step(desired, observed), steps.Execute)


@given(desires, publications)
def test_ended_publication_is_not_changed(desired, observed):
    if observed.state in {"resolved", "dismissed"} and observed.intent is None:
        assert isinstance(step(desired, observed), steps.Wait)


NEXT = {"open": "open", "publish": "open", "resolve": "resolved", "dismiss": "dismissed", "retract": "dismissed"}


@given(desires, publications)
def test_plan_is_complete_within_four_steps(desired, observed):
    """A simulated vendor performs each step. The plan is complete after at most four steps."""
    for _ in range(5):
        found = step(desired, observed, NOW + 2)
        if isinstance(found, steps.Wait):
            return
        if isinstance(found, steps.ResumeIntent):
            observed = msgspec.structs.replace(observed, intent=None)
        elif isinstance(found, steps.Observe):
            observed = msgspec.structs.replace(observed, looked_at=NOW + 2)
        elif found.kind == "adopt":
            observed = msgspec.structs.replace(observed, adoption_tried=True)
        else:
            state = NEXT.get(found.kind, observed.state)
            observed = msgspec.structs.replace(
                observed, state=state, digest=desired.content.digest, vendor_id="v1", acted_at=NOW + 2, taken_over=""
            )
    pytest.fail(f"still at {found}")


class TestAlertStorm:
    def test_queued_incident_is_checked_again_without_opening(self):
        for desired in (wanted(), wanted(public=True, publish="auto"), wanted(public=True, publish="review")):
            found = step(desired, known(held_since=NOW - 5))
            assert found == steps.Wait(
                Cause(Reason.STORM_QUEUED), NOW + plan.HELD_RECHECK_INTERVAL, steps.WaitingOn.STORM_QUEUE
            )
            assert plan.pending_review_digest(desired, known(), found) == ""

    def test_ended_queued_incident_waits_for_nothing(self):
        assert step(wanted(False), known(held_since=NOW - 5)).waiting_on == "nothing"


SECOND = 1_000_000


@pytest.mark.parametrize(
    ("observed", "resumed_at", "waits"),
    [
        (known(retry_at=NOW + 50 * SECOND, failed_at=NOW - SECOND, condition="denied"), 0, True),
        (known(retry_at=NOW + 50 * SECOND, failed_at=NOW - SECOND, condition="denied"), NOW - 2 * SECOND, True),
        (known(retry_at=NOW + 50 * SECOND, failed_at=NOW - SECOND, condition="denied"), NOW, False),
        (known(retry_at=NOW + 50 * SECOND), NOW, True),
        (known(retry_at=NOW + 3600 * SECOND, failed_at=NOW + 3550 * SECOND), 0, False),
        (known(retry_at=NOW + 50 * SECOND, failed_at=NOW + SECOND), 0, True),
    ],
    ids=["too young", "worked before", "works again", "of another version", "clock set back", "clocks differ a little"],
)
def test_failed_attempt_waits_for_its_time_or_recovery(observed, resumed_at, waits):
    found = step(wanted(resumed_at=resumed_at), observed)
    assert (kind(found) == "Wait") is waits
    if waits and observed.condition:
        assert found.cause == Cause(Reason.BACKOFF, detail="denied")


@pytest.mark.parametrize(
    ("observed", "answer", "until"),
    [
        (known("open", digest=IN_STEP, unanswered_at=NOW - 179 * SECOND), "Wait", NOW + SECOND),
        (known("open", digest=IN_STEP, unanswered_at=NOW - 181 * SECOND), "Search", None),
        (known("resolved", unanswered_at=NOW - 181 * SECOND), "Search", None),
        (known("open", digest=IN_STEP, unanswered_at=NOW - 200 * SECOND, searched_at=NOW), "Wait", NOW + 700 * SECOND),
        (known("resolved", unanswered_at=NOW - 901 * SECOND, searched_at=NOW - 600 * SECOND), "Search", None),
        (known("resolved", unanswered_at=NOW - 901 * SECOND, searched_at=NOW), "Wait", None),
        (known("open", digest=IN_STEP), "Wait", None),
    ],
)
def test_unanswered_open_is_searched_for_twice(observed, answer, until):
    found = step(wanted(), observed)
    assert kind(found) == answer
    assert getattr(found, "due", None) == until


@pytest.mark.parametrize(
    ("changes", "answer", "until"),
    [
        ({"unanswered_change_at": NOW - 179 * SECOND}, "Wait", NOW + SECOND),
        ({"unanswered_change_at": NOW - 181 * SECOND}, "Observe", None),
        ({"unanswered_change_at": NOW - 200 * SECOND, "looked_at": NOW}, "Wait", NOW + 700 * SECOND),
        ({"unanswered_change_at": NOW - 901 * SECOND, "looked_at": NOW - 600 * SECOND}, "Observe", None),
        ({"unanswered_change_at": NOW - 901 * SECOND, "looked_at": NOW}, "Wait", None),
    ],
)
@pytest.mark.parametrize("state", ["open", "resolved"])
def test_unanswered_change_is_verified_twice(state, changes, answer, until):
    found = step(wanted(present=state == "open"), known(state, digest=IN_STEP, **changes))
    assert (kind(found), getattr(found, "due", None)) == (answer, until)


@pytest.mark.parametrize("changes", [{"state": "dismissed"}, {"state": "absent"}, {"state": "resolved", "gone": True}])
def test_unanswered_change_of_missing_post_is_not_verified(changes):
    assert known(**changes, unanswered_change_at=NOW - 181 * SECOND).verify_at == 0


def test_search_for_late_opens_waits_during_a_freeze():
    observed = known("open", digest=IN_STEP, unanswered_at=NOW - 181 * SECOND)
    assert step(wanted(public=True, frozen=FROZEN), observed).waiting_on == "unfreeze"


class TestRetraction:
    @pytest.mark.parametrize("present", [True, False])
    @pytest.mark.parametrize("more", [{}, {"frozen": FROZEN}, {"review_cause": LEAK}], ids=["free", "frozen", "leak"])
    @pytest.mark.parametrize("state", ["draft", "open"])
    def test_retraction_removes_the_post_under_any_condition(self, state, more, present):
        desired = wanted(present, public=True, publish="auto", retracted=retraction(), **more)
        found = step(desired, known(state, digest=IN_STEP))
        assert found == steps.Execute("retract", Cause(Reason.RETRACTED, "ann", "a false alarm"))

    @pytest.mark.parametrize("verdict", [None, said(), said(digest=IN_STEP)])
    @pytest.mark.parametrize("state", ["absent", "resolved", "dismissed"])
    def test_retracted_post_is_not_published_again(self, state, verdict):
        desired = wanted(public=True, publish="auto", verdict=verdict, retracted=retraction())
        found = step(desired, known(state, retracted=state != "absent"))
        assert (kind(found), found.waiting_on) == ("Wait", "nothing")

    def test_unreviewed_vendor_change_delays_the_retraction(self):
        view = View({"title": "Card payments fail"})
        observed = known("open", digest=IN_STEP, taken_over=reasons.Edit.TITLE_CHANGED, view=view)
        found = step(wanted(public=True, retracted=retraction()), observed)
        assert found.waiting_on == "reviewer"
        seen = plan.pending_review_digest(wanted(public=True, retracted=retraction()), observed, found)
        assert kind(step(wanted(public=True, retracted=retraction(seen)), observed)) == "retract"

    def test_rejected_retraction_becomes_a_dead_letter(self):
        desired = wanted(public=True, retracted=retraction())
        observed = known(
            "open",
            rejection=rejection("retract", desired.content),
        )
        assert step(desired, observed).cause == Cause(Reason.DEAD_LETTER, detail="422")

    def test_ended_retraction_resets_the_publication(self):
        observed = known("dismissed", retracted=True, number=3)
        assert plan.republish(wanted(public=True, retracted=retraction()), observed) is observed
        assert plan.republish(wanted(False, public=True), observed) is observed
        again = plan.republish(wanted(public=True), observed)
        assert (again.state, again.vendor_id, again.number, again.retracted_ids) == ("absent", "", 3, ("v1",))


def test_missing_post_is_first_read_again_soon():
    """Otherwise a resolution would wait for 20 seconds if the vendor lags behind the open by some milliseconds."""
    assert [plan.missing_interval(answers) for answers in (1, 2, 3, 4, 5, 1_000_000)] == [
        1_000_000,
        3_000_000,
        9_000_000,
        20_000_000,
        20_000_000,
        20_000_000,
    ]
