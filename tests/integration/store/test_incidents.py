"""Versions, leases, and fences keep two workers apart."""

import asyncio

import msgspec
import pytest

from router.domain import alert_states, severities
from router.domain.incidents import Incident
from router.domain.publications import Publication
from router.store import alert_owners, errors, incidents, keys, publications

KEY = 'checkout-down{labels.region="eu"}'


def opened(key: str = KEY, **more) -> Incident:
    return Incident(key=key, status="open", episode="e1", severity=severities.Severity.MAJOR, **more)


async def write(store, *held: Incident, wake: bool = True) -> None:
    assert await store.incidents.commit([incidents.Change(one, 0, wake) for one in held]) == []


def test_unwritten_incident_is_closed_with_version_zero(with_redis):
    async def body(store):
        held = (await store.incidents.read([KEY]))[KEY]
        assert (held.incident, held.version) == (Incident(key=KEY), 0)
        seconds, micros = await store.redis.time()
        assert 0 <= seconds * 1_000_000 + micros - held.read_at < 10_000_000

    with_redis(body)


def test_committed_incident_is_read_with_its_version(with_redis):
    async def body(store):
        await write(store, opened(alerts={"am/f": alert_states.AlertState(1, False, 0, severities.Severity.MAJOR)}))
        (held,) = (await store.incidents.read([KEY])).values()
        assert str(held.version).encode() == await store.redis.hget(keys.incident(KEY), "v")
        assert held.incident.alerts["am/f"].starts_at == 1

    with_redis(body)


def test_commit_on_an_outdated_version_is_refused(with_redis):
    async def body(store):
        await write(store, opened(), opened("other"))
        version = (await store.incidents.read(["other"]))["other"].version
        lost = await store.incidents.commit(
            [
                incidents.Change(opened(changed_at=7), 0, False),
                incidents.Change(opened("other", changed_at=7), version, False),
            ]
        )
        assert lost == [KEY]
        held = await store.incidents.read([KEY, "other"])
        assert (held[KEY].incident.changed_at, held["other"].incident.changed_at) == (0, 7)

    with_redis(body)


def test_one_concurrent_writer_wins_each_version(with_redis):
    async def body(store):
        results = await asyncio.gather(
            *(store.incidents.commit([incidents.Change(opened(changed_at=number), 0, False)]) for number in range(20))
        )
        assert results.count([]) == 1

    with_redis(body)


def test_only_closed_incidents_expire_after_a_day(with_redis):
    async def body(store):
        closed = msgspec.structs.replace(opened(), status="closed")
        await write(store, closed)
        assert 0 < await store.redis.pttl(keys.incident(KEY)) <= keys.CLOSED_LIFE_MS
        version = (await store.incidents.read([KEY]))[KEY].version
        assert await store.incidents.write(incidents.Change(opened(), version, False))
        assert await store.redis.pttl(keys.incident(KEY)) == -1

    with_redis(body)


def make_claims(*alerts: str, key: str = "old", fires: bool = True) -> dict[str, alert_owners.Claim]:
    return {alert: alert_owners.Claim(key, fires) for alert in alerts}


async def claim(store, asked) -> dict[str, str]:
    return {alert: home.key for alert, home in (await store.owners.claim(asked)).items()}


def test_placements_are_claimed_once_across_shards(with_redis):
    async def body(store):
        names = [f"am/{number}" for number in range(100)]
        wanted = dict.fromkeys(names, "old")
        assert await claim(store.incidents, make_claims(*names)) == wanted
        assert (
            await claim(store.incidents, make_claims(*names, key="another") | make_claims("am/unknown", key=""))
            == wanted
        )
        assert await store.incidents.owners.find([*names, "am/unknown"]) == wanted
        kept = [name async for name in store.redis.scan_iter("ir:{s*}:homes:*")]
        assert len(kept) == keys.SHARDS
        for name in kept:
            assert 2 * keys.HOME_LIFE_MS < await store.redis.pttl(name) <= 3 * keys.HOME_LIFE_MS

    with_redis(body)


def test_concurrent_placements_agree_on_one_incident(with_redis):
    async def body(store):
        answers = await asyncio.gather(
            *(claim(store.incidents, make_claims("am/1", key=f"k{number}")) for number in range(10))
        )
        assert len({home for answer in answers for home in answer.values()}) == 1

    with_redis(body)


