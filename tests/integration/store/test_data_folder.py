"""One process uses the data folder at a time, and other users can't read it."""

import os
import signal
import socket
import stat
import subprocess
import sys

import pytest
import redis

from router.store import embedded, private_folder
from tests import ports
from tests.end_to_end import commands, harness

HOLDER = """
import sys, time
from pathlib import Path
from router.store import private_folder
lock = private_folder.acquire(Path(sys.argv[1]))
print("locked", flush=True)
time.sleep(600)
"""
OWNER = """
import sys, time
from pathlib import Path
from router.store import embedded, private_folder
server = embedded.EmbeddedServer(Path(sys.argv[1]))
server.start()
print(server.url, flush=True)
time.sleep(600)
"""


@pytest.fixture
def process(data_folder):
    """Start a Python program with the data folder as its argument, and return it with its first line."""
    started = []

    def start(program: str) -> tuple[subprocess.Popen[str], str]:
        command = [sys.executable, "-c", program, str(data_folder)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return started[-1], started[-1].stdout.readline().strip()

    yield start
    for each in started:
        each.kill()
        each.wait()
        each.stdout.close()


@pytest.fixture
def file(tmp_path):
    with harness.vendors() as at:
        yield harness.configure(tmp_path, at)


def modes(folder):
    """Return the permissions of group and others on a folder and everything in it."""
    return {str(path): stat.S_IMODE(path.stat().st_mode) & 0o077 for path in [folder, *folder.rglob("*")]}


def run_again(file, *options: str, **environment: str):
    """Start a second `run` with this configuration, and wait until it ends."""
    arguments = ["run", "--config", str(file), *options]
    return commands.run_command(*arguments, cwd=file.parent, environment=harness.SECRETS | environment)


class TestLock:
    def test_second_process_on_a_folder_is_refused(self, process, data_folder):
        held, _ = process(HOLDER)
        with pytest.raises(private_folder.InUseError, match=rf"{data_folder} is in use by process {held.pid}\."):
            private_folder.acquire(data_folder)

    def test_killed_process_releases_the_folder(self, process, data_folder):
        held, _ = process(HOLDER)
        held.kill()
        held.wait()
        with private_folder.hold_lock(data_folder) as lock:
            assert lock.folder == data_folder

    def test_released_folder_can_be_locked_again(self, data_folder):
        for _ in range(2):
            with private_folder.hold_lock(data_folder):
                pass

    def test_stale_lock_file_is_ignored(self, data_folder):
        data_folder.mkdir()
        (data_folder / "lock").write_text(f"{os.getppid()} {socket.gethostname()}\n")
        with private_folder.hold_lock(data_folder):
            pass

    def test_server_of_killed_router_keeps_folder_locked(self, process, data_folder):
        """A stopped server may write later, so the folder stays locked, and the error names the server."""
        owner, url = process(OWNER)
        with redis.Redis.from_url(url) as connection:
            server = connection.info("server")["process_id"]
            os.kill(server, signal.SIGSTOP)
        owner.kill()
        owner.wait()
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(private_folder, "_ENDING_SECONDS", 0.2)
                said = rf"in use by process .*{server} \(.*\), which process"
                with pytest.raises(private_folder.InUseError, match=said):
                    private_folder.acquire(data_folder)
        finally:
            os.kill(server, signal.SIGCONT)
        with embedded.running(data_folder) as again, redis.Redis.from_url(again.url) as connection:
            assert connection.ping()

    def test_file_system_without_locks_is_refused(self, data_folder, monkeypatch):
        def unsupported(*_: int) -> None:
            raise OSError(private_folder.errno.ENOLCK, "No locks available")

        monkeypatch.setattr(private_folder.fcntl, "flock", unsupported)
        with pytest.raises(private_folder.InUseError, match="can't lock files: No locks available"):
            private_folder.acquire(data_folder)


class TestRights:
    def test_server_files_are_private(self, data_folder):
        with embedded.running(data_folder) as server, redis.Redis.from_url(server.url) as connection:
            connection.set("a", "b")
            connection.bgrewriteaof()
            harness.eventually("the file is rewritten", lambda: not connection.info()["aof_rewrite_in_progress"])
            assert set(modes(data_folder).values()) == {0}
            assert len(modes(data_folder)) >= 6

    def test_readable_files_of_earlier_version_become_private(self, data_folder):
        folder = data_folder / "appendonlydir"
        folder.mkdir(parents=True)
        data_folder.chmod(0o755)
        (folder / "appendonly.aof.1.incr.aof").write_text("")
        (data_folder / "valkey.log").write_text("")
        with embedded.running(data_folder):
            assert set(modes(data_folder).values()) == {0}


class TestRun:
    def test_second_run_on_one_folder_is_refused(self, file, tmp_path):
        """The second run has other ports but the same data folder. Two servers would lose deliveries."""
        with harness.router(tmp_path, file) as first:
            first.send_alert(dedup_key="before")
            again = run_again(file, "--port", "0", "--console-port", "0")
            assert again.returncode == 1
            assert "is in use by process " in again.stderr
            assert again.stderr.count("\n") == 1
            first.send_alert(dedup_key="after")
            assert first.command("incidents", "list").returncode == 0
            assert embedded.running_address(tmp_path / "data") is not None

    def test_second_run_with_simulator_is_refused(self, file, tmp_path):
        simulated = ["--simulate", "--simulator-port", str(ports.reserve())]
        with harness.router(tmp_path, file):
            assert "is in use by process " in run_again(file, "--port", "0", *simulated).stderr

    def test_port_in_use_starts_no_server(self, file, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run_again(file, "--port", str(taken.getsockname()[1]))
        assert done.returncode == 1
        assert not (tmp_path / "data/valkey.log").exists()

    @pytest.mark.parametrize(
        ("options", "what"),
        [
            (["--port", "{}"], "where webhooks are received: Address already in use. Choose another one with --port"),
            (
                ["--console-port", "{}"],
                "the API are served: Address already in use. Choose another one with --console-",
            ),
            (["--simulate", "--simulator-port", "{}"], "Choose another one with --simulator-port"),
            (["--host", "192.0.2.1"], "Choose another one with --host or web.host"),
        ],
    )
    def test_unavailable_address_error_names_its_option(self, file, options, what):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            done = run_again(file, *(option.format(taken.getsockname()[1]) for option in options))
        assert done.returncode == 1
        assert what in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize(
        ("command", "option", "setting"),
        [("web", "--port", "web.port"), ("web", "--console-port", "management.port"),
         ("web", "--health-port", "web.health_port"),
         ("worker", "--health-port", "worker.health_port")],
    )  # fmt: skip
    def test_port_in_use_error_names_its_option(self, file, command, option, setting, redis_url):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = str(taken.getsockname()[1])
            done = commands.run_command(
                command, "--config", str(file), option, port, environment=harness.SECRETS | {"REDIS_URL": redis_url}
            )
        assert done.returncode == 1
        assert f"Choose another one with {option} or {setting}" in done.stderr

    def test_router_starts_after_an_earlier_one_was_killed(self, file, tmp_path):
        command = [harness.COMMAND, "run", "--config", str(file)]
        killed = harness.Process(command, tmp_path, "killed", forked=True, **harness.SECRETS)
        harness.Router(killed, file).send_alert(dedup_key="before")
        killed.kill()
        with harness.router(tmp_path, file) as again:
            assert "checkout-down" in again.command("incidents", "list").stdout

    def test_generated_secrets_are_kept_in_configured_folder(self, file, tmp_path):
        file.write_text(file.read_text().replace("data: data", "data: elsewhere"))
        command = [
            harness.COMMAND,
            "run",
            "--simulate",
            "--simulator-port",
            str(ports.reserve()),
            "--config",
            str(file),
        ]
        process = harness.Process(command, tmp_path, "simulated", forked=True, WEBHOOK_TOKEN="", KEY="")
        try:
            process.wait_for_output("Ctrl-C stops everything")
            kept = {path.name for path in (tmp_path / "elsewhere").iterdir()}
            assert {"webhook-token", "console-token", "valkey.address", "lock"} <= kept
            assert not (tmp_path / "data").exists()
            assert set(modes(tmp_path / "elsewhere").values()) == {0}
        finally:
            process.stop()
        assert set(modes(tmp_path / "elsewhere").values()) == {0}
