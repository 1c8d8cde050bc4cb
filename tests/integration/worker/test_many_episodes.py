"""The publications document of a recurring incident stays small."""

import msgspec

from router.domain import decisions, publications, retention, severities
from router.store import keys
from tests.integration import vendor, workers


async def size(on) -> int:
    return int(await on.store.redis.hstrlen(keys.publications("down"), "d"))


async def episode(on, number: int) -> None:
    """Fire and resolve once, with a later start than before."""
    await on.deliver(workers.firing(starts_at=100 + 100 * number))
    await on.turn()
    await on.deliver(workers.resolved(starts_at=100 + 100 * number))
    await on.turn()


def test_document_of_flapping_incident_stays_small(with_redis, monkeypatch):
    monkeypatch.setattr("router.domain.retention.MAX_NAMED_PUBLICATIONS", 5)
    at = vendor.Vendor()

    async def play(on):
        sizes = []
        for number in range(30):
            await episode(on, number)
            sizes.append(await size(on))
        assert at.states() == ["resolved"] * 30
        assert max(sizes[10:]) <= max(sizes[:10]) + 50

    workers.run(with_redis, play, vendor.on_call(at))


def test_large_document_shrinks_with_the_next_operation(with_redis):
    """500 episodes are from an earlier version. The only open post is resolved, and the others are removed."""
    at = vendor.Vendor()

    async def play(on):
        await episode(on, 0)
        content = publications.Content(severities.Severity.MAJOR, {"name": "Down" * 50})
        (first,) = await on.publications.look("down")
        earlier = [
            msgspec.structs.replace(first, episode=f"e{number}", vendor_id=f"v-{number}", content=content)
            for number in range(500)
        ]
        at.incidents["v-250"] = {"state": "open", "content": content, "reference": "e250"}
        earlier[250] = msgspec.structs.replace(earlier[250], state="open")
        shape = publications.Publication
        stored_names = dict(zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True))
        packed = msgspec.msgpack.encode(
            [{stored: getattr(one, name) for name, stored in stored_names.items()} for one in earlier]
        )
        await on.store.redis.hset(keys.publications("down"), "d", packed)
        assert await size(on) > 300_000
        await episode(on, 1)
        assert at.states() == ["resolved"] * 3
        assert await size(on) < 15_000
        assert len(await on.publications.look("down")) <= retention.MAX_NAMED_PUBLICATIONS + 2

    workers.run(with_redis, play, vendor.on_call(at))


def test_following_episode_still_reopens_the_earlier_one(with_redis, monkeypatch):
    monkeypatch.setattr("router.domain.retention.MAX_NAMED_PUBLICATIONS", 0)
    at = vendor.Vendor()
    place = vendor.on_call(at)

    async def play(on):
        timing = decisions.Timing(reopen_within=workers.HOUR)
        response = msgspec.structs.replace(workers.rule(), timing=timing)
        for number in range(4):
            await on.deliver(workers.firing(starts_at=100 + 100 * number), response=response)
            await on.turn()
            await on.deliver(workers.resolved(starts_at=100 + 100 * number), response=response)
            await on.turn()
        followed = (await on.incident()).follows
        assert followed in {publication.episode for publication in await on.publications.look("down")}

    workers.run(with_redis, play, place)
