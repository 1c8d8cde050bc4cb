"""The rate of deliveries, computed from occasional observations."""

from router.services import rate_meter

SECOND = 1_000_000


def list_rates(*looks: tuple[float, int]) -> list[float | None]:
    pace = rate_meter.Rates()
    return [pace.a_minute(int(seconds * SECOND), count) for seconds, count in looks]


def test_rate_is_unknown_for_the_first_ten_seconds():
    assert list_rates((100, 5), (102, 9), (109.9, 90)) == [None, None, None]


def test_rate_is_deliveries_per_minute():
    assert list_rates((100, 50), (110, 60), (130, 110))[1:] == [60.0, 120.0]


def test_counts_older_than_a_minute_are_ignored():
    looks = [(100 + 5 * number, 1000 if number else 1) for number in range(14)]
    assert list_rates(*looks)[-1] == 0.0


def test_rate_is_unknown_after_a_pause():
    assert list_rates((100, 50), (110, 60), (1000, 900), (1010, 910)) == [None, 60.0, None, 60.0]


def test_restarted_or_empty_counter_gives_no_rate():
    assert list_rates((100, 50), (110, 3), (120, 13)) == [None, None, 60.0]
    assert list_rates((100, 50), (110, 0), (120, 60)) == [None, None, None]


def test_history_is_limited_to_a_minute():
    pace = rate_meter.Rates()
    for number in range(10_000):
        pace.a_minute(100 * SECOND + number * SECOND // 10, number + 1)
    assert len(pace._readings) <= 62
