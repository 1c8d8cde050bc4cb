"""The console at its design size: 1,000 open incidents, 120 pending reviews, and 100,000 deliveries."""

import operator
import random
import time

from router.bootstrap import factories
from router.domain import deliveries, identity
from router.store import codec, keys
from tests.integration import consoles

INCIDENTS, WAITING, DELIVERIES = 1_000, 120, 100_000
PAGES = ("/api/v1/incidents", "/", "/deliveries", "/incidents", "/api/v1/deliveries", "/api/v1/overview")
MOST_SECONDS, MOST_WORK = 1.5, 0.12  # On an idle machine: 0.1 s, of which 0.03 s are CPU time.
MOST_BYTES = 100_000


async def fill(at):
    for first in range(0, INCIDENTS, 40):  # Concurrency is limited to the number of connections.
        more = {"calm": "yes"} if first >= WAITING else {}
        await at.deliver(*(consoles.firing(f"service-{first + number:04}", **more) for number in range(40)))
    now = factories.clock()
    pipeline = at.store.redis.pipeline(transaction=False)
    for number in range(DELIVERIES):
        name = identity.new_delivery_id(now, random.Random(number))
        one = deliveries.pack(name, "json", now, [(consoles.firing(), at._decide(consoles.firing(), now))])
        pipeline.xadd(keys.ARCHIVE, {"h": codec.pack_delivery(one), "b": b"{}"})
        if number % 5_000 == 4_999:
            await pipeline.execute()
    await pipeline.execute()


async def measure(client, at, path):
    """Return the medians of five uncached requests: elapsed time, CPU time, and bytes."""
    taken, worked = [], []
    for _ in range(5):
        at.clock.offset += 2_000_000
        begin, began = time.perf_counter(), time.process_time()
        answer = await client.get(path)
        taken.append(time.perf_counter() - begin)
        worked.append(time.process_time() - began)
        assert answer.status_code == 200
    return sorted(taken)[2], sorted(worked)[2], len(answer.content)


def test_pages_stay_quick_with_100000_deliveries(with_redis, tmp_path):
    async def play(at):
        await fill(at)
        client, _ = await at.browser("viewer")
        overview = (await client.get("/api/v1/overview")).json()
        assert (sum(overview["incidents"].values()), overview["reviews"]) == (INCIDENTS, WAITING)
        assert overview["kept_deliveries"] >= DELIVERIES
        found = {path: await measure(client, at, path) for path in PAGES}
        for path, (seconds, worked, size) in found.items():
            print(f"{path}: {seconds * 1000:.0f} ms, of them {worked * 1000:.0f} ms of work, {size / 1000:.0f} KB")
        bounds = (MOST_SECONDS, MOST_WORK, MOST_BYTES)
        over = {path: each for path, each in found.items() if any(map(operator.gt, each, bounds))}
        assert over == {}

    consoles.run(with_redis, tmp_path, play)
