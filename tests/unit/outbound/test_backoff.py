"""Retry backoff: the delay before the next attempt."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.outbound import backoff


class Always:
    """A random source that always draws the same fraction of the maximum."""

    def __init__(self, share):
        self.share = share

    def getrandbits(self, k):
        return int(self.share * ((1 << k) - 1))


@pytest.mark.parametrize(("attempt", "most"), [(0, 0.5), (1, 0.5), (2, 1), (3, 2), (10, 256), (11, 300), (10**9, 300)])
def test_maximum_delay_doubles_up_to_the_cap(attempt, most):
    assert backoff.full_jitter(attempt, Always(1.0)) == pytest.approx(most)


def test_minimum_delay_is_zero():
    assert backoff.full_jitter(7, Always(0.0)) == 0


def test_base_and_cap_can_be_set():
    assert backoff.full_jitter(3, Always(1.0), base_seconds=2, cap_seconds=100) == pytest.approx(8)
    assert backoff.full_jitter(9, Always(1.0), base_seconds=2, cap_seconds=100) == pytest.approx(100)


@pytest.mark.parametrize(("asked", "most"), [(None, 300), (0.0, 30), (1.0, 31), (60.0, 90)])
def test_retry_after_does_not_increase_the_backoff(asked, most):
    delay = backoff.full_jitter(40, Always(1.0), cap_seconds=backoff.max_delay(asked), at_least=asked or 0.0)
    assert delay == pytest.approx(most)


@given(attempt=st.integers(1, 100), at_least=st.floats(0, 1000), seed=st.integers())
def test_delay_is_never_below_the_requested_minimum(attempt, at_least, seed):
    waited = backoff.full_jitter(attempt, random.Random(seed), at_least=at_least)
    assert at_least <= waited <= at_least + 300


def test_simultaneous_failures_retry_at_different_times():
    randomness = random.Random(1)
    waits = {backoff.full_jitter(5, randomness, at_least=30) for _ in range(100)}
    assert len(waits) == 100
