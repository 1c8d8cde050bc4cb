"""The newest events of an incident are in its document, and earlier ones in a stream."""

import itertools

import msgspec
import pytest

from router.domain import identity, severities, timeline
from router.domain.incidents import Incident
from router.store import incidents, keys

KEY = 'checkout-down{labels.region="eu"}'


def opened(key: str = KEY, **more) -> Incident:
    return Incident(key=key, status="open", episode="e1", severity=severities.Severity.MAJOR, **more)


def make_event(at: int, text: str) -> timeline.Event:
    return timeline.Event(at, "opened", text)


async def change(documents, after: Incident, *events: timeline.Event) -> None:
    version = (await documents.read([after.key]))[after.key].version
    assert await documents.write(incidents.Change(after, version, wake=False, events=events))


async def texts(documents, key: str = KEY) -> list[str]:
    return [event.text for event in await documents.timeline(key)]


def test_few_events_create_no_separate_key(with_redis):
    async def body(store):
        await change(store.incidents, opened(), make_event(1, "first"))
        await change(store.incidents, opened(changed_at=2))
        await change(store.incidents, opened(changed_at=3), make_event(2, "second"), make_event(2, "third"))
        assert await texts(store.incidents) == ["first", "second", "third"]
        assert not await store.redis.exists(keys.timeline(KEY))

    with_redis(body)


@pytest.mark.parametrize("length", [1, 200, 2_000])
@pytest.mark.parametrize("events", [1, 7, 20])
def test_many_events_are_in_order(with_redis, length, events):
    async def body(store):
        numbers = itertools.count(1)
        written = []
        for _ in range(20):
            said = [make_event(at, f"{at} {'x' * length}") for at in itertools.islice(numbers, events)]
            await change(store.incidents, opened(changed_at=said[-1].at), *said)
            written += [event.text for event in said]
            assert await texts(store.incidents) == written
        assert await store.redis.hstrlen(keys.incident(KEY), "e") <= max(1024, events * (length + 40))
        assert 1 <= await store.redis.xlen(keys.timeline(KEY)) < 20
        await change(store.incidents, msgspec.structs.replace(opened(), status="closed"))
        assert await store.redis.hget(keys.incident(KEY), "e") is None
        assert await texts(store.incidents) == written

    with_redis(body)


def test_timeline_outlives_the_document_of_a_closed_incident(with_redis):
    async def body(store):
        await change(store.incidents, opened(), make_event(1, "first"))
        await change(store.incidents, msgspec.structs.replace(opened(), status="closed"), make_event(3, "closed"))
        await store.redis.delete(keys.incident(KEY))
        assert await texts(store.incidents) == ["first", "closed"]
        assert keys.CLOSED_LIFE_MS < await store.redis.pttl(keys.timeline(KEY)) <= keys.HOME_LIFE_MS
        await change(store.incidents, opened(), make_event(5, "again"))
        assert await texts(store.incidents) == ["first", "closed", "again"]

    with_redis(body)


def test_incident_that_begins_closed_has_a_stream(with_redis):
    async def body(store):
        await change(store.incidents, msgspec.structs.replace(opened(), status="closed"), make_event(1, "over"))
        assert await store.redis.hget(keys.incident(KEY), "e") is None
        assert await texts(store.incidents) == ["over"]

    with_redis(body)


def test_stream_of_an_earlier_version_comes_first(with_redis):
    async def body(store):
        await store.redis.xadd(keys.timeline(KEY), {"e": msgspec.msgpack.encode([make_event(1, "before")])})
        await change(store.incidents, opened(), make_event(4, "first"))
        assert await texts(store.incidents) == ["before", "first"]

    with_redis(body)


def test_outdated_change_affects_no_other_change(with_redis):
    """New incidents are checked together, 64 at a time."""

    async def body(store):
        names = [f"down-{number}" for number in range(3_000)]
        await change(store.incidents, opened("down-77"), make_event(1, "first"))
        await store.redis.set(keys.incident("down-99"), "no hash")
        lost = await store.incidents.commit(
            [incidents.Change(opened(name), 0, False, [make_event(2, "late")]) for name in names]
        )
        assert sorted(lost) == ["down-77", "down-99"]
        assert await texts(store.incidents, "down-77") == ["first"]
        assert await texts(store.incidents, "down-78") == ["late"]
        held = await store.incidents.read([name for name in names if name != "down-99"])
        assert all(one.version for one in held.values())

    with_redis(body)


def test_new_document_replaces_an_expired_reference(with_redis):
    async def body(store):
        before, after = f"{identity.owner('', KEY)}-1", f"{identity.owner('', KEY)}-2"
        await change(store.incidents, msgspec.structs.replace(opened(), episode=before))
        await store.redis.delete(keys.incident(KEY))  # Its names are still in the index.
        await change(store.incidents, msgspec.structs.replace(opened(), episode=after))
        assert await store.incidents.find(identity.reference(before), 2) == {}
        assert await store.incidents.find(identity.reference(after), 2) == {KEY: identity.reference(after)}

    with_redis(body)
