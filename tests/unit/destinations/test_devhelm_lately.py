"""Concurrent searches share one list request, but never one that started before the search."""

import asyncio
import datetime as dt

import pytest

from router.destinations.devhelm import recent_posts
from router.outbound import errors

NOON = dt.datetime(2023, 11, 14, 12, tzinfo=dt.UTC)


class Post:
    """The fields of a post that the tests compare."""

    def __init__(self, number: int, created_at: dt.datetime = NOON) -> None:
        self.number, self.created_at = number, created_at


class Page:
    """A page that answers a list request when the test releases it, with the posts at the time of the request."""

    def __init__(self) -> None:
        self.posts: list[Post] = []
        self.asked: list[tuple[str, dt.datetime]] = []
        self.may_answer = asyncio.Event()
        self.problem: Exception | None = None

    async def read(self, page_id, since):
        self.asked.append((page_id, since))
        found = list(self.posts)
        await self.may_answer.wait()
        if self.problem is not None:
            raise self.problem
        return found


def run_play(play):
    async def main():
        page = Page()
        asked = recent_posts.RecentPosts()
        try:
            await play(page, asked)
        finally:
            await asked.aclose()

    asyncio.run(main())


async def wait_for_requests(page, times):
    async with asyncio.timeout(5):
        while len(page.asked) < times:
            await asyncio.sleep(0)


def list_numbers(posts):
    return [post.number for post in posts]


def test_hundred_concurrent_searches_share_two_lists():
    async def play(page, asked):
        page.posts.append(Post(1))
        waiting = [asyncio.create_task(asked.read("p", NOON, page.read)) for _ in range(100)]
        await wait_for_requests(page, 1)
        page.may_answer.set()
        assert [list_numbers(found) for found in await asyncio.gather(*waiting)] == [[1]] * 100
        assert len(page.asked) == 1

    run_play(play)


def test_search_during_a_list_request_starts_another():
    """The running request may have started before the post was created."""

    async def play(page, asked):
        first = asyncio.create_task(asked.read("p", NOON, page.read))
        await wait_for_requests(page, 1)
        page.posts.append(Post(2))
        later = [asyncio.create_task(asked.read("p", NOON, page.read)) for _ in range(5)]
        page.may_answer.set()
        assert list_numbers(await first) == []
        assert [list_numbers(await one) for one in later] == [[2]] * 5
        assert len(page.asked) == 2

    run_play(play)


def test_list_covers_the_earliest_requested_time():
    async def play(page, asked):
        hour = dt.timedelta(hours=1)
        page.posts += [Post(1, NOON - hour), Post(2, NOON)]
        page.may_answer.set()
        new, old = await asyncio.gather(asked.read("p", NOON, page.read), asked.read("p", NOON - hour, page.read))
        assert (list_numbers(new), list_numbers(old)) == ([2], [1, 2])
        assert page.asked == [("p", NOON - hour)]

    run_play(play)


def test_lists_of_different_pages_are_fetched_concurrently():
    async def play(page, asked):
        both = [asyncio.create_task(asked.read(name, NOON, page.read)) for name in ("p", "q")]
        await wait_for_requests(page, 2)
        page.may_answer.set()
        await asyncio.gather(*both)
        assert sorted(page.asked) == [("p", NOON), ("q", NOON)]

    run_play(play)


def test_failure_reaches_all_searches_and_next_one_retries():
    async def play(page, asked):
        page.problem = errors.Temporary("503", 2.0)
        page.may_answer.set()
        told = await asyncio.gather(*(asked.read("p", NOON, page.read) for _ in range(3)), return_exceptions=True)
        assert [str(one) for one in told] == ["503"] * 3
        page.problem = None
        assert await asked.read("p", NOON, page.read) == []
        assert len(page.asked) == 2

    run_play(play)


def test_cancelled_search_does_not_cancel_the_others():
    async def play(page, asked):
        page.posts.append(Post(1))
        hasty, patient = (asyncio.create_task(asked.read("p", NOON, page.read)) for _ in range(2))
        await wait_for_requests(page, 1)
        hasty.cancel()
        with pytest.raises(asyncio.CancelledError):
            await hasty
        page.may_answer.set()
        assert list_numbers(await patient) == [1]

    run_play(play)


def test_failure_of_an_abandoned_list_is_ignored():
    async def play(page, asked):
        page.problem = errors.Temporary("503")
        waiting = asyncio.create_task(asked.read("p", NOON, page.read))
        await wait_for_requests(page, 1)
        waiting.cancel()
        page.may_answer.set()
        await asyncio.gather(waiting, return_exceptions=True)

    run_play(play)


def test_closing_the_account_cancels_pending_searches():
    async def play(page, asked):
        waiting = asyncio.create_task(asked.read("p", NOON, page.read))
        await wait_for_requests(page, 1)
        await asked.aclose()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    run_play(play)
