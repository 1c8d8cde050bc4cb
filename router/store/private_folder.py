"""The data folder of the embedded server: one process uses it at a time, and only its owner can read it.

Two servers that append to the same append-only file lose accepted deliveries. The lock is the kernel's (``flock``): it
ends with the last process that inherited it, so it outlives a killed router until the router's server has written its
file and exited. A leftover lock file means nothing.
"""

import contextlib
import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FILE = "lock"
_PRIVATE_FILES = ("appendonlydir", "appendonlydir/*", "*.rdb", "*.log", "*.aof", "*-token", "*.state", "valkey.address")
_ENDING_SECONDS = 20.0
_POLL_SECONDS = 0.05
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class InUseError(Exception):
    """Another process uses the data folder, or the file system doesn't support locks."""


@dataclass(frozen=True)
class FolderLock:
    """A locked data folder. A child process that inherits ``descriptor`` holds the lock as well."""

    folder: Path
    descriptor: int


@contextlib.contextmanager
def hold_lock(folder: Path) -> Iterator[FolderLock]:
    """Create, lock, and restrict the folder for the duration of a ``with`` block. Raises ``InUseError``.

    If the process that locked the folder was killed, wait up to 20 seconds for its server to exit.
    """
    lock = acquire(folder)
    try:
        yield lock
    finally:
        release(lock)


def acquire(folder: Path) -> FolderLock:
    """Lock a folder until ``release``; see ``hold_lock``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Only the server inherits the descriptor, by `pass_fds`. Other child processes must not keep the lock.
    descriptor = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        # The file names the process that holds the lock, so it is written only after the lock is acquired.
        _wait_for(folder, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    _make_private(folder)
    return FolderLock(folder, descriptor)


def release(lock: FolderLock) -> None:
    """Release the lock. A child process that inherited it still holds it."""
    os.close(lock.descriptor)


def write(file: Path, text: str) -> None:
    """Write a file of the data folder atomically, readable only by its owner."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
    # The mode is set when the file is created, so that other users can't read it even for a moment.
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as output:
        output.write(text)
    fresh.replace(file)


def _wait_for(folder: Path, descriptor: int) -> None:
    deadline = time.monotonic() + _ENDING_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            # Wait for the server of a killed router, which is about to exit. Don't wait for a running router.
            if _is_running(descriptor) or time.monotonic() > deadline:
                raise InUseError(_in_use(folder, descriptor)) from None
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
            message = f"the file system of the data folder {folder} can't lock files: {error.strerror}. {_ELSEWHERE}"
            raise InUseError(message) from error
        else:
            return


_ELSEWHERE = "Choose another folder with `data` in the configuration or INCIDENT_ROUTER_DATA"


def _in_use(folder: Path, descriptor: int) -> str:
    """Describe the process that holds the lock: the one that acquired it, or a child of it that still runs."""
    recorded_pid, host = _read_owner(descriptor)
    holders = _holders(folder / _FILE)
    # The recorded process holds the lock, or /proc doesn't show who does, as for processes of another user or host.
    if recorded_pid in holders or not holders:
        by = f"process {recorded_pid}" if recorded_pid else "another process"
        by += f" on host {host}" if host not in {"", socket.gethostname()} else ""
        return f"the data folder {folder} is in use by {by}. Stop that process first. {_ELSEWHERE}"
    # The recorded process has ended. A child that inherited the lock, such as its server, still runs.
    names = ", ".join(f"{pid} ({name})" for pid, name in sorted(holders.items()))
    return (
        f"the data folder {folder} is still in use by process {names}, which process {recorded_pid} started before it"
        f" ended. Stop that process first. {_ELSEWHERE}"
    )


def _read_owner(descriptor: int) -> tuple[int, str]:
    """Return the process that acquired the lock last and its host; 0 if the file doesn't say."""
    pid, _, host = os.pread(descriptor, 300, 0).decode(errors="replace").strip().partition(" ")
    return (int(pid), host) if pid.isdecimal() else (0, "")


def _is_running(descriptor: int) -> bool:
    """Return whether the process that acquired the lock still runs. A process on another host can't be checked."""
    pid, host = _read_owner(descriptor)
    if host != socket.gethostname():
        # A process that has locked the file and not yet written its name has none for a moment.
        return bool(host)
    try:
        # Signal 0 is not delivered: it only checks whether the process exists.
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # The process exists, and belongs to another user.
    except PermissionError:
        pass
    return True


def _holders(file: Path) -> dict[int, str]:
    """Return the processes that have the lock file open and their program names, as far as /proc shows them."""
    holders = {}
    path = str(file.resolve())
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            opened = {os.readlink(entry) for entry in (process / "fd").iterdir()}
            if path in opened and int(process.name) != os.getpid():
                holders[int(process.name)] = (process / "comm").read_text(encoding="utf-8").strip()
    return holders


def _make_private(folder: Path) -> None:
    """Remove group and other permissions from the folder and from files that earlier versions wrote.

    A mounted folder may belong to another user; then only the modes of the files protect them.
    """
    for path in [folder, *(path for pattern in _PRIVATE_FILES for path in folder.glob(pattern))]:
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode & 0o7777
            if mode & 0o077:
                path.chmod(mode & ~0o077)
