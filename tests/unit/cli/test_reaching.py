"""Reading paginated lists from a router."""

import asyncio

import pytest

from router.cli import router_access
from router.services import models


class PagedList:
    """A paginated list of numbers that records the requests it receives."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.asked: list[tuple[str, int]] = []

    async def read(self, *, cursor: str, limit: int) -> models.Page[int]:
        self.asked.append((cursor, limit))
        begin = int(cursor or 0)
        end = min(begin + limit, self.size)
        return models.Page(items=list(range(begin, end)), next=str(end) if end < self.size else "")


def take_rows(shelf: PagedList, at_once: int, *most: int) -> list[int]:
    async def main() -> list[int]:
        return [row async for row in router_access.rows(shelf.read, at_once, *most)]

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("size", "asked"),
    [
        (0, [("", 3)]),
        (3, [("", 3)]),
        (7, [("", 3), ("3", 3), ("6", 3)]),
    ],
)
def test_every_row_is_read_once_in_order(size, asked):
    shelf = PagedList(size)
    assert take_rows(shelf, 3) == list(range(size))
    assert shelf.asked == asked


@pytest.mark.parametrize(
    ("most", "asked"),
    [
        (2, [("", 2)]),
        (3, [("", 3)]),
        (5, [("", 3), ("3", 2)]),
        (9, [("", 3), ("3", 3), ("6", 3)]),
    ],
)
def test_number_of_requested_rows_is_limited(most, asked):
    shelf = PagedList(7)
    assert take_rows(shelf, 3, most) == list(range(7))[:most]
    assert shelf.asked == asked


def test_reading_stops_at_the_row_searched_for():
    shelf = PagedList(100)

    async def first_above(number: int) -> int:
        async for row in router_access.rows(shelf.read, 10):
            if row > number:
                return row
        raise AssertionError

    assert asyncio.run(first_above(12)) == 13
    assert shelf.asked == [("", 10), ("10", 10)]
