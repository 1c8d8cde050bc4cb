"""The data folder of the embedded server: one process at a time uses it, and nobody but its owner reads it.

Two servers that append to one append-only file lose what either of them accepted. The lock is the kernel's (``flock``):
it ends with the last process that has inherited it, so it outlives a killed router until the router's server has
written its file and ended. A lock file that is left behind means nothing.
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
_KEPT = ("appendonlydir", "appendonlydir/*", "*.rdb", "*.log", "*.aof", "*-token", "*.state", "valkey.address")
_ENDING_SECONDS = 20.0
_POLL_SECONDS = 0.05
_UNSUPPORTED = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)


class InUseError(Exception):
    """Another process uses the data folder, or the file system can't say whether one does."""


@dataclass(frozen=True)
class FolderLock:
    """A data folder that this process may use; a child that inherits ``descriptor`` holds the lock as well."""

    folder: Path
    descriptor: int


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[FolderLock]:
    """Make the folder, lock it, and make it private, for the length of a ``with`` block; ``InUseError``.

    If the process that locked the folder has been killed, wait up to 20 seconds for its server to end.
    """
    lock = acquire(folder)
    try:
        yield lock
    finally:
        release(lock)


def acquire(folder: Path) -> FolderLock:
    """Lock a folder until ``release``, see ``locked``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder / _FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        _wait_for(folder, descriptor)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()} {socket.gethostname()}\n".encode(), 0)
    except BaseException:
        os.close(descriptor)
        raise
    _make_private(folder)
    return FolderLock(folder, descriptor)


def release(lock: FolderLock) -> None:
    """Give the lock back; a child that has inherited it still holds it."""
    os.close(lock.descriptor)


def write(file: Path, text: str) -> None:
    """Write a file of the data folder that only its owner may read; a reader never sees half of it."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = file.with_name(f"{file.name}.new")
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
            # A router that was killed leaves a server that is about to end; a router that lives is not waited for.
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
    """Name the process that holds the lock: the one that took it, or, if that has ended, a child that still runs."""
    recorded, host = _recorded(descriptor)
    holders = _holders(folder / _FILE)
    if recorded in holders or not holders:
        by = f"process {recorded}" if recorded else "another process"
        by += f" on host {host}" if host not in {"", socket.gethostname()} else ""
        return f"the data folder {folder} is in use by {by}. Stop that process first. {_ELSEWHERE}"
    names = ", ".join(f"{pid} ({name})" for pid, name in sorted(holders.items()))
    return (
        f"the data folder {folder} is still in use by process {names}, which process {recorded} started before it"
        f" ended. Stop that process first. {_ELSEWHERE}"
    )


def _recorded(descriptor: int) -> tuple[int, str]:
    """The process that took the lock last, and its host; 0 if the file doesn't say."""
    pid, _, host = os.pread(descriptor, 300, 0).decode(errors="replace").strip().partition(" ")
    return (int(pid), host) if pid.isdecimal() else (0, "")


def _is_running(descriptor: int) -> bool:
    """Whether the process that took the lock lives; of a process on another host nothing is known but the lock."""
    pid, host = _recorded(descriptor)
    if host != socket.gethostname():
        # Between locking and writing its name a process is nameless for a moment.
        return bool(host)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _holders(file: Path) -> dict[int, str]:
    """The processes that have the lock file open, with their programs' names, as far as /proc shows them."""
    found = {}
    path = str(file.resolve())
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            opened = {os.readlink(entry) for entry in (process / "fd").iterdir()}
            if path in opened and int(process.name) != os.getpid():
                found[int(process.name)] = (process / "comm").read_text(encoding="utf-8").strip()
    return found


def _make_private(folder: Path) -> None:
    """Take the rights of group and others away from the folder and from what earlier versions wrote into it.

    A mounted folder may belong to another user; then the files' own modes have to do.
    """
    for path in [folder, *(path for pattern in _KEPT for path in folder.glob(pattern))]:
        with contextlib.suppress(OSError):
            mode = path.stat().st_mode & 0o7777
            if mode & 0o077:
                path.chmod(mode & ~0o077)
