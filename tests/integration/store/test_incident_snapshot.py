"""The snapshot of all incidents is at most a second old, decoded once, and complete despite damaged documents."""

import asyncio

import pytest

from router.domain.incidents import Incident
from router.store import codec, damage, incident_snapshot, incidents, keys
from tests.integration import vendor, workers

SECOND = 1_000_000


class Clock:
    now = workers.LONG_AGO

    def __call__(self) -> int:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += int(seconds * SECOND)


def run_scene(with_redis, play):
    at, clock = vendor.Vendor(), Clock()

    async def body(on):
        await play(on, on.store.make_snapshot_cache(clock), clock, at)

    workers.run(with_redis, body, vendor.on_call(at))


async def opened(on, *names: str) -> None:
    for name in names:
        await on.deliver(workers.firing(name), key=name)
        await on.turn()


def test_snapshot_contains_every_incident_with_its_publications(with_redis):
    async def play(on, looking, _clock, _at):
        await opened(on, "a", "b")
        snapshot = await looking.get()
        assert [held.incident.status for held in snapshot.incidents.values()] == ["open", "open"]
        assert snapshot.incidents["a"].version == (await on.incidents.read(["a"]))["a"].version
        assert snapshot.publications == {name: await on.publications.look(name) for name in ("a", "b")}
        assert [one.destination for one in snapshot.publications["b"]] == ["on-call"]

    run_scene(with_redis, play)


def test_empty_store_gives_an_empty_snapshot(with_redis):
    async def play(_on, looking, _clock, _at):
        assert await looking.get() == incident_snapshot.Snapshot({}, {})

    run_scene(with_redis, play)


def test_snapshot_is_reused_for_one_second(with_redis):
    async def play(on, looking, clock, _at):
        await opened(on, "a")
        first = await looking.get()
        await opened(on, "b")
        clock.pass_(0.9)
        assert await looking.get() is first
        clock.pass_(0.2)
        assert list((await looking.get()).incidents) == ["a", "b"]

    run_scene(with_redis, play)


def test_concurrent_requests_share_one_snapshot(with_redis):
    async def play(on, looking, _clock, _at):
        await opened(on, "a")
        first, *others = await asyncio.gather(*(looking.get() for _ in range(20)))
        assert all(one is first for one in others)

    run_scene(with_redis, play)


def test_invalidated_snapshot_shows_own_action_immediately(with_redis):
    async def play(on, looking, _clock, _at):
        await looking.get()
        await opened(on, "a")
        looking.invalidate()
        assert list((await looking.get()).incidents) == ["a"]

    run_scene(with_redis, play)


def test_invalidation_during_a_read_forces_another_read(with_redis):
    async def play(on, looking, _clock, _at):
        others = asyncio.create_task(looking.get())
        while not looking._reading.locked():
            await asyncio.sleep(0)
        looking.invalidate()
        await others
        await opened(on, "a")
        assert list((await looking.get()).incidents) == ["a"]

    run_scene(with_redis, play)


def test_unchanged_documents_are_not_decoded_again(with_redis, monkeypatch):
    async def play(on, looking, clock, _at):
        await opened(on, "a", "b")
        before = await looking.get()
        decoded = []
        unpack = codec.unpack_incident
        monkeypatch.setattr(codec, "unpack_incident", lambda data: decoded.append(1) or unpack(data))
        await on.deliver(workers.firing("another"), key="b")
        await on.turn()
        decoded.clear()
        clock.pass_(2)
        after = await looking.get()
        assert len(decoded) == 1
        assert after.incidents["a"].incident is before.incidents["a"].incident
        assert after.publications["a"] is before.publications["a"]
        assert set(after.incidents["b"].incident.alerts) == {"am/b", "am/another"}

    run_scene(with_redis, play)


def test_expired_incident_leaves_the_snapshot(with_redis):
    async def play(on, looking, clock, _at):
        await opened(on, "a", "b")
        await looking.get()
        await on.store.redis.delete(keys.incident("a"), keys.publications("a"))
        clock.pass_(2)
        snapshot = await looking.get()
        assert (list(snapshot.incidents), list(snapshot.publications)) == (["b"], ["b"])

    run_scene(with_redis, play)


def test_recreated_incident_replaces_the_cached_one(with_redis):
    async def play(on, looking, clock, _at):
        await opened(on, "a")
        await looking.get()
        await on.store.redis.delete(keys.incident("a"))
        pending = Incident(key="a", status="pending")
        await on.incidents.commit([incidents.Change(pending, 0, wake=False)])
        clock.pass_(2)
        assert (await looking.get()).incidents["a"].incident.status == "pending"

    run_scene(with_redis, play)


def test_publications_of_an_expired_incident_remain_visible(with_redis):
    async def play(on, looking, _clock, at):
        at.before.append(vendor.make_permanent())
        await opened(on, "a")
        await on.store.redis.delete(keys.incident("a"))
        snapshot = await looking.get()
        assert snapshot.incidents == {}
        assert [one.rejection is not None for one in snapshot.publications["a"]] == [True]

    run_scene(with_redis, play)


@pytest.mark.parametrize("of", [keys.incident, keys.publications])
def test_damaged_document_is_reported_and_hides_only_itself(with_redis, of, capsys, monkeypatch):
    monkeypatch.setattr(damage, "_reported_at", {})

    async def play(on, looking, _clock, _at):
        await opened(on, "a", "b")
        await on.store.redis.hset(of("a"), mapping={"d": b"\xc1 no document"})
        snapshot = await looking.get()
        left = {keys.incident: (["b"], ["a", "b"]), keys.publications: (["a", "b"], ["b"])}
        assert (list(snapshot.incidents), list(snapshot.publications)) == left[of]
        assert list(snapshot.unreadable) == ["a"]
        assert of("a") in snapshot.unreadable["a"]

    run_scene(with_redis, play)
    assert "data_damaged" in capsys.readouterr().out
