"""Damaged data in every kind of Redis key: the rest of the router works, and the log names the key."""

import itertools

import pytest

from router.domain import decisions, severities
from router.store import damage, errors, keys, publishing_state
from router.telemetry import metrics
from router.worker import placements, storm_control
from tests.integration import consoles, vendor, workers

HURT = "hurt"
BESIDE = next(f"beside{n}" for n in itertools.count() if keys.shard(f"beside{n}") == keys.shard(HURT))
ELSEWHERE = next(f"elsewhere{n}" for n in itertools.count() if keys.shard(f"elsewhere{n}") != keys.shard(HURT))
SHARD = keys.shard(HURT)
ALERTS = keys.shard(workers.firing(HURT).identity)

KINDS = {
    "incident": keys.incident(HURT),
    "publications": keys.publications(HURT),
    "timeline": keys.timeline(HURT),
    "timers": keys.timers(SHARD),
    "incidents": keys.incidents(SHARD),
    "published": keys.published_incidents(SHARD),
    "names": keys.names(SHARD),
    "mark": keys.mark(SHARD),
    "homes": keys.homes(ALERTS),
    "claims": keys.claims(ALERTS),
    "moves": keys.moves(ALERTS),
    "posts": keys.POSTS,
    "touched": keys.TOUCHED,
    "gate": keys.GATE,
    "components": keys.components("page"),
    "updates": keys.updates("page"),
    "counts": keys.counts("down"),
    "suspects": keys.SUSPECTS,
    "dead": keys.DEAD,
    "archive": keys.ARCHIVE,
    "large": keys.LARGE,
    "unreadable": keys.UNREADABLE,
    "workers": keys.WORKERS,
    "silences": keys.SILENCES,
    "waiting": keys.waiting("on-call"),
    "resumed": keys.RESUMED,
    "admitted": keys.ADMITTED,
    "storm_queued_incidents": keys.WAITING,
    "storm": keys.STORM,
    "tokens": keys.TOKENS,
    "audit": keys.AUDIT,
    "quarantine": keys.QUARANTINE,
}
# The error of the command doesn't name the key, so the worker sweeps immediately and continues.
SWEPT_FIRST = {"large"}


@pytest.fixture(autouse=True)
def log_every_message(monkeypatch):
    """Reset the log's deduplication of recent messages."""
    monkeypatch.setattr(damage, "_reported_at", {})


async def find_or_make_key(store, kind: str) -> str:
    """Return the key of a kind. If keys of the kind end in a number, return the existing one."""
    key = KINDS[kind]
    if kind not in {"homes", "claims"}:
        return key
    names = [name.decode() async for name in store.redis.scan_iter(f"{key}:*")]
    return names[0]


async def junk(store, key: str) -> None:
    """Replace the value of a key with an unreadable value of the same type."""
    kind = (await store.redis.type(key)).decode()
    if kind == "hash":
        names = await store.redis.hkeys(key)
        await store.redis.hset(key, mapping=dict.fromkeys(names, b"\xc1\xff junk"))
    elif kind == "zset":
        await store.redis.zadd(key, {b"\xff\xfe junk": 1})
    elif kind == "stream":
        await store.redis.xadd(key, {"junk": b"\xff"})
    elif kind == "set":
        await store.redis.sadd(key, b"\xff junk")
    else:
        await store.redis.set(key, b"\xff junk")


async def replace_with_list(store, key: str) -> None:
    await store.redis.delete(key)
    await store.redis.lpush(key, "a list")


async def delete(store, key: str) -> None:
    await store.redis.delete(key)


DAMAGES = {"junk": junk, "wrong_type": replace_with_list, "deleted": delete}


def run_scene(with_redis, play):
    at, page = vendor.Vendor(), vendor.Vendor()
    places = [vendor.on_call(at), vendor.place("page", page, public=True)]

    async def body(on):
        await play(on, at)

    workers.run(with_redis, body, *places)


async def opened(on, *names: str) -> None:
    for name in names:
        await on.deliver(workers.firing(name), key=name)
    await on.turn()


