"""Versions, leases, and fences keep two workers apart."""

import asyncio

import msgspec
import pytest

from router.domain import alert_states, severities
from router.domain import incidents as incident
from router.domain import publications as publication
from router.store import alert_owners, errors, incidents, keys, publications, scripts

KEY = 'checkout-down{labels.region="eu"}'


def opened(key: str = KEY, **more) -> incident.Incident:
    return incident.Incident(key=key, status="open", episode="e1", severity=severities.Severity.MAJOR, **more)


async def write(connection, *held: incident.Incident, wake: bool = True) -> None:
    store = incidents.Incidents(connection)
    assert await store.commit([incidents.Change(one, 0, wake) for one in held]) == []


def test_unwritten_incident_is_closed_with_version_zero(with_redis):
    async def body(connection):
        held = (await incidents.Incidents(connection).read([KEY]))[KEY]
        assert (held.incident, held.version) == (incident.Incident(key=KEY), 0)
        seconds, micros = await connection.time()
        assert 0 <= seconds * 1_000_000 + micros - held.read_at < 10_000_000

    with_redis(body)


def test_committed_incident_is_read_with_its_version(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        await write(
            connection, opened(alerts={"am/f": alert_states.AlertState(1, False, 0, severities.Severity.MAJOR)})
        )
        (held,) = (await store.read([KEY])).values()
        assert str(held.version).encode() == await connection.hget(keys.incident(KEY), "v")
        assert held.incident.alerts["am/f"].starts_at == 1

    with_redis(body)


def test_commit_on_an_outdated_version_is_refused(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        await write(connection, opened(), opened("other"))
        version = (await store.read(["other"]))["other"].version
        lost = await store.commit(
            [
                incidents.Change(opened(changed_at=7), 0, False),
                incidents.Change(opened("other", changed_at=7), version, False),
            ]
        )
        assert lost == [KEY]
        held = await store.read([KEY, "other"])
        assert (held[KEY].incident.changed_at, held["other"].incident.changed_at) == (0, 7)

    with_redis(body)


def test_one_concurrent_writer_wins_each_version(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        results = await asyncio.gather(
            *(store.commit([incidents.Change(opened(changed_at=number), 0, False)]) for number in range(20))
        )
        assert results.count([]) == 1

    with_redis(body)


def test_only_closed_incidents_expire_after_a_day(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        closed = msgspec.structs.replace(opened(), status="closed")
        await write(connection, closed)
        assert 0 < await connection.pttl(keys.incident(KEY)) <= keys.CLOSED_LIFE_MS
        version = (await store.read([KEY]))[KEY].version
        assert await store.write(incidents.Change(opened(), version, False))
        assert await connection.pttl(keys.incident(KEY)) == -1

    with_redis(body)


def claims(*alerts: str, key: str = "old", fires: bool = True) -> dict[str, alert_owners.Claim]:
    return {alert: alert_owners.Claim(key, fires) for alert in alerts}


async def look(store, asked) -> dict[str, str]:
    return {alert: home.key for alert, home in (await store.owners.claim(asked)).items()}


def test_placements_are_claimed_once_across_shards(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        names = [f"am/{number}" for number in range(100)]
        wanted = dict.fromkeys(names, "old")
        assert await look(store, claims(*names)) == wanted
        assert await look(store, claims(*names, key="another") | claims("am/unknown", key="")) == wanted
        assert await store.owners.find([*names, "am/unknown"]) == wanted
        kept = [name async for name in connection.scan_iter("ir:{s*}:homes:*")]
        assert len(kept) == keys.SHARDS
        for name in kept:
            assert 2 * keys.HOME_LIFE_MS < await connection.pttl(name) <= 3 * keys.HOME_LIFE_MS

    with_redis(body)


def test_concurrent_placements_agree_on_one_incident(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        answers = await asyncio.gather(*(look(store, claims("am/1", key=f"k{number}")) for number in range(10)))
        assert len({home for answer in answers for home in answer.values()}) == 1

    with_redis(body)


def test_placement_records_when_a_firing_alert_claimed_it(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        found = await store.owners.claim(claims("am/1") | claims("am/2", fires=False))
        seconds, micros = await connection.time()
        assert 0 <= seconds * 1_000_000 + micros - found["am/1"].claimed_at < 60_000_000
        assert found["am/2"].claimed_at == 0
        assert await store.owners.claim(claims("am/1", "am/2", key="other")) == found
        (name,) = [name async for name in connection.scan_iter("ir:{s*}:claims:*")]
        await connection.hset(name, "am/1", found["am/1"].claimed_at - 3_600_000_001)
        assert (await store.owners.claim(claims("am/1")))["am/1"].claimed_at == 0

    with_redis(body)


def move(token: str = "t1", **more) -> alert_owners.Move:
    return alert_owners.Move(
        **{"alert": "am/1", "origin": "old", "target": "new key", "state": "-", "token": token, **more}
    )


def test_moved_alert_is_found_in_its_new_incident(with_redis):
    async def body(connection):
        store = incidents.Incidents(connection)
        await look(store, claims("am/1"))
        await store.owners.begin_moves([move()])
        found = (await store.owners.claim(claims("am/1")))["am/1"]
        assert (found.key, found.move) == ("old", move())
        await store.owners.finish_moves([move()])
        found = (await store.owners.claim(claims("am/1", key="other")))["am/1"]
        assert (found.key, found.move, found.claimed_at > 0) == ("new key", None, True)
        assert await connection.exists(keys.moves(keys.shard("am/1"))) == 0

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
    async def body(connection):
        store = incidents.Incidents(connection)
        await look(store, claims("am/1"))
        for step, moved in steps:
            await getattr(store.owners, step)([moved])
        assert await store.owners.find(["am/1"]) == {"am/1": "old"}

    with_redis(body)


def make(connection, lease_seconds: float = 30.0) -> publications.Publications:
    return publications.Publications(connection, lease_seconds=lease_seconds)


def test_due_incident_is_claimed_by_one_worker(with_redis):
    async def body(connection):
        await write(connection, opened())
        shard = keys.shard(KEY)
        claims = await asyncio.gather(*(make(connection).claim(shard, 10) for _ in range(8)))
        assert sorted(len(claim) for claim in claims) == [0] * 7 + [1]
        (lease,) = next(claim for claim in claims if claim)
        version = (await incidents.Incidents(connection).read([KEY]))[KEY].version
        assert (lease.key, lease.version, lease.incident, lease.publications) == (KEY, version, opened(), [])
        assert await make(connection).names() == [KEY]

    with_redis(body)


def test_change_without_wake_sets_no_timer(with_redis):
    async def body(connection):
        await write(connection, opened(), wake=False)
        assert await make(connection).claim(keys.shard(KEY), 10) == []

    with_redis(body)


def test_claim_takes_at_most_its_limit(with_redis):
    async def body(connection):
        same_shard = [name for name in map(str, range(500)) if keys.shard(name) == 0][:5]
        await write(connection, *(opened(name) for name in same_shard))
        assert len(await make(connection).claim(0, 2)) == 2
        assert len(await make(connection).claim(0, 9)) == 3

    with_redis(body)


def test_recorded_publications_are_read_by_next_holder(with_redis):
    async def body(connection):
        store = make(connection)
        await write(connection, opened())
        (lease,) = await store.claim(keys.shard(KEY), 10)
        known = [publication.Publication("e1", "page", state="open", vendor_id="v")]
        assert await store.record(lease, known)
        await store.release(lease, due=1, finished=False)
        (again,) = await store.claim(keys.shard(KEY), 10)
        assert again.publications == known
        assert again.fence > lease.fence

    with_redis(body)


def test_expired_lease_can_write_nothing(with_redis):
    async def body(connection):
        slow, quick = make(connection, lease_seconds=0.0), make(connection)
        await write(connection, opened())
        (old,) = await slow.claim(keys.shard(KEY), 10)
        (new,) = await quick.claim(keys.shard(KEY), 10)
        stale = [publication.Publication("e1", "page", vendor_id="stale")]
        assert not await slow.record(old, stale)
        assert not await slow.release(old, due=0, finished=True)
        assert await quick.record(new, [])

    with_redis(body)


def test_lease_lost_in_failover_is_fenced_off(with_redis):
    """The lost lease and the next lease have the same number."""

    async def body(connection):
        store = make(connection, lease_seconds=0.0)
        await write(connection, opened())
        await store.claim(keys.shard(KEY), 10)
        before = await connection.hgetall(keys.publications(KEY))
        await connection.zadd(keys.timers(keys.shard(KEY)), {KEY: 0})
        (lost,) = await store.claim(keys.shard(KEY), 10)
        await connection.hset(keys.publications(KEY), mapping=before)
        await connection.zadd(keys.timers(keys.shard(KEY)), {KEY: 0})
        (given,) = await store.claim(keys.shard(KEY), 10)
        assert not await store.record(lost, [publication.Publication("e1", "page", vendor_id="lost")])
        assert await store.record(given, [])

    with_redis(body)


def test_lease_of_dead_worker_is_due_after_expiry(with_redis):
    async def body(connection):
        await write(connection, opened())
        (lease,) = await make(connection, 30).claim(keys.shard(KEY), 10)
        due = await connection.zscore(keys.timers(keys.shard(KEY)), KEY)
        assert due == lease.claimed_at + 30_000_000

    with_redis(body)


def test_released_incident_is_due_at_its_time(with_redis):
    async def body(connection):
        store = make(connection)
        timers = keys.timers(keys.shard(KEY))
        await write(connection, opened())
        (lease,) = await store.claim(keys.shard(KEY), 10)
        assert not await store.release(lease, due=lease.claimed_at + 5, finished=False)
        assert await connection.zscore(timers, KEY) == lease.claimed_at + 5
        (lease,) = await poll(store)
        assert not await store.release(lease, due=0, finished=True)
        assert await connection.zscore(timers, KEY) is None
        assert 0 < await connection.pttl(keys.publications(KEY)) <= keys.CLOSED_LIFE_MS
        assert await store.names() == [KEY]
        expires_at = await connection.pexpiretime(keys.publications(KEY))
        assert abs(await connection.zscore(keys.published(keys.shard(KEY)), KEY) - expires_at) < 1000

    with_redis(body)


async def poll(store: publications.Publications) -> list[publications.Lease]:
    async with asyncio.timeout(5):
        while not (found := await store.claim(keys.shard(KEY), 10)):
            await asyncio.sleep(0.005)
    return found


def test_incident_changed_under_lease_is_due_at_once(with_redis):
    async def body(connection):
        store = make(connection)
        await write(connection, opened())
        (lease,) = await store.claim(keys.shard(KEY), 10)
        changed = incidents.Change(opened(changed_at=9), lease.version, True)
        assert await incidents.Incidents(connection).write(changed)
        assert await store.claim(keys.shard(KEY), 10) == []
        assert await store.release(lease, due=0, finished=True)
        (again,) = await store.claim(keys.shard(KEY), 10)
        assert again.incident.changed_at == 9

    with_redis(body)


def test_unreadable_document_does_not_block_others(with_redis):
    async def body(connection):
        await write(connection, opened(), opened("other"))
        await connection.hset(keys.incident(KEY), "d", b"\xc1")
        assert await make(connection).claim(keys.shard(KEY), 10) == []
        (lease,) = await make(connection).claim(keys.shard("other"), 10)
        assert lease.key == "other"
        with pytest.raises(errors.UnreadableDocument):
            await incidents.Incidents(connection).read([KEY])

    with_redis(body)


def test_incident_keys_share_one_cluster_slot(with_redis):
    async def body(connection):
        names = [keys.incident(KEY), keys.publications(KEY), keys.timers(keys.shard(KEY))]
        tags = {name[name.index("{") : name.index("}")] for name in names}
        assert len(tags) == 1
        assert all(name.startswith(keys.prefix(keys.shard(KEY))) for name in names)

    with_redis(body)


def test_script_call_with_wrong_keys_is_refused(with_redis):
    async def body(connection):
        with pytest.raises(ValueError, match="takes 3"):
            await scripts.Scripts(connection).run("record_publications", ["one"], [])

    with_redis(body)


def test_scripts_survive_a_restart_of_the_server(with_redis):
    async def body(connection):
        await write(connection, opened())
        await connection.script_flush()
        assert len(await make(connection).claim(keys.shard(KEY), 10)) == 1

    with_redis(body)
