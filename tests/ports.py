"""Loopback ports for tests: ports for new servers, and a port at which no process listens.

The system may assign a port again (port 0) that was free a moment ago, and another test's server can get it. These
ports are outside the system's range. Each is assigned once among all running test processes, which claim a port with an
abstract name that is released when the process ends.
"""

import functools
import random
import socket

from tools.soak import cluster

_GIVEN = range(10_000, 20_000)  # Below the system's range. A Cluster server also uses the port 10,000 above its own.
_claims: list[socket.socket] = []


def reserve() -> int:
    """Return a port that no other test gets."""
    start = random.randrange(len(_GIVEN))
    for offset in range(len(_GIVEN)):
        port = _GIVEN[(start + offset) % len(_GIVEN)]
        if _claimed(port) and cluster.is_free(port):
            return port
    raise AssertionError(f"all ports from {_GIVEN.start} to {_GIVEN.stop - 1} are taken")


def reserve_closed() -> int:
    """Return a port that refuses connections."""
    return _bound().getsockname()[1]


@functools.cache
def _bound() -> socket.socket:
    taken = socket.socket()
    taken.bind(("127.0.0.1", 0))  # Bound, but not listening.
    return taken


def _claimed(port: int) -> bool:
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0incident-router-tests-{port}")
    except OSError:
        claim.close()
        return False
    _claims.append(claim)
    return True
