"""Quotas are shared by all workers and admit urgent operations first; a pause of the vendor applies to all workers."""

import asyncio

import pytest

from router.bootstrap import factories
from router.destinations import base
from router.outbound import call_policy, client, errors
from router.store import quotas
from router.store.store import Store
from tests.end_to_end import harness
from tests.integration import vendor, workers

NOW, UPDATE, LAST = call_policy.Turn(0.0), call_policy.Turn(0.4), call_policy.Turn(0.9)
MINUTE = 60_000_000


async def get_refill(store, since: int, per_minute: int) -> int:
    """Return the number of calls that a quota has gained since a server time, rounded up."""
    return (await workers.get_time(store) - since) * per_minute // MINUTE + 1


def test_burst_is_limited_to_four_fifths(with_redis):
    async def body(store):
        shared = [store.make_quota("account", 100) for _ in range(3)]
        began = await workers.get_time(store)
        waits = await asyncio.gather(*(shared[number % 3].admit(NOW) for number in range(100)))
        assert sum(one.wait == 0 for one in waits) in range(80, 82 + await get_refill(store, began, 80))
        assert 0 < max(one.wait for one in waits) <= 60 / 80
        assert (await store.make_quota("another", 100).admit(NOW)).wait == 0

    with_redis(body)


def test_urgent_operations_pass_when_updates_wait(with_redis):
    async def body(store):
        quota = store.make_quota("account", 100)
        taken = {0.4: 0, 0.2: 0, 0.0: 0}
        began = await workers.get_time(store)
        for floor in taken:
            while (await quota.admit(call_policy.Turn(floor))).wait == 0:
                taken[floor] += 1
        more = await get_refill(store, began, 80)
        assert 46 <= taken[0.4] <= 50 + more
        assert 14 <= taken[0.2] <= 18 + more
        assert 14 <= taken[0.0] <= 18 + more

    with_redis(body)


def test_lower_limit_delays_no_other_destination(with_redis):
    """A call of the slower destination must not shrink the bucket to its own limit and delay the other's opens."""

    async def body(store):
        key = {"api_key": "same", "base_url": "https://vendor.example"}
        fast, slow = base.Config(kind="test", per_minute=1200, **key), base.Config(kind="test", per_minute=120, **key)
        alone = base.Config(kind="test", per_minute=10, **{**key, "api_key": "another"})
        quota = [factories.quota(store, one, (fast, slow, alone)) for one in (slow, fast)]
        assert [(await one.admit(call_policy.Turn(quotas.OPENS))).wait for one in quota] == [0, 0]

    with_redis(body)


def test_quota_refills_over_time(with_redis):
    async def body(store):
        quota = store.make_quota("account", 375)  # 5 calls per second, with a burst of 300.
        while (await quota.admit(LAST)).wait == 0:
            pass

        async def admitted():
            return (await quota.admit(LAST)).wait == 0

        async with asyncio.timeout(60):
            while not await admitted():
                await asyncio.sleep(0.001)

    with_redis(body)


def test_smallest_quota_admits_every_kind_when_full(with_redis):
    """A share is reserved for urgent operations only if the quota exceeds the share by at least one call."""

    async def body(store):
        for per_minute in (1, 2, 3):
            for floor in (0.0, 0.2, 0.4, 0.9):
                quota = store.make_quota(f"account-{per_minute}-{floor}", per_minute)
                assert (await quota.admit(call_policy.Turn(floor))).wait == 0
                assert (await quota.admit(call_policy.Turn(floor))).wait <= 60

    with_redis(body)


def test_smallest_quota_refills_after_a_minute(with_redis):
    async def body(store):
        quota = store.make_quota("account", 1)
        assert await quota.exhausted_for() == 0
        assert (await quota.admit(call_policy.Turn(quotas.OPENS))).wait == 0
        assert 0 < await quota.exhausted_for() <= 60

    with_redis(body)


def test_vendor_pause_applies_to_all_workers(with_redis):
    async def body(store):
        await store.make_quota("account", 100).pause(7.0)
        admission = await store.make_quota("account", 100).admit(UPDATE)
        assert 6 < admission.wait <= 7
        assert admission.is_paused
        assert await store.redis.pttl("ir:{quotas}:account") > 7_000

    with_redis(body)


def test_operations_resume_gradually_after_a_pause(with_redis):
    async def body(store):
        quota = store.make_quota("account", 1000)
        await quota.admit(NOW)
        await quota.pause(60.0)
        assert 59 < (await quota.admit(UPDATE)).wait <= 60
        began = await workers.get_time(store)
        # The pause has ended. The quota begins to refill where the pause ends.
        await store.redis.hset("ir:{quotas}:account", mapping={"from:": began - 1, "until:": began, "at": began})
        taken = 0
        while not (await quota.admit(NOW)).wait:
            taken += 1
        assert 300 <= taken < 320 + await get_refill(store, began, 800)

    with_redis(body)


def test_clock_set_back_stops_no_call(with_redis):
    """Stored times one hour in the future delay neither a quota nor the calls after a pause."""

    async def body(store):
        quota = store.make_quota("account", 100)
        assert (await quota.admit(UPDATE)).wait == 0
        seconds, _ = await store.redis.time()
        ahead = (seconds + 3600) * 1_000_000
        await store.redis.hset("ir:{quotas}:account", mapping={"at": ahead, "left": 60})
        assert (await quota.admit(UPDATE)).wait == 0
        await store.redis.hset("ir:{quotas}:account", mapping={"from:": ahead, "until:": ahead + 7_000_000})
        admission = await quota.admit(UPDATE)
        assert admission.is_paused
        assert 6 < admission.wait <= 7

    with_redis(body)