def test_placement_records_the_time_of_its_claim(with_redis):
    async def body(store):
        found = await store.incidents.owners.claim(make_claims("am/1") | make_claims("am/2", fires=False))
        seconds, micros = await store.redis.time()
        assert 0 <= seconds * 1_000_000 + micros - found["am/1"].claimed_at < 60_000_000
        assert found["am/2"].claimed_at == 0
        assert await store.incidents.owners.claim(make_claims("am/1", "am/2", key="other")) == found
        (name,) = [name async for name in store.redis.scan_iter("ir:{s*}:claims:*")]
        await store.redis.hset(name, "am/1", found["am/1"].claimed_at - 3_600_000_001)
        assert (await store.incidents.owners.claim(make_claims("am/1")))["am/1"].claimed_at == 0

    with_redis(body)


def move(token: str = "t1", **more) -> alert_owners.Move:
    return alert_owners.Move(
        **{"alert": "am/1", "origin": "old", "target": "new key", "state": "-", "token": token, **more}
    )


def test_moved_alert_is_found_in_its_new_incident(with_redis):
    async def body(store):
        await claim(store.incidents, make_claims("am/1"))
        await store.incidents.owners.begin_moves([move()])
        found = (await store.incidents.owners.claim(make_claims("am/1")))["am/1"]
        assert (found.key, found.move) == ("old", move())
        await store.incidents.owners.finish_moves([move()])
        found = (await store.incidents.owners.claim(make_claims("am/1", key="other")))["am/1"]
        assert (found.key, found.move, found.claimed_at > 0) == ("new key", None, True)
        assert await store.redis.exists(keys.moves(keys.shard("am/1"))) == 0

    with_redis(body)


@pytest.mark.parametrize(
    "steps",
    [
        [("begin_moves", move(origin="elsewhere")), ("finish_moves", move(origin="elsewhere"))],
        [("begin_moves", move("t0")), ("begin_moves", move()), ("finish_moves", move())],
        [("begin_moves", move()), ("abort_moves", move()), ("finish_moves", move())],
        [("begin_moves", move()), ("finish_moves", move("t0"))],
        [("begin_moves", move()), ("finish_moves", move(state="else"))],
    ],
)
def test_only_a_started_move_is_finished(with_redis, steps):
    async def body(store):
        await claim(store.incidents, make_claims("am/1"))
        for step, moved in steps:
            await getattr(store.incidents.owners, step)([moved])
        assert await store.incidents.owners.find(["am/1"]) == {"am/1": "old"}

    with_redis(body)


def make(store, lease_seconds: float = 30.0) -> publications.Publications:
    return publications.Publications(store.connection, lease_seconds=lease_seconds)


def test_due_incident_is_claimed_by_one_worker(with_redis):
    async def body(store):
        await write(store, opened())
        shard = keys.shard(KEY)
        claims = await asyncio.gather(*(make(store).claim(shard, 10) for _ in range(8)))
        assert sorted(len(claim) for claim in claims) == [0] * 7 + [1]
        (lease,) = next(claim for claim in claims if claim)
        version = (await store.incidents.read([KEY]))[KEY].version
        assert (lease.key, lease.version, lease.incident, lease.publications) == (KEY, version, opened(), [])
        assert await make(store).names() == [KEY]

    with_redis(body)


def test_change_without_wake_sets_no_timer(with_redis):
    async def body(store):
        await write(store, opened(), wake=False)
        assert await make(store).claim(keys.shard(KEY), 10) == []

    with_redis(body)


def test_claim_returns_at_most_its_limit(with_redis):
    async def body(store):
        same_shard = [name for name in map(str, range(500)) if keys.shard(name) == 0][:5]
        await write(store, *(opened(name) for name in same_shard))
        assert len(await make(store).claim(0, 2)) == 2
        assert len(await make(store).claim(0, 9)) == 3

    with_redis(body)


def test_recorded_publications_are_read_by_next_holder(with_redis):
    async def body(store):
        documents = make(store)
        await write(store, opened())
        (lease,) = await documents.claim(keys.shard(KEY), 10)
        known = [Publication("e1", "page", state="open", vendor_id="v")]
        assert await documents.record(lease, known)
        await documents.release(lease, due=1, finished=False)
        (again,) = await documents.claim(keys.shard(KEY), 10)
        assert again.publications == known
        assert again.fence > lease.fence

    with_redis(body)


def test_expired_lease_cannot_write(with_redis):
    async def body(store):
        slow, quick = make(store, lease_seconds=0.0), make(store)
        await write(store, opened())
        (old,) = await slow.claim(keys.shard(KEY), 10)
        (new,) = await quick.claim(keys.shard(KEY), 10)
        stale = [Publication("e1", "page", vendor_id="stale")]
        assert not await slow.record(old, stale)
        assert not await slow.release(old, due=0, finished=True)
        assert await quick.record(new, [])

    with_redis(body)


