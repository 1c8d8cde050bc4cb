"""A primary, its replicas, and sentinels as real processes behind a proxy that can drop all traffic between them."""

import contextlib
import itertools
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis

from router.store import connection_settings
from tests import ports
from tests.end_to_end import harness
from tests.faults import blackhole, topologies

# The intervals of polls and announcements of a sentinel, in milliseconds. By default, a returned primary waits ten
# seconds before it becomes a replica, and a sentinel that was delayed pauses for thirty.
SENTINEL_TIMING = {
    "ping-period": 200,
    "ask-period": 200,
    "info-period": 500,
    "publish-period": 250,
    "min-link-reconnect-period": 500,
    "slave-reconf-timeout": 1000,
    "election-timeout": 2000,
    "tilt-period": 1000,
}
FROM = ["--bind-source-addr", blackhole.SERVERS]
AMONG_SERVERS = [f"bind-source-addr {blackhole.SERVERS}", "sentinel announce-ip 127.0.0.1"]


class BlackHole:
    """The proxy of ``blackhole`` before some servers, and the ports at which it listens."""

    def __init__(self, backs: list[int]) -> None:
        command = [sys.executable, blackhole.__file__, *map(str, backs)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.fronts = [int(port) for port in self._heard().split()]

    def send_command(self, word: str, front: int) -> None:
        """Send ``cut`` or ``heal``, and wait for its confirmation."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word} {front}\n")
        self._process.stdin.flush()
        assert self._heard() == f"{word} {front}\n"

    def _heard(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()

    def stop(self) -> None:
        """Send SIGKILL."""
        self._process.kill()
        self._process.communicate()


class SentinelTopology:
    """A primary, two replicas, and three sentinels. A primary that was away returns as a replica.

    All clients and servers connect through the proxies. Only tests use the servers' own ports.
    """

    def __init__(self, folder: Path) -> None:
        own = [ports.reserve() for _ in range(3)]
        self._hole = BlackHole(own)
        self._fronts = dict(zip(own, self._hole.fronts, strict=True))
        follow = ["--replicaof", f"127.0.0.1 {self._fronts[own[0]]}"]
        self._valkeys = [
            topologies.Valkey(
                folder / f"valkey-{port}", *topologies.DURABLE, *FROM, *self._announced(port), *more, port=port
            )
            for port, more in zip(own, ([], follow, follow), strict=True)
        ]
        first = self._fronts[own[0]]
        self._sentinels = [sentinel(folder / f"sentinel-{number}", first, *AMONG_SERVERS) for number in range(3)]
        harness.eventually(
            "the sentinels know one another and both replicas", lambda: all(map(_settled, self._known()))
        )
        nodes = [f"127.0.0.1:{one.port}" for one in self._sentinels]
        self.settings: dict[str, Any] = {"sentinel": {"service": "acme", "nodes": nodes}, "replicas": 2}
        self._ways = itertools.cycle([self.kill, self.cut, self.fail_over, self.hang])

    def _announced(self, port: int) -> list[str]:
        return ["--replica-announce-ip", "127.0.0.1", "--replica-announce-port", str(self._fronts[port])]

    def server(self) -> connection_settings.Server:
        nodes = tuple(("127.0.0.1", one.port) for one in self._sentinels)
        return connection_settings.Server("redis://", sentinel=connection_settings.Sentinel("acme", nodes))

    def disturb(self) -> None:
        next(self._ways)()

    def kill(self) -> None:
        """Kill the primary. A replica replaces it, and the killed server returns as a replica."""
        primary = self.complete()
        self.replace()
        primary.start("--replicaof", f"127.0.0.1 {self._fronts[self.primary().port]}")

    def replace(self) -> None:
        """Kill the primary, whatever the state of the other servers, and wait for another primary."""
        primary = self.primary()
        primary.kill()
        self.wait_for_successor(primary)

    def fail_over(self) -> None:
        """Request a failover, as an operator does for maintenance."""
        primary = self.complete()
        front = self._fronts[primary.port]

        def asked() -> bool:
            """Request a failover again if a sentinel has given it up. During a failover the request is refused."""
            if self._named() != front:
                return True
            with contextlib.suppress(redis.exceptions.ResponseError):
                self._sentinels[0].execute("SENTINEL", "FAILOVER", "acme")
            return False

        harness.eventually("a sentinel names another one", asked)
        self.wait_for_successor(primary)

    def hang(self) -> None:
        """Suspend the primary with its connections open until it is replaced, and resume it then."""
        primary = self.complete()
        primary.signal(signal.SIGSTOP)
        self.wait_for_successor(primary)
        primary.signal(signal.SIGCONT)

    def cut(self) -> None:
        """Separate the primary from all other servers, but not from its clients, until it is replaced."""
        with self.separated() as primary:
            self.wait_for_successor(primary)

    @contextlib.contextmanager
    def separated(self) -> Iterator[topologies.Valkey]:
        """Separate the primary from all other servers for the length of a ``with`` block."""
        primary = self.complete()
        self._hole.send_command("cut", self._fronts[primary.port])
        try:
            yield primary
        finally:
            self._hole.send_command("heal", self._fronts[primary.port])

    def complete(self) -> topologies.Valkey:
        """Return the primary once both replicas are connected."""
        primary: topologies.Valkey = harness.eventually("the primary has two replicas", self._complete)
        return primary

    def primary(self) -> topologies.Valkey:
        """Return the primary, as a sentinel reports it."""
        primary: topologies.Valkey = harness.eventually("the cluster has a primary", self._primary)
        return primary

    def replicas(self) -> list[topologies.Valkey]:
        """Return the replicas of the primary."""
        primary = self.complete()
        return [valkey for valkey in self._valkeys if valkey is not primary]

    def wait_for_successor(self, primary: topologies.Valkey) -> None:
        """Wait until another server is the primary."""
        front = self._fronts[primary.port]
        harness.eventually("another one is the primary", lambda: self._named() != front and self._primary())

    def stop(self) -> None:
        for one in (*self._sentinels, *self._valkeys):
            one.kill()
        self._hole.stop()

    def _known(self) -> Iterator[dict[bytes, bytes]]:
        for sentinel in self._sentinels:
            answer = sentinel.execute("SENTINEL", "MASTER", "acme") or []
            yield answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))

    def _named(self) -> int:
        """Return the proxy port of the primary, as the first sentinel reports it."""
        return int(self._sentinels[0].execute("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "acme")[1])

    def _primary(self) -> topologies.Valkey | None:
        named = self._named()
        return next(
            (valkey for valkey in self._valkeys if self._fronts[valkey.port] == named and valkey.is_primary()), None
        )

    def _complete(self) -> topologies.Valkey | None:
        primary = self._primary()
        if primary is None:
            return None
        following = [(valkey.execute("ROLE") or [])[3:4] == [b"connected"] for valkey in self._valkeys]
        return primary if sum(following) == len(self._valkeys) - 1 == len(primary.execute("ROLE")[2]) else None


def _settled(known: dict[Any, Any]) -> bool:
    said = {_text(name): _text(value) for name, value in known.items()}
    return said.get("num-slaves") == "2" and said.get("num-other-sentinels") == "2" and said.get("flags") == "master"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def sentinel(folder: Path, primary: int, *more: str, quorum: int = 2) -> topologies.Valkey:
    """Start a sentinel. It needs its own file, to which it writes its state."""
    folder.mkdir()
    file = folder / "sentinel.conf"
    file.write_text(
        f"sentinel monitor acme 127.0.0.1 {primary} {quorum}\n"
        f"sentinel down-after-milliseconds acme {topologies.DOWN_AFTER_MS}\n"
        "sentinel failover-timeout acme 1500\n"
        "sentinel parallel-syncs acme 2\n" + "".join(f"{line}\n" for line in more)
    )
    valkey = topologies.Valkey(folder, str(file), "--sentinel")
    speed_up(valkey.execute)
    return valkey


def speed_up(asks: Callable[..., Any]) -> None:
    """Make a sentinel poll and publish more often."""
    asks("SENTINEL", "DEBUG", *itertools.chain(*SENTINEL_TIMING.items()))