@pytest.mark.parametrize("harm", DAMAGES)
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_key_affects_no_other_incident(with_redis, kind, harm):
    async def play(on, at):
        public = workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto"))
        await on.deliver(workers.firing("shown"), key="shown", response=public)
        await opened(on, HURT)
        await DAMAGES[harm](on.store, await find_or_make_key(on.store, kind))
        if kind in SWEPT_FIRST:
            await on.reconciler.sweep()
        await opened(on, BESIDE, ELSEWHERE)
        await on.reconciler.sweep()
        await on.turn()
        for name in (BESIDE, ELSEWHERE):
            assert (await on.incident(name)).status == "open"
            assert [publication.state for publication in await on.publications.look(name)] == ["open"]
            await on.deliver(workers.resolved(name), key=name)
        await on.turn()
        for name in (BESIDE, ELSEWHERE):
            assert [publication.state for publication in await on.publications.look(name)] == ["resolved"]
        assert await on.store.redis.xlen(keys.INBOX) == 0
        assert len(at.by_key) == 3

    run_scene(with_redis, play)


@pytest.mark.parametrize("harm", ["junk", "wrong_type"])
def test_unreadable_incident_makes_alert_a_dead_letter(with_redis, harm, capsys):
    """The delivery's other alerts are folded. After the document is repaired, the delivery is redriven."""

    async def play(on, at):
        await opened(on, HURT)
        kept = await on.store.redis.hgetall(keys.incident(HURT))
        await DAMAGES[harm](on.store, keys.incident(HURT))
        counted = metrics.damaged.labels("incident")._value.get()
        await on.deliver(workers.resolved(HURT), key=HURT)
        await opened(on, BESIDE)
        ((identity, dead),) = await on.store.redis.xrange(keys.DEAD)
        assert HURT in dead[b"reason"].decode()
        assert metrics.damaged.labels("incident")._value.get() >= counted
        with pytest.raises(errors.UnreadableDocument, match=HURT):
            await on.incidents.read([HURT])
        await on.store.redis.delete(keys.incident(HURT))
        await on.store.redis.hset(keys.incident(HURT), mapping=kept)
        assert await on.store.dead_deliveries.redrive(identity.decode())
        await on.turn()
        await on.publications.wake([HURT])
        await on.turn()
        assert at.states() == ["resolved", "open"]

    run_scene(with_redis, play)
    assert keys.incident(HURT) in capsys.readouterr().out


def test_unreadable_incident_is_skipped_by_scans(with_redis):
    """Scans for an alert storm, for a contradictory delivery, and for the placement of an alert."""

    async def play(on, _at):
        await opened(on, HURT)
        await junk(on.store, keys.incident(HURT))
        await on.deliver(workers.firing(HURT), workers.resolved(HURT), key=HURT)
        await opened(on, BESIDE)
        assert (await on.incident(BESIDE)).status == "open"
        assert await on.store.redis.xlen(keys.DEAD) == 1
        await on.store.redis.zadd(keys.WAITING, {f"e1 {HURT}": 1})
        counted = storm_control.StormControl(on.store, publishing_state.Limit(9, workers.HOUR))
        assert (await counted.turn()).waiting == 1
        assert await on.store.redis.zcard(keys.WAITING) == 0
        routed = decisions.Routed(
            workers.firing(HURT), decisions.Decision("other", severities.Severity.MAJOR, workers.rule())
        )
        (placement,) = await placements.Placements(on.store, on.mutes).find([routed], on.redis_time())
        assert placement.incident_key == "other"

    run_scene(with_redis, play)


@pytest.mark.parametrize("kind", ["timers", "published_incidents", "incidents"])
@pytest.mark.parametrize("harm", ["deleted", "wrong_type"])
def test_lists_and_timers_are_rebuilt_from_the_documents(with_redis, kind, harm):
    """Operations are pending: no incident was open when its timer was lost."""

    async def play(on, at):
        names = [f"n{number}" for number in range(30)]
        for name in names:
            await on.deliver(workers.firing(name), key=name)
        await on.fold()
        for shard in range(keys.SHARDS):
            key = getattr(keys, kind)(shard)
            await DAMAGES[harm](on.store, key)
        for _ in range(2):
            await on.reconciler.sweep()
            await on.turn()
        assert at.states() == ["open"] * 30
        assert await on.incidents.names() == sorted(names)
        assert await on.publications.names() == sorted(names)

    run_scene(with_redis, play)


