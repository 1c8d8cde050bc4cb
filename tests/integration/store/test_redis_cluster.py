"""A Redis Cluster behaves like a single server, wherever a key is stored."""

import asyncio
import contextlib
import inspect
from types import ModuleType

import pytest

from router.domain import deliveries
from router.store import connection_settings, errors, keys
from router.store.store import Store
from tests.faults import topologies
from tests.integration import vendor, workers
from tests.integration.store import (
    test_archive,
    test_backup,
    test_consumers,
    test_data_set,
    test_inbox,
    test_incident_cache,
    test_incident_snapshot,
    test_incidents,
    test_migrations,
    test_publishing_controls,
    test_quarantine,
    test_quotas,
    test_silences,
    test_storm_counts,
)
from tests.integration.worker import (
    test_alert_lifecycle,
    test_alert_storm,
    test_alert_storm_incident,
    test_components,
    test_contradictions,
    test_dead_letters,
    test_timers,
    test_triage,
)

MODULES = (
    test_alert_lifecycle,
    test_alert_storm,
    test_alert_storm_incident,
    test_archive,
    test_backup,
    test_components,
    test_consumers,
    test_contradictions,
    test_data_set,
    test_dead_letters,
    test_inbox,
    test_incident_cache,
    test_incident_snapshot,
    test_incidents,
    test_migrations,
    test_publishing_controls,
    test_quarantine,
    test_quotas,
    test_silences,
    test_storm_counts,
    test_timers,
    test_triage,
)
# Tests for one server without replicas, and for calls that are faster than a disk.
NOT_ON_CLUSTERS = {"test_too_few_replicas_refuse_a_delivery", "test_quota_refills_over_time"}


def on_one_server(module: ModuleType) -> list:
    """Return the tests of a module that need only a connection."""
    tests = [
        test
        for name, test in vars(module).items()
        if name.startswith("test_") and callable(test) and name not in NOT_ON_CLUSTERS
    ]
    return [
        pytest.param(test, id=f"{module.__name__.rpartition('.')[2]}:{test.__name__}")
        for test in tests
        if list(inspect.signature(test).parameters) == ["with_redis"]
    ]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with topologies.run_topology(topologies.Clustered(tmp_path_factory.mktemp("cluster"))) as running:
        yield running


@pytest.fixture
def with_cluster(cluster):
    """Like ``with_redis``, with a connection to an empty cluster."""

    def run(body):
        async def main():
            store = Store.connect(cluster.server())
            async with contextlib.aclosing(store):
                await store.redis.flushall(target_nodes="primaries")
                return await body(store)

        return asyncio.run(main())

    return run


@pytest.mark.parametrize("test", [test for module in MODULES for test in on_one_server(module)])
def test_single_server_behavior_holds_on_a_cluster(with_cluster, test):
    test(with_cluster)


def test_cluster_is_as_full_as_its_fullest_server(with_cluster, cluster):
    async def play(store):
        (one, *_) = cluster.primaries()
        used = one.execute("INFO", "memory")["used_memory"]
        assert await store.health.fullness() == 0.0
        one.execute("CONFIG", "SET", "maxmemory", used * 10)
        try:
            assert 0.05 < await store.health.fullness() < 0.5
        finally:
            one.execute("CONFIG", "SET", "maxmemory", 0)

    with_cluster(play)


def test_replicas_confirm_before_a_delivery_is_acknowledged(with_cluster):
    async def play(store):
        await workers.WorkerHarness(store).deliver(workers.firing())
        sure = await check_acknowledgement(store)
        assert (await sure.incidents.read(["down"]))["down"].incident.status == "open"

    with_cluster(play)


def test_replicas_confirm_an_unchanged_incident_too(with_cluster):
    """A killed worker may have written the incident without an acknowledgement by a replica."""

    async def play(store):
        on = workers.WorkerHarness(store)
        await on.deliver(workers.firing())
        await on.fold()
        held = await store.redis.hgetall(keys.incident("down"))
        await on.deliver(workers.firing())
        await check_acknowledgement(store)
        assert await store.redis.hgetall(keys.incident("down")) == held

    with_cluster(play)


