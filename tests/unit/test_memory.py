"""The memory limit of a process: from its control groups of either version, or the machine's memory."""

import os

import pytest

from router.bootstrap import memory

MIB = 1024 * 1024
MACHINE = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, MACHINE),
        ({"sys/fs/cgroup/memory.max": "max"}, MACHINE),
        ({"sys/fs/cgroup/memory.max": f"{256 * MIB}\n", "proc/self/cgroup": "0::/\n"}, 256 * MIB),
        (
            {
                "proc/self/cgroup": "0::/system.slice/router.service\n",
                "sys/fs/cgroup/system.slice/memory.max": f"{512 * MIB}\n",
                "sys/fs/cgroup/system.slice/router.service/memory.max": "max\n",
            },
            512 * MIB,
        ),
        (
            {
                "proc/self/cgroup": "0::/system.slice/router.service\n",
                "sys/fs/cgroup/system.slice/memory.max": f"{512 * MIB}\n",
                "sys/fs/cgroup/system.slice/router.service/memory.max": f"{64 * MIB}\n",
            },
            64 * MIB,
        ),
        (
            {
                "proc/self/cgroup": "5:cpu:/x\n4:memory:/docker/abc\n",
                "sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": f"{128 * MIB}\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
            },
            128 * MIB,
        ),
        ({"sys/fs/cgroup/memory/memory.limit_in_bytes": f"{300 * MIB}\n"}, 300 * MIB),
        ({"proc/self/cgroup": "0::/../outside\n", "sys/fs/cgroup/memory.max": f"{99 * MIB}"}, 99 * MIB),
    ],
)
def test_smallest_limit_of_all_groups_applies(tmp_path, files, expected):
    for name, text in files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert memory.limit(tmp_path) == min(expected, MACHINE)


@pytest.mark.parametrize(("limit", "expected"), [(256, 64), (64, 32), (8192, 256)])
def test_default_budget_is_a_quarter_of_memory(tmp_path, limit, expected):
    file = tmp_path / "sys/fs/cgroup/memory.max"
    file.parent.mkdir(parents=True)
    file.write_text(str(limit * MIB))
    assert memory.bytes_in_flight(tmp_path) == expected * MIB