def test_sweep_sets_no_timer_for_resting_incidents(with_redis):
    async def play(on, _at):
        await opened(on, HURT)
        await on.deliver(
            workers.firing("quiet"), key="quiet", response=decisions.Response("down", "rules/a.yaml:3", "v1")
        )
        await on.turn()
        await on.deliver(workers.resolved(HURT), key=HURT)
        await on.turn()
        assert await on.reconciler.sweep() == 0
        assert await on.due() == []
        assert "quiet" not in await on.publications.names()

    run_scene(with_redis, play)


def test_sweep_reads_lists_longer_than_a_page(with_redis, monkeypatch):
    monkeypatch.setattr("router.worker.index_repair.PAGE", 3)

    async def play(on, at):
        names = [name for name in (f"n{number}" for number in range(300)) if keys.shard(name) == SHARD][:10]
        for name in names:
            await on.deliver(workers.firing(name), key=name)
        await on.fold()
        await on.store.redis.delete(keys.timers(SHARD))
        assert [await on.reconciler.sweep() for _ in range(5)] == [3, 3, 3, 1, 0]
        await on.turn()
        assert at.states() == ["open"] * 10

    run_scene(with_redis, play)


def test_expired_members_are_removed_without_being_listed(with_redis):
    async def body(store):
        on = workers.WorkerHarness(store)
        gone = {f"gone{number}": 1 for number in range(500)}
        await store.redis.zadd(keys.incidents(3), gone)
        await store.redis.zadd(keys.published_incidents(3), gone)
        await store.redis.zadd(keys.names(3), {f"k:{name}\0IR-1": 0 for name in gone} | {"k:other\0IR-2": 0})
        for _ in range(3):
            await on.reconciler.sweep()
        assert await store.redis.zcard(keys.incidents(3)) == await store.redis.zcard(keys.published_incidents(3)) == 0
        assert await store.redis.zcard(keys.names(3)) == 1

    with_redis(body)


def test_commit_on_a_wrong_type_is_atomic(with_redis):
    """The timers key is a string while 30 alerts are folded. Each alert opens one incident."""

    async def play(on, at):
        for shard in range(keys.SHARDS):
            await on.store.redis.set(keys.timers(shard), "junk")
        await opened(on, *(f"n{number}" for number in range(30)))
        assert at.states() == ["open"] * 30

    run_scene(with_redis, play)


PAGES = ["/api/v1/overview", "/api/v1/incidents", "/api/v1/reviews", "/api/v1/dead-letters", "/api/v1/tokens"]
PAGES += ["/api/v1/audit", "/api/v1/quarantine", "/api/v1/silences", "/api/v1/deliveries"]
SHOWN = ["incident", "publications", "timers", "tokens", "audit", "quarantine", "dead", "silences", "incidents", "gate"]


@pytest.mark.parametrize("kind", SHOWN)
@pytest.mark.parametrize("harm", ["junk", "wrong_type"])
def test_pages_show_readable_data_beside_damaged_keys(play, kind, harm):
    async def body(at):
        admin = await at.client_for("admin")
        await at.deliver(consoles.firing(), consoles.firing("other"))
        await at.on.store.quarantine.add("json", b"x", {}, "bad", 1)
        hurt = {"incident": keys.incident(consoles.key()), "publications": keys.publications(consoles.key())}
        key = hurt.get(kind, KINDS[kind])
        if kind == "gate":
            await at.on.store.publishing_controls.freeze("ann", 1, "")
        if kind == "tokens" and harm == "junk":
            await at.on.store.redis.hset(key, "another", b"\xc1")
        elif kind != "tokens":
            await DAMAGES[harm](at.on.store, key)
        await at.on.reconciler.sweep()
        for page in PAGES:
            answer = await admin.get(page)
            assert answer.status_code == 200, (page, answer.text)
        if kind in hurt:
            assert hurt[kind] in (await admin.get("/api/v1/overview")).json()["unreadable"][0]
        assert consoles.key("other") in {item["key"] for item in (await admin.get("/api/v1/incidents")).json()["items"]}

    play(body)