def test_missing_replicas_count_no_delivery_attempt(with_cluster):
    """A worker that is killed during the wait hasn't begun the delivery, so the delivery isn't the cause."""

    async def play(store):
        await workers.WorkerHarness(store).deliver(workers.firing())
        reader = workers.WorkerHarness(store).reader
        await reader.prepare()
        (entry,) = await reader.read(10, None)
        for number in range(5):
            life = workers.require_replicas(store, 2, 0.02).make_inbox_reader("w1", life=f"{number}")
            with pytest.raises(errors.Unavailable, match=r"only [01] of 2 replicas"):
                await life.record_redelivery(entry)
        sure = workers.require_replicas(store, 1, 5.0).make_inbox_reader("w1", life="5")
        assert await sure.record_redelivery(entry) == 1

    with_cluster(play)


async def check_acknowledgement(store) -> workers.WorkerHarness:
    """Check that a delivery stays in the inbox until enough replicas acknowledge. Return the worker."""
    with pytest.raises(errors.Unavailable, match=r"only [01] of 2 replicas"):
        await make_confirming_worker(store, 2).fold()
    assert await store.redis.xlen(keys.INBOX) == 1
    sure = make_confirming_worker(store, 1)
    await sure.triage.handle_again(await sure.reader.own_pending(10))
    assert await store.redis.xlen(keys.INBOX) == 0
    return sure


def make_confirming_worker(store, least: int) -> workers.WorkerHarness:
    """Create a worker that requires replica acknowledgements. Each server has one replica."""
    return workers.WorkerHarness(workers.require_replicas(store, least))


def test_too_few_inbox_replicas_refuse_a_delivery(with_cluster):
    async def play(store):
        strict = workers.require_replicas(store, 2)
        with pytest.raises(errors.Unavailable, match=r"only [01] of 2 replicas"):
            await strict.inbox.accept(deliveries.pack("d1", "am", 1, []), b"{}")

    with_cluster(play)


def test_database_number_is_refused_for_a_cluster():
    with pytest.raises(errors.Unavailable, match="'db' must be 0"):
        Store.connect(connection_settings.Server("redis://127.0.0.1/1", cluster=True))
    with pytest.raises(errors.Unavailable, match="not supported in cluster mode"):
        Store.connect(connection_settings.Server("unix:///tmp/valkey.sock", cluster=True))


def test_missing_cluster_is_reported():
    async def main():
        store = Store.connect(connection_settings.Server("redis://127.0.0.1:1", cluster=True))
        async with contextlib.aclosing(store):
            with pytest.raises(errors.Unavailable, match="cannot be"):
                await store.health.ping()

    asyncio.run(main())


def test_unconfirmed_leases_and_records_are_refused(with_cluster):
    async def play(store):
        on = workers.WorkerHarness(store, vendor.on_call(vendor.Vendor()))
        await on.deliver(workers.firing())
        await on.fold()
        strict = workers.require_replicas(store, 2, 0.05)  # Simulates a missing replica.
        with pytest.raises(errors.Unavailable, match=r"only [01] of 2 replicas"):
            await strict.publications.claim(keys.shard("down"), 10)

    with_cluster(play)


def test_confirmed_lease_is_granted_and_usable(with_cluster):
    async def play(store):
        on = workers.WorkerHarness(store, vendor.on_call(vendor.Vendor()))
        await on.deliver(workers.firing())
        await on.fold()
        documents = workers.require_replicas(store, 1, 5.0).publications
        (lease,) = [lease for shard in range(keys.SHARDS) for lease in await documents.claim(shard, 10)]
        assert lease.key == "down"
        assert await documents.record(lease, [])
        assert not await documents.record(lease._replace(fence=lease.fence + 1), [])

    with_cluster(play)


def test_moved_slot_is_found_on_new_server(with_cluster, cluster):
    async def play(store):
        strict = workers.require_replicas(store, 1, 5.0)
        await strict.inbox.accept(deliveries.pack("d1", "am", 1, []), b"{}")
        before = cluster.holder(keys.INBOX)
        await asyncio.to_thread(cluster.move, keys.INBOX)
        assert cluster.holder(keys.INBOX) is not before
        await strict.inbox.accept(deliveries.pack("d2", "am", 1, []), b"{}")
        assert await store.redis.xlen(keys.INBOX) == 2

    with_cluster(play)
