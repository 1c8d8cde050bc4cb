"""Ports of loopback for tests: for servers to come, and one where nobody listens.

What the system chooses (port 0) it may choose again for the next who asks: a port that was free a moment ago can be
another test's server by the time it is used. These come from outside the system's range, and each is given once among
all processes of tests that run, which claim them by names that end with the process.
"""

import functools
import random
import socket

from tools.soak import cluster

_GIVEN = range(10_000, 20_000)  # Below the system's; a Cluster's server also takes the port 10,000 above its own.
_claims: list[socket.socket] = []


def free() -> int:
    """A port that no other test is given."""
    start = random.randrange(len(_GIVEN))
    for offset in range(len(_GIVEN)):
        port = _GIVEN[(start + offset) % len(_GIVEN)]
        if _claimed(port) and cluster.is_free(port):
            return port
    raise AssertionError(f"all ports from {_GIVEN.start} to {_GIVEN.stop - 1} are taken")


def unanswered() -> int:
    """A port at which connections are refused."""
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
