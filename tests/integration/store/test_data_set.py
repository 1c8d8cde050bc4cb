"""A process detects a lost or restored data set, without false positives."""

import itertools
import random

import pytest

from router.destinations import registry
from router.domain import decisions, operations
from router.store import dataset, keys
from router.worker import adoption, configured_destinations, reconciler
from tests.integration import vendor, workers

ITEM = operations.OpenItem("v1", "IR-4R3YMT7A-A1B4T9", "Down")


def watch(store, process, seed=0, **more):
    return store.watch_data_set(process, random.Random(f"{process}{seed}"), **more)


async def copy_markers(store):
    return {key: await store.redis.dump(key) for key in (keys.MARKER, keys.MARKS)}


async def restore_markers(store, copy):
    await store.redis.flushall()
    for key, data in copy.items():
        await store.redis.restore(key, 0, data)


def test_new_data_set_needs_no_reconciliation(with_redis):
    async def body(store):
        first, second = watch(store, "a"), watch(store, "b")
        for one in (first, second, first, second):
            state = await one.check()
            assert (state.since, state.reason) == (0, "")
        assert state.describe() == "in use"

    with_redis(body)


def test_new_data_set_of_installation_is_reconciled(with_redis):
    async def body(store):
        first = watch(store, "a", reconciles_new=True)
        state = await first.check()
        assert state.reason == "new"
        again = await first.check()
        assert again.since == state.since

    with_redis(body)


@pytest.mark.parametrize("first", ["a", "b", "c"])
def test_flushall_is_detected_once(with_redis, first):
    """All processes agree on the new data set, whichever notices first, and no process starts a second one."""

    async def body(store):
        processes = {"a": watch(store, "a"), "b": watch(store, "b")}
        for process in processes.values():
            await process.check()
        await store.redis.flushall()
        processes["c"] = watch(store, "c")
        await processes[first].check()
        for process in processes.values():
            await process.check()
        state = await processes["a"].check()
        assert state.since > 0
        assert state.reason == ("replaced" if first == "c" else "vanished")
        for process in processes.values():
            later = await process.check()
            assert (later.id, later.since) == (state.id, state.since)

    with_redis(body)


def test_restored_older_copy_is_detected(with_redis):
    async def body(store):
        first, second = watch(store, "a"), watch(store, "b")
        await first.check()
        copy = await copy_markers(store)
        await first.check()
        await second.check()
        await restore_markers(store, copy)
        assert (await second.check()).reason == "went_back"
        state = await first.check()
        assert state.reason == "went_back"
        assert (await second.check()).since == state.since

    with_redis(body)


def test_backup_of_another_data_set_is_detected(with_redis):
    async def body(store):
        await watch(store, "old").check()
        copy = await copy_markers(store)
        await store.redis.flushall()
        process = watch(store, "a")
        await process.check()
        await restore_markers(store, copy)
        assert (await process.check()).reason == "replaced"

    with_redis(body)


def test_failover_that_lost_a_write_is_detected(with_redis):
    """Other processes have written since the failover, but each process checks its own mark."""

    async def body(store):
        first, second = watch(store, "a"), watch(store, "b")
        await first.check()
        before = await store.redis.hget(keys.MARKS, "a")
        await first.check()
        await store.redis.hset(keys.MARKS, "a", before)
        assert (await second.check()).since == 0
        assert (await first.check()).reason == "went_back"

    with_redis(body)


def test_long_unused_data_is_treated_as_a_backup(with_redis):
    async def body(store):
        await watch(store, "a").check()
        assert (await watch(store, "b").check()).reason == ""
        for process in ("a", "b"):
            mark = int(await store.redis.hget(keys.MARKS, process))
            await store.redis.hset(keys.MARKS, process, mark - dataset.UNATTENDED)
        assert (await watch(store, "c").check()).reason == "unattended"

    with_redis(body)


def test_data_marked_as_restored_is_reconciled_once(with_redis):
    async def body(store):
        await store.data_set.mark_restored()
        first, second = watch(store, "a"), watch(store, "b")
        state = await first.check()
        assert state.reason == "restored"
        assert (await second.check()).since == state.since
        await first.finish(state.since)
        assert (await second.check()).since == 0

    with_redis(body)


def test_second_loss_restarts_the_reconciliation(with_redis):
    async def body(store):
        process = watch(store, "a")
        await process.check()
        await store.redis.flushall()
        first = await process.check()
        await process.end_reading("on-call", first.now, [], [])
        assert not (await process.check()).is_unread("on-call")
        await store.redis.flushall()
        second = await process.check()
        assert second.since > first.since
        assert second.is_unread("on-call")
        await process.finish(first.since)
        assert (await process.check()).since == second.since

    with_redis(body)


