"""The Redis topologies that a router can use, as real processes: one Valkey, or several."""

import contextlib
import functools
import itertools
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import redis
from redis import backoff, retry

from router.store import connection_settings, embedded, keys
from tests import ports
from tests.end_to_end import harness

DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0"]
DOWN_AFTER_MS = 1000
SLOTS = 16384
AT_ONCE = retry.Retry(backoff.NoBackoff(), 0)  # The library would otherwise retry for seconds.


class Topology(Protocol):
    """Servers of which one at a time may be killed while the router runs."""

    settings: dict[str, Any]  # The section `redis` of the configuration.

    def server(self) -> connection_settings.Server:
        """Return the connection settings of the router."""
        ...

    def disturb(self) -> None:
        """Make the primary unavailable, by a different method each time, and wait until there is a primary again."""
        ...

    def stop(self) -> None:
        """Stop all processes."""
        ...


class Valkey:
    """One server process on a port of loopback."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        self.port = port or ports.reserve()
        self._arguments = arguments
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.start()

    def start(self, *more: str) -> None:
        """Start the server, and wait until it responds."""
        command = [embedded.find_program(), *self._arguments, *more, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), "--logfile", str(self._folder / "valkey.log")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.eventually(f"Valkey answers at {self.port}", lambda: self.execute("PING"))

    def execute(self, *command: Any) -> Any:
        """Send a command and return the response; None if there is none."""
        try:
            with contextlib.closing(redis.Redis(port=self.port, socket_timeout=5, retry=AT_ONCE)) as connection:
                return connection.execute_command(*command)
        except redis.exceptions.AuthenticationError as error:
            return str(error)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return None

    def is_primary(self) -> bool:
        """Return whether the server reports itself as primary."""
        return bool((self.execute("ROLE") or [b""])[0] == b"master")

    def signal(self, number: int) -> None:
        """Send a signal to the process."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill the process with SIGKILL."""
        self._process.kill()
        self._process.wait()


class Standalone:
    """One server that writes every command to its disk, and is killed and restarted."""

    def __init__(self, folder: Path, *more: str) -> None:
        self._valkey = Valkey(folder / "valkey", *DURABLE, *more)
        self.settings: dict[str, Any] = {"url": f"redis://127.0.0.1:{self._valkey.port}"}

    def server(self) -> connection_settings.Server:
        return connection_settings.Server(self.settings["url"])

    def disturb(self) -> None:
        self._valkey.kill()
        self._valkey.start()

    def stop(self) -> None:
        self._valkey.kill()


class Clustered:
    """Three primaries with a replica each. A killed primary returns as the replica of its successor."""

    def __init__(self, folder: Path) -> None:
        more = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(DOWN_AFTER_MS)]
        self._valkeys = [Valkey(folder / f"valkey-{number}", *DURABLE, *more) for number in range(6)]
        ways = [(self.kill, keys.INBOX), (self.move, keys.INBOX), (self.kill, keys.timers(0))]
        self._ways = itertools.cycle([functools.partial(way, key) for way, key in ways])
        self._join()
        self.settings: dict[str, Any] = {"url": self.server().url, "cluster": True, "replicas": 1}

    def _join(self) -> None:
        primaries, replicas = self._valkeys[:3], self._valkeys[3:]
        for number, primary in enumerate(primaries):
            primary.execute("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1)
            primary.execute("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for other in self._valkeys[1:]:
            other.execute("CLUSTER", "MEET", "127.0.0.1", primaries[0].port)
        for primary, replica in zip(primaries, replicas, strict=True):
            name = primary.execute("CLUSTER", "MYID")
            harness.eventually(
                "the servers know one another", lambda one=replica, of=name: of in one.execute("CLUSTER", "NODES")
            )
            replica.execute("CLUSTER", "REPLICATE", name)
        harness.eventually("the cluster is whole", lambda: len(list(self.primaries())) == 3 and self._whole())

    def server(self) -> connection_settings.Server:
        return connection_settings.Server(f"redis://127.0.0.1:{self._valkeys[0].port}", cluster=True)

    def primaries(self) -> Iterator[Valkey]:
        """Return the primaries with a connected replica."""
        for valkey in self._valkeys:
            role = valkey.execute("ROLE")
            if role and role[0] == b"master" and len(role[2]) == 1:
                yield valkey

    def holder(self, key: str, by: Valkey | None = None) -> Valkey:
        """Return the primary of a key, as one of the servers reports it."""
        asked = by or self._valkeys[0]
        slot = asked.execute("CLUSTER", "KEYSLOT", key)
        for first, last, primary, *_ in asked.execute("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(valkey for valkey in self._valkeys if valkey.port == primary[1])
        raise AssertionError(f"no primary has the slot of {key}")

    def disturb(self) -> None:
        next(self._ways)()

    def kill(self, key: str) -> None:
        """Kill the primary of a key. Its replica takes over, and the killed server returns as a replica."""
        self._complete()
        primary = self.holder(key)
        primary.kill()
        harness.eventually("its replica has taken over", lambda: self._whole(but=primary))
        primary.start()
        harness.eventually("the killed one follows", lambda: not primary.is_primary())

    def move(self, key: str) -> None:
        """Move the slot of a key to another primary."""
        self._complete()
        slot, source = self._valkeys[0].execute("CLUSTER", "KEYSLOT", key), self.holder(key)
        target = next(primary for primary in self.primaries() if primary is not source)
        name = target.execute("CLUSTER", "MYID")
        assert source.execute("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", name) == b"OK"
        harness.eventually(
            "the slot is there", lambda: all(self.holder(key, valkey) is target for valkey in self._valkeys)
        )

    def _complete(self) -> None:
        harness.eventually("all primaries have their replicas", lambda: len(list(self.primaries())) == 3)

    def stop(self) -> None:
        for valkey in self._valkeys:
            valkey.kill()

    def _whole(self, but: Valkey | None = None) -> bool:
        others = [valkey for valkey in self._valkeys if valkey is not but]
        return all(b"cluster_state:ok" in one.execute("CLUSTER", "INFO") for one in others) and (
            but is None or sum(one.is_primary() for one in others) == 3
        )


@contextlib.contextmanager
def run_topology(topology: Topology) -> Iterator[Topology]:
    """Run a topology for the length of a ``with`` block."""
    try:
        yield topology
    finally:
        topology.stop()
