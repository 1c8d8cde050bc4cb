"""The quarantine, and the state of the store."""

from router.store import health, keys, quarantine


def test_unparsable_body_is_stored_as_received(with_redis):
    async def body(connection):
        kept = quarantine.Quarantine(connection)
        first = await kept.add("am", b"\xff not json", {"content-type": "text/plain"}, "not JSON", 7)
        second = await kept.add("json", b"{}", {}, "no title", 8)
        found = await kept.read()
        assert [one.id for one in found] == [second, first]
        assert found[1] == quarantine.Quarantined(
            first, "am", "not JSON", 7, {"content-type": "text/plain"}, b"\xff not json"
        )
        assert len(await kept.read(most=1)) == 1

    with_redis(body)


def test_empty_quarantine_lists_nothing(with_redis):
    async def body(connection):
        assert await quarantine.Quarantine(connection).read() == []

    with_redis(body)


def test_newest_worker_heartbeat_counts(with_redis):
    async def body(connection):
        condition = health.Health(connection)
        await condition.ping()
        assert await condition.latest_heartbeat() == 0
        await condition.record_heartbeat("a", 5)
        await condition.record_heartbeat("b", 9)
        assert await condition.latest_heartbeat() == 9
        await condition.remove_worker("b")
        assert await condition.latest_heartbeat() == 5
        assert await connection.zcard(keys.WORKERS) == 1

    with_redis(body)


def test_store_without_limit_is_never_full(with_redis):
    async def body(connection):
        assert await health.Health(connection).fullness() == 0.0

    with_redis(body)
