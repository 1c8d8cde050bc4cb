"""The quarantine, and the state of the store."""

from router.store import keys, quarantine


def test_unparsable_body_is_stored_as_received(with_redis):
    async def body(store):
        first = await store.quarantine.add("am", b"\xff not json", {"content-type": "text/plain"}, "not JSON", 7)
        second = await store.quarantine.add("json", b"{}", {}, "no title", 8)
        found = await store.quarantine.read()
        assert [one.id for one in found] == [second, first]
        assert found[1] == quarantine.Quarantined(
            first, "am", "not JSON", 7, {"content-type": "text/plain"}, b"\xff not json"
        )
        assert len(await store.quarantine.read(count=1)) == 1

    with_redis(body)


def test_empty_quarantine_lists_nothing(with_redis):
    async def body(store):
        assert await store.quarantine.read() == []

    with_redis(body)


def test_newest_worker_heartbeat_counts(with_redis):
    async def body(store):
        await store.health.ping()
        assert await store.health.latest_heartbeat() == 0
        await store.health.record_heartbeat("a", 5)
        await store.health.record_heartbeat("b", 9)
        assert await store.health.latest_heartbeat() == 9
        await store.health.remove_worker("b")
        assert await store.health.latest_heartbeat() == 5
        assert await store.redis.zcard(keys.WORKERS) == 1

    with_redis(body)


def test_store_without_limit_is_never_full(with_redis):
    async def body(store):
        assert await store.health.fullness() == 0.0

    with_redis(body)
