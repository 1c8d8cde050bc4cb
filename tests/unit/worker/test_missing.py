"""A "not found" counts after enough responses over enough time, and never against contrary evidence."""

import asyncio

import pytest

from router.domain import operations, publications, severities
from router.outbound import errors
from router.worker import not_found
from tests.integration import vendor

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND
CONTENT = publications.Content(severities.Severity.MAJOR, {})
OPEN = publications.Publication("e1", "on-call", state="open", vendor_id="v1", number=3)


def operation(kind="update", vendor_id="v1"):
    return operations.Operation(kind, "e1", "on-call", 4, CONTENT, NOW, vendor_id=vendor_id)


def ask(at, kind="update", *, vendor_id="v1", attempts=0):
    asked = operation(kind, vendor_id)
    place = vendor.place("on-call", at)
    call = getattr(at, kind)(asked)
    return asyncio.run(not_found.confirm_missing(call, place, asked, attempts))


@pytest.mark.parametrize("kind", ["update", "publish", "resolve", "dismiss", "observe"])
def test_deleted_object_is_reported_as_missing(kind):
    at = vendor.Vendor()
    with pytest.raises(not_found.ConfirmedMissing, match="404"):
        ask(at, kind)
    assert (at.looks > 0, at.probes) == (True, 1)


def test_object_returned_by_second_read_is_not_missing():
    at = vendor.Vendor()
    at.incidents["v1"] = {"state": "open"}
    at.missing = [vendor.not_found()]
    with pytest.raises(errors.Temporary, match="does show it"):
        ask(at)
    assert at.probes == 0


def test_repeated_rejection_of_a_readable_object_is_final():
    at = vendor.Vendor()
    at.incidents["v1"] = {"state": "open"}
    at.missing = [vendor.not_found()]
    with pytest.raises(errors.NotFound):
        ask(at, attempts=5)


@pytest.mark.parametrize(
    "problem", [vendor.not_found(), vendor.make_permanent(), vendor.temporary(), vendor.make_unanswered()]
)
def test_unreadable_account_does_not_prove_absence(problem):
    at = vendor.Vendor()
    at.unreadable = problem
    with pytest.raises((errors.Temporary, errors.Unanswered)) as caught:
        ask(at)
    assert not isinstance(caught.value, not_found.ConfirmedMissing)


def test_repeated_other_not_found_errors_are_rejections():
    """For example, a component or a page that an open names."""
    at = vendor.Vendor()
    at.before = [vendor.not_found(), vendor.not_found()]
    with pytest.raises(errors.Temporary):
        ask(at, "open", vendor_id="")
    with pytest.raises(errors.NotFound):
        ask(at, "open", vendor_id="", attempts=5)
    assert at.looks == 0


def note_missing(publication, seconds, **more):
    return not_found.record_missing(publication, not_found.ConfirmedMissing("404"), NOW + seconds * SECOND, **more)


def test_repeated_not_found_over_one_minute_proves_absence():
    found = note_missing(note_missing(OPEN, 0), 20)
    assert (found.state, found.gone, found.missing.answers) == ("open", False, 2)
    assert not note_missing(found, 59).gone
    found = note_missing(found, 60)
    assert (found.state, found.gone, found.problem) == ("dismissed", True, not_found.PROBLEM)


def test_many_responses_within_seconds_do_not_prove_absence():
    found = OPEN
    for second in range(30):
        found = note_missing(found, second)
    assert (found.state, found.missing.answers) == ("open", 30)


def test_two_responses_do_not_prove_absence():
    assert not note_missing(note_missing(OPEN, 0), 3600).gone


@pytest.mark.parametrize("keeps", [True, False])
def test_unfinished_operation_waits_for_the_next_response(keeps):
    intent = publications.Intent("resolve", 3, NOW, CONTENT)
    begun = publications.Publication("e1", "on-call", state="open", vendor_id="v1", number=3, intent=intent)
    found = note_missing(begun, 0, keeps_intent=keeps)
    assert (found.intent, found.number) == ((intent, 3) if keeps else (None, 2))
    assert found.retry_at == NOW + SECOND
