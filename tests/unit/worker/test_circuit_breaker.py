"""The circuit breaker opens for a failing vendor, ignores rate limits, and probes with one call."""

import functools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound import errors
from router.telemetry import metrics
from router.worker import circuit_breaker

SECOND = 1_000_000
NOW = 1_700_000_000 * SECOND


def after(*fates: bool, now: int = NOW) -> circuit_breaker.CircuitBreaker:
    state = circuit_breaker.CLOSED
    for good in fates:
        state = state.with_success() if good else state.with_failure(now, random.Random(1))
    return state


def test_success_resets_the_failure_count():
    assert after(*[False] * 4).open_until(NOW) == 0
    assert after(*[False] * 4, True, *[False] * 4).open_until(NOW) == 0
    assert after(*[False] * 4, True) is circuit_breaker.CLOSED


def test_five_failures_open_the_circuit_for_30_seconds():
    until = after(*[False] * 5).open_until(NOW)
    assert 15 * SECOND <= until - NOW <= 30 * SECOND
    assert after(*[False] * 5).open_until(until) == 0


def test_concurrent_failures_do_not_extend_the_open_period():
    assert after(*[False] * 5).until == after(*[False] * 40).until


def test_half_open_circuit_allows_a_single_probe():
    opened = after(*[False] * 5)
    later = opened.until
    probing = opened.with_probe(later)
    assert probing.open_until(later) > later
    assert probing.with_success().open_until(later) == 0
    worse = probing.with_failure(later, random.Random(1))
    assert worse.opened == 2
    assert 15 * SECOND <= worse.until - later <= 30 * SECOND


def test_open_period_is_at_most_30_seconds():
    state, now = after(*[False] * 5), NOW
    for _ in range(20):
        now = state.until
        state = state.with_probe(now).with_failure(now, random.Random(2))
        assert state.until - now <= 30 * SECOND


def test_recovery_seen_by_another_worker_allows_a_probe():
    opened = after(*[False] * 5)
    assert opened.with_recovery(NOW, NOW + SECOND) == opened  # The circuit opened after the recovery.
    probing = opened.with_recovery(NOW + 1, NOW + SECOND)
    assert probing.open_until(NOW + SECOND) == 0
    probing = probing.with_probe(NOW + SECOND)
    assert probing.with_recovery(NOW + 1, NOW + SECOND) == probing  # One probe is enough.
    assert (
        probing.with_failure(NOW + 2 * SECOND, random.Random(1)).with_recovery(NOW + 1, NOW + 3 * SECOND).until
        > NOW + SECOND
    )


def test_probe_without_a_result_is_released():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(5):
        at.record("x", errors.Unanswered("no answer"), NOW)
    later = NOW + 31 * SECOND
    assert at.open_until("x", later) == 0
    at.record("x", errors.Queued("a pause", 3.0), later)
    assert at.is_half_open("x")
    assert at.open_until("x", later)
    at.release_probe("x", later)
    assert at.open_until("x", later) == 0


@pytest.mark.parametrize("answer", [None, errors.Permanent("422", status=422)])
def test_response_that_closes_the_circuit_is_a_recovery(answer):
    """Regardless of failures of other kinds of operations, and of a recovery just before."""
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    at.record("x", None, NOW, "open")
    at.take_recovery("x")
    for kind in ("open", "resolve", "update", "open", "resolve"):
        at.record("x", errors.Unanswered("no answer"), NOW + SECOND, kind)
    at.record("x", answer, NOW + 2 * SECOND, "publish")
    assert at.take_recovery("x")


def test_operation_kind_that_succeeds_again_is_a_recovery():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    at.record("x", None, NOW, "open")
    at.take_recovery("x")
    for kind in ("open", "resolve", "update"):
        at.record("x", errors.Unanswered("no answer"), NOW + SECOND, kind)
    for kind in ("open", "resolve", "update"):
        at.record("x", None, NOW + 2 * SECOND, kind)
        assert at.take_recovery("x")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 100)), max_size=40))
def test_circuit_opens_after_five_consecutive_failures(steps):
    state, now, row = circuit_breaker.CLOSED, NOW, 0
    for good, seconds in steps:
        now += seconds * SECOND
        state = state.with_success() if good else state.with_failure(now, random.Random(3))
        row = 0 if good else row + 1
        assert (state.opened > 0) == (row >= circuit_breaker.FAILURES)
        assert state.until - now <= 30 * SECOND


