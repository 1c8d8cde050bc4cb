"""Finds the memory limit of this process: the limit of its container, or the machine's memory."""

import os
from pathlib import Path

_MIB = 1024 * 1024
FLOOR = 32 * _MIB  # Bytes in flight: the largest body by default, received and decompressed.
# A larger budget would only let more clients wait, and use the memory of other programs on a large machine.
CEILING = 256 * _MIB
_SHARE = 4  # A quarter. The rest is for the process itself and for parsed bodies.


def bytes_in_flight(root: Path = Path("/")) -> int:
    """Return the default budget for request bodies: 1/4 of the memory limit, between ``FLOOR`` and ``CEILING``."""
    return min(max(limit(root) // _SHARE, FLOOR), CEILING)


def limit(root: Path = Path("/")) -> int:
    """Return the smallest memory limit of this process in bytes: of its control groups, or the machine's memory.

    ``root`` is the root of the file system.
    """
    limits = [_machine(), *_version_2(root), *_version_1(root)]
    return min(limits)


def _version_2(root: Path) -> list[int]:
    """Return the limits of a control group of version 2 and of all its parents."""
    groups = root / "sys/fs/cgroup"
    path = next((line.partition("::")[2] for line in _lines(root / "proc/self/cgroup") if line.startswith("0::")), "/")
    folder = Path(path.strip()).relative_to("/") if path.startswith("/") else Path()
    # The limits of all parents apply. In a container, the path names a folder of the host that may not exist here.
    return [
        int(text)
        for each in [folder, *folder.parents]
        for text in _lines(groups / each / "memory.max")
        if text.isdigit()  # "max" means no limit.
    ]


def _version_1(root: Path) -> list[int]:
    """Return the limit of a control group of version 1. "No limit" is a number that no machine reaches."""
    path = next(
        # One hierarchy may have several controllers: ``4:cpu,memory:/path``.
        (line.split(":", 2)[2] for line in _lines(root / "proc/self/cgroup") if ":memory:" in line.replace(",", ":")),
        "/",
    )
    # In a container, the own group is mounted at the root, so both places are read.
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
    # Without control groups, or on another system, the machine's memory is the only limit.
    except (OSError, UnicodeDecodeError):
        return []
