"""How much memory this process may take: the limit of its container, or the machine's memory."""

import os
from pathlib import Path

_MIB = 1024 * 1024
FLOOR = 32 * _MIB  # Of bytes in flight: the largest body by default, received and inflated.
CEILING = 256 * _MIB  # More would only let more clients wait, and take the memory of other programs on a large machine.
_SHARE = 4  # A quarter: the rest is for the process itself and for what parsed bodies take.


def bytes_in_flight(root: Path = Path("/")) -> int:
    """The default budget for request bodies: a quarter of the memory limit, between ``FLOOR`` and ``CEILING``."""
    return min(max(limit(root) // _SHARE, FLOOR), CEILING)


def limit(root: Path = Path("/")) -> int:
    """The smallest memory limit that applies to this process, in bytes: of its control groups, or the machine's memory.

    ``root`` is the file system's root.
    """
    found = [_machine(), *_version_2(root), *_version_1(root)]
    return min(found)


def _version_2(root: Path) -> list[int]:
    """The limits of a control group of version 2 and of all around it."""
    groups = root / "sys/fs/cgroup"
    path = next((line.partition("::")[2] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), "/")
    folder = Path(path.strip()).relative_to("/") if path.startswith("/") else Path()
    return [
        int(text)
        for each in [folder, *folder.parents]
        for text in _lines(groups / each / "memory.max")
        if text.isdigit()  # "max" is no limit.
    ]


def _version_1(root: Path) -> list[int]:
    """The limit of a control group of version 1; without one it is a number that no machine reaches."""
    path = next(
        (line.split(":", 2)[2] for line in _lines(root / "proc/self/cgroup") if ":memory:" in line.replace(",", ":")),
        "/",
    )
    folder = path.strip().lstrip("/")
    groups = root / "sys/fs/cgroup/memory"
    return [
        int(text)
        for each in (groups / folder, groups)
        for text in _lines(each / "memory.limit_in_bytes")
        if text.isdigit()
    ]


def _machine() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
