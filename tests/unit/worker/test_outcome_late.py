"""A read of a resolved post reveals the outcome of a change without a response."""

import msgspec
import pytest

from router.domain import operations, publications
from router.worker import operation_outcome

NOW = 1_000_000_000
KNOWN = publications.Publication(
    "e",
    "page",
    state="resolved",
    vendor_id="p",
    told=("first", "over"),
    view=publications.View({"title": "t"}, entries=("1", "2")),
    unanswered_change_at=NOW - 1,
)


def make_vendor_state(entries=("1", "2", "3"), told=("first", "over"), **more):
    view = publications.View({"title": "t"}, entries=entries)
    return operations.VendorState("p", "open", told=told, view=view, **more)


@pytest.mark.parametrize(
    "seen", [make_vendor_state(), make_vendor_state(entries=("1", "2"))], ids=["own text in an update", "status alone"]
)
def test_late_change_of_the_router_reopens_the_post(seen):
    after = operation_outcome.verify(KNOWN, seen, NOW, is_reopened=False)
    assert (after.state, after.looked_at) == ("open", NOW)


@pytest.mark.parametrize(
    ("seen", "is_reopened"),
    [
        (make_vendor_state(), True),
        (make_vendor_state(told=("first", "over", "a person's")), False),
        (make_vendor_state(told=()), False),
        (make_vendor_state(edited="a person has posted an update"), False),
    ],
    ids=["reopened by a later episode", "with a new text", "without texts", "edited"],
)
def test_post_reopened_otherwise_stays_resolved(seen, is_reopened):
    after = operation_outcome.verify(KNOWN, seen, NOW, is_reopened=is_reopened)
    assert (after.state, after.looked_at) == ("resolved", NOW)


def test_reopening_without_an_unanswered_change_is_manual():
    known = msgspec.structs.replace(KNOWN, unanswered_change_at=0)
    assert operation_outcome.verify(known, make_vendor_state(), NOW, is_reopened=False).state == "resolved"
