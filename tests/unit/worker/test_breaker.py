"""A vendor that is ill is left alone, one that only asks for a pause is not, and the first to come back goes alone."""

import functools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound import errors
from router.telemetry import metrics
from router.worker import breaker

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


def after(*fates: bool, now: int = NOW) -> breaker.Breaker:
    state = breaker.WELL
    for good in fates:
        state = state.succeeded() if good else state.failed(now, random.Random(1))
    return state


def test_a_few_failures_are_nothing_and_a_success_in_between_makes_them_forgotten():
    assert after(*[False] * 4).rests_until(NOW) == 0
    assert after(*[False] * 4, True, *[False] * 4).rests_until(NOW) == 0
    assert after(*[False] * 4, True) is breaker.WELL


def test_five_in_a_row_make_it_rest_for_at_most_half_a_minute():
    until = after(*[False] * 5).rests_until(NOW)
    assert 15 * SECOND <= until - NOW <= 30 * SECOND
    assert after(*[False] * 5).rests_until(until) == 0


def test_what_was_under_way_when_it_opened_does_not_prolong_it():
    assert after(*[False] * 5).until == after(*[False] * 40).until


def test_one_goes_first_and_the_others_wait_for_what_becomes_of_it():
    opened = after(*[False] * 5)
    later = opened.until
    probing = opened.probing(later)
    assert probing.rests_until(later) > later
    assert probing.succeeded().rests_until(later) == 0
    worse = probing.failed(later, random.Random(1))
    assert worse.opened == 2
    assert 30 * SECOND <= worse.until - later <= 60 * SECOND


def test_it_never_rests_longer_than_five_minutes():
    state, now = after(*[False] * 5), NOW
    for _ in range(20):
        now = state.until
        state = state.probing(now).failed(now, random.Random(2))
        assert state.until - now <= 300 * SECOND


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40))
def test_it_rests_only_after_five_failures_in_a_row_and_a_success_ends_all(steps):
    state, now, row = breaker.WELL, NOW, 0
    for good, seconds in steps:
        now += seconds * SECOND
        state = state.succeeded() if good else state.failed(now, random.Random(3))
        row = 0 if good else row + 1
        assert (state.opened > 0) == (row >= breaker.FAILURES)
        assert state.until - now <= 300 * SECOND


def told(name: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("incident_router_circuit_open", {"destination": name})


@pytest.mark.parametrize(
    ("kind", "said", "ill"),
    [
        (errors.Unanswered, ("no answer",), True),
        (errors.Temporary, ("cannot be reached",), True),
        (errors.Temporary, ("429", 3.0), False),
        (errors.Unanswered, ("503", 3.0), False),
        (functools.partial(errors.Permanent, status=422), ("422",), False),
        (lambda: None, (), False),
    ],
)
def test_only_what_says_that_the_vendor_is_ill_counts(kind, said, ill):
    at = breaker.Breakers(random.Random(1))
    for _ in range(5):
        at.fared("x", kind(*said), NOW)
    assert bool(at.rests_until("x", NOW)) is ill
    assert at.rests_until("another", NOW) == 0


def in_other_words(failure: errors.Failure) -> errors.Failure:
    other = errors.Unanswered(f"of an operation: {failure}")
    other.__cause__ = failure
    return other


def test_a_call_that_many_operations_waited_for_fails_once():
    at = breaker.Breakers(random.Random(1))
    for _ in range(4):
        shared = errors.Temporary("no answer within 1 s")
        for _ in range(5):
            at.fared("x", shared, NOW)
            at.fared("x", in_other_words(shared), NOW)
    assert at.rests_until("x", NOW) == 0
    at.fared("another", shared, NOW)
    at.fared("x", errors.Temporary("no answer within 1 s"), NOW)
    assert at.rests_until("x", NOW)


def test_it_is_told_when_it_opens_and_when_it_closes():
    at = breaker.Breakers(random.Random(1))
    for _ in range(5):
        at.fared("told", errors.Unanswered("no answer"), NOW)
    assert told("told") == 1
    at.fared("told", None, NOW)
    assert told("told") == 0
