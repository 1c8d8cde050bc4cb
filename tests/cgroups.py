"""Control groups with a memory limit, of version 1 or 2, for tests that run as root."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path("/sys/fs/cgroup")
_NO_SWAP = {"memory.swap.max", "memory.memsw.limit_in_bytes"}


class MemoryGroup:
    """A control group. Its files are in ``folder``."""

    def __init__(self, folder: Path, *, version: int) -> None:
        self.folder = folder
        self._is_second = version == 2

    def command(self, *words: str) -> list[str]:
        """Return the command that runs another command in the group."""
        return ["/bin/sh", "-c", f'echo $$ > {self.folder}/cgroup.procs && exec "$@"', "sh", *words]

    @property
    def peak_bytes(self) -> int:
        """Return the peak memory of the group in bytes, including its file cache."""
        return int((self.folder / ("memory.peak" if self._is_second else "memory.max_usage_in_bytes")).read_text())

    @property
    def kills(self) -> int:
        """Return the number of processes that the kernel has killed for lack of memory."""
        file = self.folder / ("memory.events" if self._is_second else "memory.oom_control")
        pairs = dict(line.split() for line in file.read_text().splitlines())
        return int(pairs["oom_kill"])


@contextlib.contextmanager
def limited(limit_bytes: int) -> Iterator[MemoryGroup | str]:
    """Yield a new group with this limit, or the reason why none can be created.

    All processes of the group must end within the block.
    """
    second = "memory" in _text(_ROOT / "cgroup.controllers").split()
    folder = (_ROOT if second else _ROOT / "memory") / f"incident-router-tests-{os.getpid()}"
    try:
        folder.mkdir()
    except OSError as error:
        yield f"no control group with a memory limit can be created: {error.strerror}"
        return
    try:
        yield _set(folder, limit_bytes, second=second)
    finally:
        folder.rmdir()


def _set(folder: Path, limit_bytes: int, *, second: bool) -> MemoryGroup | str:
    names = ("memory.max", "memory.swap.max") if second else ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes")
    needed = {"memory.peak", "memory.events"} if second else {"memory.max_usage_in_bytes", "memory.oom_control"}
    if missing := [name for name in sorted(needed) if not (folder / name).exists()]:
        return f"control groups have no {', '.join(missing)} here"
    for name in names:
        value = 0 if name == "memory.swap.max" else limit_bytes
        try:
            (folder / name).write_text(str(value))
        except OSError as error:
            if name not in _NO_SWAP:  # Many kernels don't count swap. Then the file is missing, or swap isn't limited.
                return f"{name} can't be set: {error.strerror}"
    group = MemoryGroup(folder, version=2 if second else 1)
    try:
        _ = group.kills, group.peak_bytes
    except (KeyError, ValueError, OSError) as error:
        return f"the kernel doesn't report the memory of control groups: {error!r}"
    return group


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