def test_lease_lost_in_failover_is_fenced_off(with_redis):
    """The lost lease and the next lease have the same number."""

    async def body(store):
        documents = make(store, lease_seconds=0.0)
        await write(store, opened())
        await documents.claim(keys.shard(KEY), 10)
        before = await store.redis.hgetall(keys.publications(KEY))
        await store.redis.zadd(keys.timers(keys.shard(KEY)), {KEY: 0})
        (lost,) = await documents.claim(keys.shard(KEY), 10)
        await store.redis.hset(keys.publications(KEY), mapping=before)
        await store.redis.zadd(keys.timers(keys.shard(KEY)), {KEY: 0})
        (given,) = await documents.claim(keys.shard(KEY), 10)
        assert not await documents.record(lost, [Publication("e1", "page", vendor_id="lost")])
        assert await documents.record(given, [])

    with_redis(body)


def test_lease_of_dead_worker_is_due_after_expiry(with_redis):
    async def body(store):
        await write(store, opened())
        (lease,) = await make(store, 30).claim(keys.shard(KEY), 10)
        due = await store.redis.zscore(keys.timers(keys.shard(KEY)), KEY)
        assert due == lease.claimed_at + 30_000_000

    with_redis(body)


def test_released_incident_is_due_at_its_time(with_redis):
    async def body(store):
        documents = make(store)
        timers = keys.timers(keys.shard(KEY))
        await write(store, opened())
        (lease,) = await documents.claim(keys.shard(KEY), 10)
        assert not await documents.release(lease, due=lease.claimed_at + 5, finished=False)
        assert await store.redis.zscore(timers, KEY) == lease.claimed_at + 5
        (lease,) = await poll(documents)
        assert not await documents.release(lease, due=0, finished=True)
        assert await store.redis.zscore(timers, KEY) is None
        assert 0 < await store.redis.pttl(keys.publications(KEY)) <= keys.CLOSED_LIFE_MS
        assert await documents.names() == [KEY]
        expires_at = await store.redis.pexpiretime(keys.publications(KEY))
        assert abs(await store.redis.zscore(keys.published_incidents(keys.shard(KEY)), KEY) - expires_at) < 1000

    with_redis(body)


async def poll(documents: publications.Publications) -> list[publications.Lease]:
    async with asyncio.timeout(5):
        while not (found := await documents.claim(keys.shard(KEY), 10)):
            await asyncio.sleep(0.005)
    return found


def test_incident_changed_under_lease_is_due_immediately(with_redis):
    async def body(store):
        documents = make(store)
        await write(store, opened())
        (lease,) = await documents.claim(keys.shard(KEY), 10)
        changed = incidents.Change(opened(changed_at=9), lease.version, True)
        assert await store.incidents.write(changed)
        assert await documents.claim(keys.shard(KEY), 10) == []
        assert await documents.release(lease, due=0, finished=True)
        (again,) = await documents.claim(keys.shard(KEY), 10)
        assert again.incident.changed_at == 9

    with_redis(body)


def test_unreadable_document_does_not_block_others(with_redis):
    async def body(store):
        await write(store, opened(), opened("other"))
        await store.redis.hset(keys.incident(KEY), "d", b"\xc1")
        assert await make(store).claim(keys.shard(KEY), 10) == []
        (lease,) = await make(store).claim(keys.shard("other"), 10)
        assert lease.key == "other"
        with pytest.raises(errors.UnreadableDocument):
            await store.incidents.read([KEY])

    with_redis(body)


def test_incident_keys_share_one_cluster_slot(with_redis):
    async def body(store):
        names = [keys.incident(KEY), keys.publications(KEY), keys.timers(keys.shard(KEY))]
        tags = {name[name.index("{") : name.index("}")] for name in names}
        assert len(tags) == 1
        assert all(name.startswith(keys.prefix(keys.shard(KEY))) for name in names)

    with_redis(body)


def test_script_call_with_wrong_keys_is_refused(with_redis):
    async def body(store):
        with pytest.raises(ValueError, match="takes 3"):
            await store.connection.scripts.run("record_publications", ["one"], [])

    with_redis(body)


def test_scripts_survive_a_restart_of_the_server(with_redis):
    async def body(store):
        await write(store, opened())
        await store.redis.script_flush()
        assert len(await make(store).claim(keys.shard(KEY), 10)) == 1

    with_redis(body)
