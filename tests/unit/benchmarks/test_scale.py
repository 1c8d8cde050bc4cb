"""The number of processes follows from what an alert costs each role."""

import pytest

from tests.benchmarks import scale

COSTS = scale.Costs(web=60, worker=90, valkey=30)


@pytest.mark.parametrize(
    ("alerts_a_second", "expected"),
    [
        (100, scale.Replicas(1, 1, 0.003, True)),
        (10_000, scale.Replicas(1, 2, 0.3, True)),
        (20_000, scale.Replicas(2, 3, 0.6, True)),
        (21_000, scale.Replicas(3, 4, 0.63, False)),
    ],
)
def test_processes_are_busy_for_at_most_60_percent(alerts_a_second, expected):
    found = scale.model(COSTS, alerts_a_second)
    assert found[:2] == expected[:2]
    assert found.valkey_cores == pytest.approx(expected.valkey_cores)
    assert found.is_valkey_enough == expected.is_valkey_enough
