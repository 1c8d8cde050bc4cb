"""After a failover, all data that replicas acknowledged still exists."""

import asyncio
import contextlib

import pytest

from router.domain import deliveries, incidents
from router.domain.publications import Publication
from router.store import errors, keys, publications
from router.store.store import Store
from tests.end_to_end import harness
from tests.faults import sentinels, topologies
from tests.integration import workers

pytestmark = pytest.mark.timeout(120)

CONFIRMED_SECONDS = 20.0  # Replicas that are connected acknowledge as soon as they run.


@pytest.fixture
def watched(tmp_path):
    with topologies.run_topology(sentinels.SentinelTopology(tmp_path)) as running:
        running.complete()
        yield running


def run(watched: sentinels.SentinelTopology, body) -> None:
    async def main():
        store = Store.connect(watched.server())
        async with contextlib.aclosing(store):
            await body(store)

    asyncio.run(main())


def cut_off(watched: sentinels.SentinelTopology) -> None:
    """Make the primary refuse its replicas, so that they receive no further data."""
    for replica in watched.replicas():
        replica.execute("CONFIG", "SET", "primaryuser", "nobody", "primaryauth", "wrong")
        replica.execute("CLIENT", "KILL", "TYPE", "master")
    primary = watched.primary()
    harness.eventually("the primary has no replica", lambda: not primary.execute("ROLE")[2])


async def replace_primary(watched: sentinels.SentinelTopology, store) -> None:
    """Kill the primary, and wait until the connection has found the next primary."""
    await asyncio.to_thread(watched.replace)
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.Unavailable):
                await store.health.record_heartbeat("w", 1)
                return
            await asyncio.sleep(0.05)


def accept(store, least: int, wait_seconds: float = 0.2):
    return workers.require_replicas(store, least, wait_seconds).inbox.accept(deliveries.pack("d1", "am", 1, []), b"{}")


def test_confirmed_data_survives_the_loss_of_primary(watched):
    async def body(store):
        await accept(store, 1, CONFIRMED_SECONDS)
        await replace_primary(watched, store)
        assert await store.redis.xlen(keys.INBOX) == 1

    run(watched, body)


def test_delivery_without_replica_is_not_accepted(watched):
    async def body(store):
        cut_off(watched)
        with pytest.raises(errors.Unavailable, match="only 0 of 1 replicas"):
            await accept(store, 1)

    run(watched, body)


def test_delivery_is_lost_without_confirmation(watched):
    """Negative control: without the acknowledgement, the delivery is accepted and lost."""

    async def body(store):
        cut_off(watched)
        await accept(store, 0)
        assert await store.redis.xlen(keys.INBOX) == 1
        await replace_primary(watched, store)
        assert await store.redis.xlen(keys.INBOX) == 0

    run(watched, body)


async def write_to_separated_primary(watched: sentinels.SentinelTopology, store, least: int) -> int:
    """Deliver to a primary that only clients reach, and return the number of deliveries at its successor."""
    with watched.separated() as primary:
        old = Store.connect(f"redis://127.0.0.1:{primary.port}")
        async with contextlib.aclosing(old):
            await accept(old, least)
        watched.wait_for_successor(primary)
    watched.complete()
    assert watched.primary() is not primary
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(errors.Unavailable):
                return (await store.inbox.depth())[0]
            await asyncio.sleep(0.05)


def test_separated_primary_accepts_nothing(watched):
    async def body(store):
        with pytest.raises(errors.Unavailable, match="of 2 replicas acknowledged"):
            await write_to_separated_primary(watched, store, 2)

    run(watched, body)


def test_separated_primary_loses_deliveries_without_confirmation(watched):
    """Negative control: without the acknowledgement, the delivery is accepted, and the new primary doesn't have it."""

    async def body(store):
        assert await write_to_separated_primary(watched, store, 0) == 0

    run(watched, body)


async def record_intent(store, least: int) -> publications.Publications:
    """Record a publication as a worker does before it calls a vendor, acknowledged by ``replicas``."""
    documents = workers.require_replicas(store, least, 0.2).publications
    lease = publications.Lease("down", 1, 1, incidents.Incident(key="down"), [], 0)
    await store.redis.hset(keys.publications("down"), "fence", 1)
    assert await documents.record(lease, [Publication("e1", "on-call")])
    return documents


def test_intent_without_replica_makes_no_call(watched):
    async def body(store):
        cut_off(watched)
        with pytest.raises(errors.Unavailable, match="only 0 of 1 replicas"):
            await record_intent(store, 1)

    run(watched, body)


def test_intent_is_lost_without_confirmation(watched):
    """Negative control: without the acknowledgement, a vendor is called, and the record is lost in the failover."""

    async def body(store):
        cut_off(watched)
        documents = await record_intent(store, 0)
        assert await documents.look("down")
        await replace_primary(watched, store)
        assert not await documents.look("down")

    run(watched, body)


async def fold_at_old_primary(watched: sentinels.SentinelTopology, store, least: int) -> None:
    """Fold a delivery at a primary that is cut off, and acknowledge it at the next primary."""
    strict = workers.require_replicas(store, 1, CONFIRMED_SECONDS)
    on = workers.WorkerHarness(strict)
    await on.deliver(workers.firing())
    await on.reader.prepare()
    await strict.connection.writer.write("", [("SET", "prepared", 1)])
    old = Store.connect(f"redis://127.0.0.1:{watched.primary().port}")
    async with contextlib.aclosing(old):
        on = workers.WorkerHarness(strict, incidents=workers.require_replicas(old, least, 0.2).incidents)
        cut_off(watched)
        entries = await on.reader.read(10, None)
        done = await on.triage.fold(entries)
        await replace_primary(watched, store)
        await on.reader.acknowledge(done)


def test_fold_at_separated_primary_is_not_acknowledged(watched):
    async def body(store):
        with pytest.raises(errors.Unavailable, match="only 0 of 1 replicas"):
            await fold_at_old_primary(watched, store, 1)
        await replace_primary(watched, store)
        on = workers.WorkerHarness(store)
        await on.fold()
        assert (await on.incidents.read(["down"]))["down"].incident.status == "open"

    run(watched, body)


def test_fold_is_lost_without_confirmation(watched):
    """Negative control: without the acknowledgement, the delivery is acknowledged, and its incident is lost."""

    async def body(store):
        await fold_at_old_primary(watched, store, 0)
        on = workers.WorkerHarness(store)
        assert await store.redis.xlen(keys.INBOX) == 0
        assert (await on.incidents.read(["down"]))["down"].incident.status == "closed"

    run(watched, body)


def test_replaced_hanging_primary_accepts_nothing(watched):
    async def body(store):
        await asyncio.to_thread(watched.hang)
        done = 0
        async with asyncio.timeout(30):
            # Until it learns of its successor, it acts as the primary, and so may one of its replicas.
            while done < 10:
                with contextlib.suppress(errors.Unavailable):
                    await accept(store, 2)
                    done += 1
        primary = await asyncio.to_thread(watched.complete)
        assert primary.execute("XLEN", keys.INBOX) >= done

    run(watched, body)
