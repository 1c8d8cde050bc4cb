"""The next step for a publication: every state and every wish has one answer, and the answer has a reason."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.domain import plan, publication, severity

NOW = 1_700_000_000_000_000


def content(text: str = "down", level: severity.Severity = severity.Severity.MAJOR) -> publication.Content:
    return publication.Content(level, {"title": text})


def wanted(present: bool = True, **more) -> publication.Desired:
    return publication.Desired(present=present, **{"content": content(), **more})


def known(state: str = "absent", **more) -> publication.Publication:
    defaults = {"vendor_id": "" if state == "absent" else "v1"}
    return publication.Publication("e1", "page", state=state, **{**defaults, **more})


def step(desired: publication.Desired, observed: publication.Publication, now: int = NOW) -> plan.Step:
    return plan.plan(desired, observed, now=now)


def kind(found: plan.Step) -> str:
    return found.kind if isinstance(found, plan.Act) else type(found).__name__


INTENT = publication.Intent("open", 1, NOW - 5, content())
IN_STEP = content().digest


@pytest.mark.parametrize(
    ("desired", "observed", "answer"),
    [
        (wanted(), known(), "open"),
        (wanted(), known("open", digest=IN_STEP), "Rest"),
        (wanted(), known("open", digest="other"), "update"),
        (wanted(False), known("open", digest=IN_STEP), "resolve"),
        (wanted(False), known(), "Rest"),
        (wanted(False), known("draft"), "dismiss"),
        (wanted(False), known("resolved"), "Rest"),
        (wanted(), known("resolved"), "Rest"),
        (wanted(), known("dismissed"), "Rest"),
        (wanted(public=True, publish="auto"), known(), "open"),
        (wanted(public=True, publish="review"), known(), "Rest"),
        (wanted(public=True, publish="review", approved=True), known(), "open"),
        (wanted(public=True, publish="shadow"), known(), "Rest"),
        (wanted(public=True, publish="shadow", approved=True), known(), "Rest"),
        (wanted(public=False, publish="shadow"), known(), "open"),
        (wanted(public=True, publish="auto"), known("draft", digest=IN_STEP), "publish"),
        (wanted(public=True, publish="review"), known("draft", digest=IN_STEP), "Rest"),
        (wanted(public=True, publish="review"), known("draft", digest="other"), "update"),
        (wanted(public=True, publish="review", approved=True), known("draft"), "publish"),
        (wanted(public=True, publish="auto"), known("open", digest="other"), "update"),
        (wanted(public=True, publish="review"), known("open", digest="other"), "Rest"),
        (wanted(public=True, publish="review", approved=True), known("open", digest="other"), "update"),
        (wanted(adopts=True, follows_settled=False), known(), "Rest"),
        (wanted(adopts=True, linked_id="i1"), known(), "adopt"),
        (wanted(adopts=True, linked_id="i1", public=True), known(), "adopt"),
        (wanted(adopts=True, linked_id="i1"), known(adoption_tried=True), "open"),
        (wanted(adopts=True, follows_settled=True), known(), "open"),
        (wanted(), known(intent=INTENT), "Recover"),
        (wanted(False), known("open", intent=INTENT), "Recover"),
        (wanted(), known(retry_at=NOW + 1), "Rest"),
        (wanted(), known(retry_at=NOW), "open"),
        (wanted(), known(intent=INTENT, retry_at=NOW + 1), "Rest"),
    ],
)
def test_each_state_and_wish_has_its_step(desired, observed, answer):
    assert kind(step(desired, observed)) == answer


def test_a_failed_attempt_rests_until_its_time_and_no_longer():
    assert step(wanted(), known(retry_at=NOW + 7)) == plan.Rest("waits before the next attempt", NOW + 7, "time")


def test_a_page_that_follows_an_incident_waits_for_it():
    rest = step(wanted(adopts=True, follows_settled=False), known())
    assert isinstance(rest, plan.Rest)
    assert rest.waits_for == "sibling"


def test_a_review_waits_for_a_person():
    rest = step(wanted(public=True, publish="review"), known())
    assert isinstance(rest, plan.Rest)
    assert rest.waits_for == "person"


@pytest.mark.parametrize("state", ["absent", "open", "draft"])
def test_what_was_refused_for_good_is_not_tried_again(state):
    before = known(state, digest="other")
    act = step(wanted(), before)
    assert isinstance(act, plan.Act)
    dead = msgspec.structs.replace(before, dead="422: no such page", dead_of=plan.death(act.kind, content()))
    rest = step(wanted(), dead)
    assert isinstance(rest, plan.Rest)
    assert "no such page" in rest.reason
    assert rest.waits_for == "person"


def test_a_page_whose_update_was_refused_is_resolved_all_the_same():
    dead = known("open", digest="other", dead="422", dead_of=plan.death("update", content()))
    assert kind(step(wanted(False), dead)) == "resolve"


def test_other_words_are_tried_after_some_were_refused():
    dead = known("open", digest="other", dead="422", dead_of=plan.death("update", content("too long")))
    assert kind(step(wanted(), dead)) == "update"


desires = st.builds(
    publication.Desired,
    present=st.booleans(),
    content=st.builds(content, st.sampled_from(["a", "b"]), st.sampled_from(list(severity.Severity))),
    public=st.booleans(),
    publish=st.sampled_from(["shadow", "review", "auto"]),
    approved=st.booleans(),
    adopts=st.booleans(),
    linked_id=st.sampled_from(["", "i1"]),
    follows_settled=st.booleans(),
)
publications = st.builds(
    publication.Publication,
    episode=st.just("e1"),
    destination=st.just("page"),
    state=st.sampled_from(["absent", "draft", "open", "resolved", "dismissed"]),
    digest=st.sampled_from(["", content("a").digest]),
    intent=st.sampled_from([None, INTENT]),
    retry_at=st.sampled_from([0, NOW + 1]),
    dead_of=st.sampled_from(["", plan.death("open", content("a"))]),
    adoption_tried=st.booleans(),
)


@given(desires, publications)
def test_every_step_gives_its_reason(desired, observed):
    found = step(desired, observed)
    assert found.reason


@given(desires, publications)
def test_nothing_public_is_shown_that_neither_a_rule_nor_a_person_meant(desired, observed):
    found = step(desired, observed)
    shown = kind(found) in {"open", "publish"} or (kind(found) == "update" and observed.state == "open")
    if desired.public and shown:
        assert desired.publish == "auto" or desired.approved


@given(desires, publications)
def test_nothing_new_is_begun_while_an_operation_is_unaccounted_for(desired, observed):
    if observed.intent is not None:
        assert not isinstance(step(desired, observed), plan.Act)


@given(desires, publications)
def test_what_is_finished_is_left_alone(desired, observed):
    if observed.state in {"resolved", "dismissed"} and observed.intent is None:
        assert isinstance(step(desired, observed), plan.Rest)


NEXT = {"open": "open", "publish": "open", "resolve": "resolved", "dismiss": "dismissed"}


@given(desires, publications)
def test_acting_on_the_plan_always_comes_to_rest(desired, observed):
    """Each step is carried out as a vendor would; within four the plan has nothing more to do."""
    for _ in range(5):
        found = step(desired, observed, NOW + 2)
        if isinstance(found, plan.Rest):
            return
        if isinstance(found, plan.Recover):
            observed = msgspec.structs.replace(observed, intent=None)
        elif found.kind == "adopt":
            observed = msgspec.structs.replace(observed, adoption_tried=True)
        else:
            state = NEXT.get(found.kind, observed.state)
            observed = msgspec.structs.replace(observed, state=state, digest=desired.content.digest, vendor_id="v1")
    pytest.fail(f"still at {found}")
