"""A circuit breaker is closed, open, or half-open, and the metric exports the state."""

import random

import pytest

from router.outbound import errors
from router.telemetry import metrics
from router.worker import circuit_breaker

AWAY = "the vendor can't be reached"
NOW = 1_700_000_000_000_000
SECOND = 1_000_000


def list_exported(name: str) -> list[str]:
    """Return the states for which the metric is 1."""
    read = metrics.REGISTRY.get_sample_value
    series = "incident_router_circuit_breaker_state"
    return [state for state in circuit_breaker.STATES if read(series, {"destination": name, "state": state})]


def test_metric_follows_the_state():
    name = "states-on-call"
    breakers = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(circuit_breaker.FAILURES):
        assert (
            list_exported(name) == []
        )  # No change since the start of the process, which exports the breaker as closed.
        breakers.record(name, errors.Unanswered(AWAY), NOW)
    assert list_exported(name) == ["open"]
    assert breakers.open_until(name, NOW + 30 * SECOND) == 0
    assert list_exported(name) == ["half_open"]
    breakers.release_probe(name, NOW + 30 * SECOND)
    assert list_exported(name) == ["open"]
    breakers.open_until(name, NOW + 30 * SECOND)
    breakers.record(name, None, NOW + 31 * SECOND)
    assert list_exported(name) == ["closed"]


IDLE = int(circuit_breaker.IDLE_SECONDS * SECOND)


@pytest.mark.parametrize(
    ("later", "recovered_at", "state"),
    [
        (SECOND, 0, "open"),
        (60 * SECOND, 0, "open"),
        (IDLE, 0, "open"),
        (IDLE + 31 * SECOND, 0, "closed"),
        (60 * SECOND, NOW + SECOND, "closed"),
        (60 * SECOND, NOW - SECOND, "open"),
        (SECOND, NOW + SECOND // 2, "open"),
    ],
    ids=["just opened", "unprobed", "not idle yet", "idle", "recovered", "recovered before", "recovered at once"],
)
def test_outdated_open_circuit_breaker_is_closed(later, recovered_at, state):
    breakers = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(circuit_breaker.FAILURES):
        breakers.record("there", errors.Unanswered("no answer"), NOW)
    breakers.close_outdated(NOW + later, {"there": recovered_at})
    assert list_exported("there") == [state]
    assert breakers.has_open == (state == "open")


def test_probed_circuit_breaker_is_not_closed_as_outdated():
    breakers = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(circuit_breaker.FAILURES):
        breakers.record("probed", errors.Unanswered("no answer"), NOW)
    assert breakers.open_until("probed", NOW + IDLE) == 0
    breakers.close_outdated(NOW + 2 * IDLE, {"probed": NOW + 1})
    assert list_exported("probed") == ["half_open"]