def test_endpoint_pause_does_not_stop_other_endpoints(with_redis):
    async def body(store):
        quota = store.make_quota("account", 100)
        await quota.pause(60.0, "POST /v1/incidents")
        assert (await quota.admit(call_policy.Turn(0.2, "POST /v1/incidents"))).is_paused
        assert (await quota.admit(call_policy.Turn(0.2, "POST /v2/incidents/{id}/actions/edit"))).wait == 0
        assert [pause.endpoint for pause in await quota.pauses()] == ["POST /v1/incidents"]
        assert await quota.lift() == 1
        assert await quota.pauses() == []
        assert (await quota.admit(call_policy.Turn(0.2, "POST /v1/incidents"))).wait == 0

    with_redis(body)


def test_long_pause_admits_some_resolutions(with_redis):
    async def body(store):
        quota = store.make_quota("account", 100)
        await quota.pause(900.0)
        first = await quota.admit(NOW)
        assert first.is_paused
        assert first.wait <= 30
        seconds, _ = await store.redis.time()
        await store.redis.hset("ir:{quotas}:account", "probed", (seconds - 31) * 1_000_000)
        assert [(await quota.admit(NOW)).wait == 0 for _ in range(6)] == [True] * 4 + [False] * 2
        assert (await quota.admit(UPDATE)).wait > 800

    with_redis(body)


def test_call_without_redis_is_admitted():
    async def body():
        store = Store.connect("redis://127.0.0.1:1")
        quota = store.make_quota("account", 1)
        assert [(await quota.admit(NOW)).wait for _ in range(3)] == [0, 0, 0]
        await quota.pause(1.0)
        await store.aclose()

    asyncio.run(body())


class CountedQuota:
    """A quota with a limited number of calls."""

    def __init__(self, left: int) -> None:
        self.left = left
        self.floors: list[float] = []
        self.paused: list[float] = []

    async def admit(self, turn: call_policy.Turn) -> call_policy.Admission:
        self.floors.append(turn.floor)
        self.left -= 1
        return call_policy.Admission(0.0 if self.left >= 0 else 2.5)

    async def pause(self, seconds: float, endpoint: str) -> None:  # noqa: ARG002 - a patience.Quota
        self.paused.append(seconds)


def test_call_beyond_quota_is_not_made():
    """The pause that the vendor requested is recorded."""

    async def body(at):
        http = client.Client(
            name="x",
            base_url=f"{at.url}/devhelm",
            headers={"authorization": "Bearer k"},
            timeout_seconds=5,
            now=lambda: 0,
        )
        http.quota = quota = CountedQuota(2)
        await http.call("GET", "/api/v1/incidents")
        at.fault(vendor="devhelm", method="GET", action="429", retry_after=3)
        for asked in (3.0, 2.5):
            with pytest.raises(errors.Temporary) as raised:
                await http.call("GET", "/api/v1/incidents")
            assert raised.value.retry_after == asked
        assert len(at.calls("GET", "/api/v1/incidents")) == 2
        assert quota.paused == [3.0]
        await http.aclose()

    with harness.vendors() as at:
        asyncio.run(body(at))


def test_operations_leave_quota_for_more_urgent_ones(with_redis):
    floors: dict[str, float] = {}

    class Watching(vendor.Vendor):
        def within(self, budget):
            self.budget = budget
            return self

        def _called(self, operation):
            floors[operation.kind] = self.budget.floor
            super()._called(operation)

    at = Watching()

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        await on.deliver(workers.firing("b"), level=workers.severities.Severity.CRITICAL)
        await on.turn()
        await on.deliver(workers.resolved(), workers.resolved("b"))
        await on.turn()
        assert floors["resolve"] < floors["open"] < floors["update"]

    workers.run(with_redis, play, vendor.on_call(at))


def test_waiting_for_quota_does_not_open_the_circuit(with_redis):
    """A call without a response times out earlier, so the remaining time is a wait of the router."""
    at = vendor.Vendor()
    at.before = [TimeoutError()] * 7

    async def play(on):
        await on.deliver(workers.firing())
        await on.turn()
        assert (len(at.calls), at.states()) == (8, ["open"])

    workers.run(with_redis, play, vendor.on_call(at))


def test_circuit_breaker_stops_only_the_failing_vendor(with_redis):
    ill, well = vendor.Vendor(), vendor.Vendor()

    async def play(on):
        ill.before = [errors.Temporary("cannot be reached") for _ in range(100)]
        for number in range(8):
            await on.deliver(workers.firing(f"f{number}"), key=f"k{number}", response=both())
        await on.turn()
        calls = len(ill.calls)
        await on.turn()
        assert len(ill.calls) == calls  # No call was made, although retries were due.
        assert well.states() == ["open"] * 8
        assert on.performer.breakers.open_until("ill", await on.redis_now())

    def both():
        return workers.rule(workers.decisions.Target("ill", {}), workers.decisions.Target("on-call", {}))

    workers.run(with_redis, play, vendor.place("ill", ill), vendor.on_call(well))