def read_open_state(name: str) -> float | None:
    return metrics.REGISTRY.get_sample_value(
        "incident_router_circuit_breaker_state", {"destination": name, "state": "open"}
    )


@pytest.mark.parametrize(
    ("kind", "said", "ill"),
    [
        (errors.Unanswered, ("no answer",), True),
        (errors.Temporary, ("cannot be reached",), True),
        (errors.Throttled, ("429", 3.0), True),
        (functools.partial(errors.Throttled, limit="creates", is_account_wide=False), ("429", 3.0), False),
        (errors.Unanswered, ("503", 3.0), True),
        (functools.partial(errors.Denied, status=401), ("401",), True),
        (functools.partial(errors.Conflict, status=409), ("409",), False),
        (errors.Queued, ("the quota is used up", 3.0), False),
        (functools.partial(errors.Permanent, status=422), ("422",), False),
        (lambda: None, (), False),
    ],
)
def test_only_vendor_failures_open_the_circuit(kind, said, ill):
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(5):
        at.record("x", kind(*said), NOW)
    assert bool(at.open_until("x", NOW)) is ill
    assert at.open_until("another", NOW) == 0


def wrap(failure: errors.Failure) -> errors.Failure:
    other = errors.Unanswered(f"of an operation: {failure}")
    other.__cause__ = failure
    return other


def test_shared_call_is_recorded_as_one_failure():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(4):
        shared = errors.Temporary("no answer within 1 s")
        for _ in range(5):
            at.record("x", shared, NOW)
            at.record("x", wrap(shared), NOW)
    assert at.open_until("x", NOW) == 0
    at.record("another", shared, NOW)
    at.record("x", errors.Temporary("no answer within 1 s"), NOW)
    assert at.open_until("x", NOW)


def test_opening_and_closing_are_reported():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(5):
        at.record("told", errors.Unanswered("no answer"), NOW)
    assert read_open_state("told") == 1
    at.record("told", None, NOW)
    assert read_open_state("told") == 0


def wrap_unknown(cause: errors.Failure) -> errors.Failure:
    other = errors.Unanswered(str(cause))
    other.__cause__ = cause
    return other


def test_rejected_repeat_of_open_is_not_a_failure():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(9):
        at.record("x", wrap_unknown(errors.Permanent("422", status=422)), NOW, "open")
    assert at.open_until("x", NOW) == 0
    assert at.health["x"].works


def test_failing_opens_are_unhealthy_despite_successful_resolutions():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for minute in range(10):
        at.record("x", errors.Unanswered("503", 3.0), NOW + minute * 60 * SECOND, "open")
        at.record("x", None, NOW + minute * 60 * SECOND, "resolve")
    assert at.health["x"].failing_since == NOW
    at.record("x", None, NOW + 11 * 60 * SECOND, "open")
    assert at.health["x"].works


def test_successes_end_a_single_failure_of_another_kind():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    at.record("x", errors.Unanswered("503"), NOW, "update")
    at.record("x", None, NOW + SECOND, "resolve")
    assert at.health["x"].failing_since == NOW
    at.record("x", None, NOW + 31 * SECOND, "open")
    assert at.health["x"].works


def test_first_success_after_a_failure_is_one_recovery():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    at.record("x", None, NOW, "open")
    assert at.take_recovery("x")  # The first response of a worker: waiting operations may have failed before its start.
    at.record("x", None, NOW, "open")
    assert not at.take_recovery("x")
    at.record("x", errors.Denied("401", status=401), NOW, "open")
    assert not at.take_recovery("x")
    at.record("x", None, NOW + SECOND, "open")
    assert at.take_recovery("x")
    assert not at.take_recovery("x")


def test_other_failures_allow_a_recovery_every_30_seconds():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    recoveries = 0
    for second in range(150):
        at.record("x", errors.Denied("403", status=403), NOW + second * SECOND, "open")
        at.record("x", None, NOW + second * SECOND, "resolve")
        recoveries += at.take_recovery("x")
    assert recoveries == 5


def test_clock_set_back_does_not_extend_open_period():
    at = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(5):
        at.record("x", errors.Unanswered("no answer"), NOW)
    assert at.open_until("x", NOW - 3600 * SECOND) == 0
