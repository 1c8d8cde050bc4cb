"""A circuit breaker is closed, open, or half-open, and the metric says which."""

import random

from router.outbound import errors
from router.telemetry import metrics
from router.worker import circuit_breaker

AWAY = "the vendor can't be reached"
NOW = 1_700_000_000_000_000
SECOND = 1_000_000


def exported(name: str) -> list[str]:
    """The states that the metric has at 1."""
    read = metrics.REGISTRY.get_sample_value
    series = "incident_router_circuit_breaker_state"
    return [one for one in circuit_breaker.STATES if read(series, {"destination": name, "state": one})]


def test_metric_follows_the_state():
    name = "states-on-call"
    breakers = circuit_breaker.CircuitBreakers(random.Random(1))
    for _ in range(circuit_breaker.FAILURES):
        assert exported(name) == []  # It has not changed since the start of the process, which exports it as closed.
        breakers.record(name, errors.Unanswered(AWAY), NOW)
    assert exported(name) == ["open"]
    assert breakers.open_until(name, NOW + 30 * SECOND) == 0
    assert exported(name) == ["half_open"]
    breakers.release_probe(name, NOW + 30 * SECOND)
    assert exported(name) == ["open"]
    breakers.open_until(name, NOW + 30 * SECOND)
    breakers.record(name, None, NOW + 31 * SECOND)
    assert exported(name) == ["closed"]
