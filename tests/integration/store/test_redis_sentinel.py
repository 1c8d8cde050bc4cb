"""With Sentinel, the router finds the primary, and reconnects when the primary changes."""

import asyncio
import contextlib

import pytest
import redis

from router.store import connection_settings, errors, keys
from router.store.store import Store
from tests.faults import sentinels, topologies
from tests.integration.store import test_backup

BEATS = 10


def run_against(server: connection_settings.Server, body) -> None:
    async def main():
        store = Store.connect(server)
        async with contextlib.aclosing(store):
            await body(store)

    asyncio.run(main())


@pytest.fixture(scope="module")
def protected_sentinel(tmp_path_factory):
    """Run one server and one sentinel, each with its own password; yield the sentinel's port."""
    folder = tmp_path_factory.mktemp("guarded")
    valkey = topologies.Valkey(folder / "valkey", "--requirepass", "of-the-server")
    sentinel = sentinels.sentinel(
        folder / "sentinel",
        valkey.port,
        "sentinel auth-pass acme of-the-server",
        "requirepass of-the-sentinel",
        quorum=1,
    )
    with contextlib.closing(redis.Redis(port=sentinel.port, password="of-the-sentinel")) as connection:
        sentinels.speed_up(connection.execute_command)
    yield sentinel.port
    sentinel.kill()
    valkey.kill()


def get_server(
    port: int, *, service: str = "acme", password: str = "of-the-sentinel", url: str = "redis://:of-the-server@"
):
    sentinel = connection_settings.Sentinel(service, (("127.0.0.1", port),), password=password)
    return connection_settings.Server(url, sentinel=sentinel)


def test_sentinels_and_servers_use_separate_passwords(protected_sentinel):
    run_against(get_server(protected_sentinel), lambda store: store.health.ping())


def test_backup_and_restore_work_through_sentinel(protected_sentinel):
    async def body(store):
        await store.redis.hset(keys.incident("down"), mapping={"v": 1, "d": b"d"})
        data = await test_backup.back_up(store)
        assert await test_backup.restore(store, data, replace=True) == (1, 0)
        assert await store.redis.hget(keys.incident("down"), "v") == b"1"

    run_against(get_server(protected_sentinel), body)


def test_wrong_password_error_names_the_server(protected_sentinel):
    with pytest.raises(errors.Unavailable, match="No master found"):
        run_against(get_server(protected_sentinel, password="wrong"), lambda store: store.health.ping())
    with pytest.raises(errors.Unavailable, match="invalid username-password pair"):
        run_against(get_server(protected_sentinel, url="redis://:wrong@"), lambda store: store.health.ping())


def test_unknown_sentinel_service_is_named(protected_sentinel):
    with pytest.raises(errors.Unavailable, match="No master found for 'other'"):
        run_against(get_server(protected_sentinel, service="other"), lambda store: store.health.ping())


def test_sentinel_refuses_a_unix_socket_server(protected_sentinel):
    with pytest.raises(errors.Unavailable, match="not by unix://"):
        Store.connect(get_server(protected_sentinel, url="unix:///tmp/valkey.sock"))


def test_repr_hides_every_password(protected_sentinel):
    assert "of-the" not in repr(get_server(protected_sentinel))


@pytest.mark.timeout(120)
def test_connection_follows_to_the_new_primary(tmp_path):
    """The new primary has all acknowledged writes."""

    async def body(store):
        await store.health.record_heartbeat("before", 1)
        await asyncio.to_thread(watched.fail_over)
        for number in range(BEATS):
            with contextlib.suppress(errors.Unavailable):  # from the demoted primary
                await store.health.record_heartbeat(f"w{number}", 2 + number)
        assert await store.health.latest_heartbeat() == 1 + BEATS
        await store.health.remove_worker(f"w{BEATS - 1}")
        assert await store.health.latest_heartbeat() == BEATS

    with topologies.run_topology(sentinels.SentinelTopology(tmp_path)) as watched:
        run_against(watched.server(), body)
