import time

from router.sources import repeated


def test_values_of_one_name_are_joined_in_order():
    assert repeated.join_values([("a", "1"), ("b", "2"), ("a", "3"), ("", "4")]) == {"a": "1,3", "b": "2"}


def test_repeated_name_takes_linear_time():
    values = [("tag", "x" * 8)] * 200_000
    started = time.thread_time()
    assert len(repeated.join_values(values)["tag"]) == 200_000 * 9 - 1
    assert time.thread_time() - started < 1
