"""The steps of docs/how-to/back-up-and-restore.md that restore the files of a Redis or Valkey server."""

import contextlib
import shutil
import subprocess

import pytest
import redis

from router.store import embedded
from tests import ports
from tests.end_to_end import harness

KEYS = 290
PROGRAMS = [
    pytest.param(embedded.find_program(), id="Valkey"),
    pytest.param("redis-server", id="Redis", marks=pytest.mark.debian("redis-server")),
]


@contextlib.contextmanager
def server(program, folder, *, appendonly="yes"):
    folder.mkdir(exist_ok=True)
    port = ports.reserve()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with subprocess.Popen([*command, "--appendonly", appendonly], stdout=subprocess.DEVNULL) as process:
        connection = redis.Redis(port=port, decode_responses=True)
        try:
            assert embedded.wait_until_ready(("127.0.0.1", port))
            yield connection
        finally:
            connection.close()
            process.terminate()


BUSY = (
    "rdb_bgsave_in_progress",
    "aof_rewrite_in_progress",
    "aof_rewrite_scheduled",
    "aof_buffer_length",  # On a slow disk, a write may wait up to two seconds.
)


def is_idle(connection) -> bool:
    info = connection.info("persistence")
    return not any(int(info.get(name, 0)) for name in BUSY)


def fill(connection) -> None:
    for number in range(KEYS):
        connection.set(f"ir:{{vendors}}:id:{number}", number)


@pytest.mark.parametrize("program", PROGRAMS)
def test_snapshot_is_restored_without_append_only_file(program, tmp_path):
    with server(program, tmp_path / "first") as connection:
        fill(connection)
        connection.bgsave()
        harness.eventually("the snapshot is written", lambda: is_idle(connection))
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy(tmp_path / "first" / "dump.rdb", second)
    with server(program, second, appendonly="no") as connection:
        assert connection.dbsize() == KEYS
        connection.config_set("appendonly", "yes")
        harness.eventually("the append-only file is written", lambda: is_idle(connection))
        assert connection.info("persistence")["aof_enabled"] == 1
    with server(program, second) as connection:
        assert connection.dbsize() == KEYS


@pytest.mark.parametrize("program", PROGRAMS)
def test_append_only_file_makes_snapshot_ignored(program, tmp_path):
    """This is the reason for the documented steps."""
    with server(program, tmp_path / "first") as connection:
        fill(connection)
        connection.save()
    second = tmp_path / "second"
    second.mkdir()
    shutil.copy(tmp_path / "first" / "dump.rdb", second)
    with server(program, second) as connection:
        assert connection.dbsize() == 0


@pytest.mark.parametrize("program", PROGRAMS)
def test_append_only_folder_copy_is_restored(program, tmp_path):
    (tmp_path / "second").mkdir()
    with server(program, tmp_path / "first") as connection:
        fill(connection)
        connection.config_set("auto-aof-rewrite-percentage", 0)
        harness.eventually("nothing rewrites the file", lambda: is_idle(connection))
        shutil.copytree(tmp_path / "first" / "appendonlydir", tmp_path / "second" / "appendonlydir")
        connection.config_set("auto-aof-rewrite-percentage", 100)
    with server(program, tmp_path / "second") as connection:
        assert connection.dbsize() == KEYS