def test_one_incident_claims_an_orphan(with_redis):
    async def body(store):
        data = watch(store, "a")
        orphan = dataset.Orphan("page", ITEM)
        assert await data.claim(orphan, "k1")
        assert not await data.claim(orphan, "k2")
        assert await data.claim(orphan, "k1")

    with_redis(body)


def test_second_reading_drops_resolved_and_skips_claimed_items(with_redis):
    async def body(store):
        data = watch(store, "a")
        orphans = [dataset.Orphan("page", operations.OpenItem(f"v{number}"), "OWNER") for number in range(3)]
        other = dataset.Orphan("other", ITEM, "OWNER")
        await data.end_reading("other", 1, [other], ["v1"])
        await data.end_reading("page", 1, orphans[:2], ["v0", "v1"])
        assert [orphan async for orphan in data.orphans("OTHER")] == []
        await data.claim(orphans[1], "k")
        await data.remove_orphan(orphans[1])
        await data.end_reading("page", 2, orphans[1:], ["v1", "v2"])
        assert {orphan.name async for orphan in data.orphans("OWNER")} == {orphans[2].name, other.name}
        assert await data.has_orphans(["OTHER", "OWNER"])
        assert not await data.has_orphans(["OTHER", ""])

    with_redis(body)


def test_destination_is_read_by_one_process(with_redis):
    async def body(store):
        data = watch(store, "a")
        assert await data.begin_reading("page")
        assert not await data.begin_reading("page")
        assert await data.begin_reading("other")
        await data.record_reading_failure("page", "refused")
        assert (await store.data_set.read_state(1)).problems == {"page": "refused"}
        await data.end_reading("page", 1, [], [])
        assert await data.begin_reading("page")
        assert (await store.data_set.read_state(1)).problems == {}

    with_redis(body)


def test_state_description_names_pending_destinations_and_orphans():
    state = dataset.DataSetState("id", 9, 5, "vanished", 5, 2, {}, {"b": "refused", "a": "no answer"})
    assert state.describe() == (
        "the data set vanished; before anything is opened, each destination's items are read; "
        "a can't be read: no answer; b can't be read: refused; 2 open items of no known incident"
    )
    after = dataset.DataSetState("id", 9, 0, "vanished", 5, 1)
    assert after.describe() == "in use, 1 open item of no known incident: see `incident-router orphans list`"


def test_unreadable_orphan_affects_no_other(with_redis):
    async def body(store):
        orphan = dataset.Orphan("page", ITEM, "OWNER")
        await store.data_set.change_owner(orphan, "OWNER")
        await store.redis.hset(keys.ORPHANS, "OWNER/page/odd", b"\xc1")
        assert [one async for one in store.data_set.orphans()] == [orphan]

    with_redis(body)


def test_process_that_shut_down_is_not_running(with_redis):
    """A concurrent comparison must not report the removed mark as a loss."""

    async def body(store):
        first, second = watch(store, "a"), watch(store, "b")
        await first.check()
        await second.check()
        assert set(await store.data_set.marks()) == {"a", "b"}
        await first.leave()
        assert set(await store.data_set.marks()) == {"b"}
        assert (await first.check()).since == 0
        assert set(await store.data_set.marks()) == {"a", "b"}

    with_redis(body)


@pytest.mark.parametrize("event", ["open", "close"])
def test_one_reconciliation_compares_the_data_set_once(with_redis, event):
    class Counted(dataset.WatchedDataSet):
        calls = 0

        async def check(self):
            self.calls += 1
            return await super().check()

    async def body(store):
        places = {
            name: configured_destinations.ConfiguredDestination(
                name, registry.KINDS["incident-io"], vendor.Vendor(), "", 10.0
            )
            for name in ("on-call", "second")
        }
        on = workers.WorkerHarness(store, *places.values())
        data = Counted(store.connection, "a", random.Random(1))
        reclaimer = adoption.Reclaimer(data, on.performer, on.store, places, installation="")
        on.reconciler = reconciler.Reconciler(
            on.store,
            places,
            on.performer,
            on.pages,
            ticks=itertools.count().__next__,
            randomness=workers.NoJitter(),
            reclaimer=reclaimer,
        )
        targets = (decisions.Target("on-call", {"name": "Down"}), decisions.Target("second", {"name": "Down"}))
        for one in [workers.firing()] if event == "open" else [workers.firing(), workers.resolved()]:
            data.calls = 0
            await on.deliver(one, response=workers.rule(*targets))
            await on.fold()
            (lease,) = await on.due()
            await on.reconciler.reconcile(lease)
        assert data.calls == 1
        assert places["second"].destination.states() == ["resolved" if event == "close" else "open"]

    with_redis(body)
