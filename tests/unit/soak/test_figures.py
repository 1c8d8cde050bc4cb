"""A soak run reports memory, file descriptors, and times exactly as read."""

import os

import pytest

from tools.soak import cluster, figures

MIB = 1024 * 1024


def make_reading(
    seconds: float, held: dict[cluster.Life, float], store: float = 0, descriptors: int = 10
) -> figures.Reading:
    usages = {life: figures.Usage(int(memory * MIB), descriptors) for life, memory in held.items()}
    return figures.Reading(seconds, usages, int(store * MIB), 100)


FIRST, SECOND = cluster.Life("web-0", 1, 11), cluster.Life("web-0", 2, 12)
OTHER = cluster.Life("web-1", 1, 13)
WORKER = cluster.Life("worker-0", 1, 14)


def test_usage_of_a_process_is_read_from_proc():
    mine = figures.usage(os.getpid())
    assert mine is not None
    assert mine.memory > MIB
    with open(os.devnull) as _one, open(os.devnull) as _another:
        more = figures.usage(os.getpid())
    assert more is not None
    assert more.descriptors == mine.descriptors + 2


def test_ended_process_has_no_readings(tmp_path):
    assert figures.usage(1, tmp_path) is None


def test_memory_is_resident_memory_in_bytes(tmp_path):
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "fd" / "0").touch()
    (tmp_path / "7" / "status").write_text("Name:\tpython\nVmPeak:\t 9000 kB\nVmRSS:\t  2048 kB\n")
    assert figures.usage(7, tmp_path) == figures.Usage(2 * MIB, 1)


def test_zombie_process_has_no_usage(tmp_path):
    (tmp_path / "7" / "fd").mkdir(parents=True)
    (tmp_path / "7" / "status").write_text("Name:\tpython\nState:\tZ (zombie)\n")
    assert figures.usage(7, tmp_path) == figures.Usage(0, 0)


@pytest.mark.parametrize(
    ("points", "rise"),
    [
        ([], 0.0),
        ([[]], 0.0),
        ([[(1.0, 5.0)]], 0.0),
        ([[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]], 2.0),
        ([[(0.0, 5.0), (1.0, 5.0)]], 0.0),
        ([[(0.0, 1.0), (1.0, 2.0)], [(10.0, 100.0), (11.0, 101.0)]], 1.0),  # A series may start at any value.
        ([[(0.0, 3.0), (1.0, 2.0)]], -1.0),
    ],
)
def test_slope_is_computed_over_all_series(points, rise):
    assert figures.slope(points) == pytest.approx(rise)


class TestTrends:
    def test_growth_within_each_life_is_detected(self):
        grown = [make_reading(60.0 * at, {FIRST: 50 + at}) for at in range(10)]
        grown += [make_reading(600 + 60.0 * at, {SECOND: 50 + at}) for at in range(10)]
        assert figures.trend(grown, "web").slope_mb_per_hour == pytest.approx(60.0)

    def test_different_size_after_a_restart_is_no_slope(self):
        level = [make_reading(60.0 * at, {FIRST: 90}) for at in range(10)]
        level += [make_reading(600 + 60.0 * at, {SECOND: 40}) for at in range(10)]
        assert figures.trend(level, "web").slope_mb_per_hour == 0.0

    def test_growth_during_warm_up_is_no_slope(self):
        warming = [make_reading(60.0 * at, {FIRST: 50 + 10 * min(at, 2)}) for at in range(12)]
        assert figures.trend(warming, "web").slope_mb_per_hour == 0.0

    def test_first_reading_of_a_life_is_discarded(self):
        found = [make_reading(60.0 * at, {FIRST: 60}) for at in range(10)]
        found += [make_reading(600 + 60.0 * at, {SECOND: 60 if at else 5}) for at in range(10)]
        assert figures.trend(found, "web").slope_mb_per_hour == 0.0

    def test_trends_are_computed_per_process_kind(self):
        found = [make_reading(60.0 * at, {FIRST: 50, WORKER: 50 + at}) for at in range(10)]
        assert figures.trend(found, "web").slope_mb_per_hour == 0.0
        assert figures.trend(found, "worker").slope_mb_per_hour == pytest.approx(60.0)

    def test_memory_is_the_largest_final_value(self):
        found = [make_reading(60, {FIRST: 99, OTHER: 5}), make_reading(120, {FIRST: 20, OTHER: 30, WORKER: 80})]
        assert figures.trend(found, "web").memory_mb == 30
        assert figures.memory(found[:1], "web") == 99

    def test_descriptors_are_compared_from_warm_start_to_end(self):
        found = [
            make_reading(at, {FIRST: 1}, descriptors=descriptors) for at, descriptors in enumerate([1, 10, 11, 30])
        ]
        trend = figures.trend(found, "web")
        assert (trend.descriptors_early, trend.descriptors_late) == (10, 30)

    def test_trend_without_readings_is_zero(self):
        assert figures.trend([], "web") == figures.Trend(0, 0, 0, 0)

    def test_store_slope_continues_over_its_lives(self):
        found = [make_reading(60.0 * at, {}, store=5 + at) for at in range(10)]
        assert figures.store_slope(found) == pytest.approx(60.0)

    def test_reading_without_a_store_is_omitted(self):
        found = [make_reading(60.0 * at, {}, store=0 if at == 6 else 5) for at in range(10)]
        assert figures.store_slope(found) == 0.0


@pytest.mark.parametrize(("share", "value"), [(0.0, 1.0), (0.5, 51.0), (0.99, 100.0), (1.0, 100.0)])
def test_percentile_is_one_of_the_values(share, value):
    assert figures.percentile([float(number) for number in range(100, 0, -1)], share) == value


def test_percentile_of_no_values_is_zero():
    assert figures.percentile([], 0.5) == 0.0


@pytest.mark.parametrize(
    ("stretches", "first", "last"),
    [
        ([[1.0], [2.0], [3.0], [4.0]], [1.0], [4.0]),
        ([[1.0], [2.0], [3.0], [4.0], [5.0], [6.0], [7.0], [8.0, 9.0]], [1.0, 2.0], [7.0, 8.0, 9.0]),
        ([[1.0]], [1.0], [1.0]),
        ([[]], [], []),
    ],
)
def test_quarters_are_divided_by_time(stretches, first, last):
    assert figures.quarters(stretches) == (first, last)
