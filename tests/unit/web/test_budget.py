"""The memory budget of request bodies: charged at each step, and released at each exit."""

import asyncio
import contextlib

import pytest

from router.web import budget, problems, request_limits


def test_request_reserves_and_releases_bytes():
    whole = budget.Budget(100)
    with whole.share(is_proven=True) as share:
        share.take(60)
        share.take(40)
        share.give_back(60)
        assert (whole.used, share.room) == (40, 60)
    assert whole.used == 0


def test_request_beyond_the_budget_gets_retry_after():
    whole = budget.Budget(100)
    with whole.share(is_proven=True) as first, whole.share(is_proven=True) as second:
        first.take(90)
        with pytest.raises(problems.Problem) as refused:
            second.take(11)
        assert (refused.value.status, refused.value.headers) == (503, ((b"retry-after", b"1"),))
        second.take(10)
    assert whole.used == 0


def test_unauthenticated_senders_share_half():
    whole = budget.Budget(100)
    with (
        whole.share(is_proven=False) as first,
        whole.share(is_proven=False) as second,
        whole.share(is_proven=True) as known,
    ):
        first.take(50)
        with pytest.raises(problems.Problem):
            second.take(1)
        known.take(10)
        first.prove()
        second.take(40)
        assert (whole.used, whole.used_unproven) == (100, 40)
    assert (whole.used, whole.used_unproven) == (0, 0)


def test_share_is_released_after_an_exception():
    whole = budget.Budget(100)
    with contextlib.suppress(ZeroDivisionError), whole.share(is_proven=False) as share:
        share.take(10)
        raise ZeroDivisionError
    assert (whole.used, whole.used_unproven) == (0, 0)


def test_small_bodies_fit_despite_a_full_large_budget():
    large = budget.LARGE_BYTES + 1
    whole = budget.Budget(large * 4)
    with contextlib.ExitStack() as stack:
        shares = [stack.enter_context(whole.share(is_proven=True)) for _ in range(5)]
        for share in shares[:3]:
            share.take(large)
        with pytest.raises(problems.Problem):
            shares[3].require(large)
        shares[3].take(budget.LARGE_BYTES)
        with pytest.raises(problems.Problem):
            shares[3].take(1)
        shares[0].give_back(large)
        shares[3].take(1)
        assert whole.used_large == 3 * large
    assert (whole.used, whole.used_large) == (0, 0)


def test_large_and_small_bodies_wait_in_different_queues():
    whole = budget.Budget(400)
    assert whole.turns(budget.LARGE_BYTES) is whole.small
    assert whole.turns(budget.LARGE_BYTES + 1) is whole.large


def test_bodies_are_parsed_in_order_of_arrival():
    async def main() -> None:
        turns = budget.Turns(100)
        order: list[str] = []

        async def parse(name: str, size: int, ends: asyncio.Event) -> None:
            await turns.begin(size)
            order.append(name)
            try:
                await ends.wait()
            finally:
                turns.end(size)

        ends = {name: asyncio.Event() for name in ("a", "b", "large", "last")}
        sizes = {"a": 50, "b": 50, "large": 300, "last": 1}
        tasks = {}
        for name, size in sizes.items():
            tasks[name] = asyncio.create_task(parse(name, size, ends[name]))
            await asyncio.sleep(0)
        assert order == ["a", "b"]
        ends["a"].set()
        await tasks["a"]
        assert order == ["a", "b"]
        ends["b"].set()
        await asyncio.wait({tasks["b"]})
        await asyncio.sleep(0)
        assert order == ["a", "b", "large"]
        ends["large"].set()
        ends["last"].set()
        await asyncio.gather(*tasks.values())
        assert order == ["a", "b", "large", "last"]
        assert turns.used == 0

    asyncio.run(main())


@pytest.mark.parametrize("let_in_first", [False, True])
def test_disconnected_waiting_sender_does_not_delay_others(let_in_first):
    async def main() -> None:
        turns = budget.Turns(100)
        await turns.begin(100)
        waiting = asyncio.create_task(turns.begin(100))
        behind = asyncio.create_task(turns.begin(50))
        await asyncio.sleep(0)
        if let_in_first:
            turns.end(100)
        waiting.cancel()
        await asyncio.wait({waiting})
        if not let_in_first:
            turns.end(100)
        await asyncio.wait_for(behind, 5)
        turns.end(50)
        assert turns.used == 0

    asyncio.run(main())


def test_body_begins_within_the_limit_or_alone():
    turns = budget.Turns(100)
    assert turns.try_begin(60)
    assert not turns.try_begin(60)
    turns.end(60)
    assert turns.try_begin(500), "a body larger than the limit is parsed alone"
    assert turns.used == 500


@pytest.mark.parametrize("body", [b"[]", b"[{},{},{}]", b"[[[", b",,,", b'{"a":1}', b"[{}," * 1000])
def test_no_body_has_more_values_than_estimated(body):
    estimate = budget.parsed_size(len(body), request_limits.count_values(body))
    assert estimate <= budget.largest_parsed_size(len(body))
