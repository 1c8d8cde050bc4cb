"""Where a router may be told to keep its state, as real processes: one Valkey, or several that watch one another."""

import contextlib
import functools
import itertools
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import redis

from router.store import embedded, keys, servers
from tests.end_to_end import harness

DURABLE = ["--appendonly", "yes", "--appendfsync", "always", "--save", "", "--repl-diskless-sync-delay", "0"]
DOWN_AFTER_MS = 1000
SLOTS = 16384


class Topology(Protocol):
    """Servers of which one may be killed while the router goes on."""

    settings: dict[str, Any]  # The section `redis` of the configuration.

    def server(self) -> servers.Server:
        """Where the router finds it, for a test's own connection."""
        ...

    def disturb(self) -> None:
        """Take away what the router writes to, in another way each time, and see to it that there is one again."""
        ...

    def stop(self) -> None:
        """End all processes."""
        ...


class Valkey:
    """One server process on a port of loopback."""

    def __init__(self, folder: Path, *arguments: str, port: int = 0) -> None:
        self.port = port or harness.free_port()
        self._arguments = arguments
        self._folder = folder
        folder.mkdir(exist_ok=True)
        self.start()

    def start(self, *more: str) -> None:
        """Start it, and wait until it answers."""
        command = [embedded.find_program(), *self._arguments, *more, "--port", str(self.port), "--bind", "127.0.0.1"]
        command += ["--dir", str(self._folder), "--logfile", str(self._folder / "valkey.log")]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        harness.eventually(f"Valkey answers at {self.port}", lambda: self.asks("PING"))

    def asks(self, *command: Any) -> Any:
        """Its answer to a command; None where it does not answer, or not yet."""
        try:
            with contextlib.closing(redis.Redis(port=self.port, socket_timeout=5)) as connection:
                return connection.execute_command(*command)
        except redis.exceptions.AuthenticationError as error:
            return str(error)
        except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
            return None

    def is_primary(self) -> bool:
        """Whether it takes itself for a primary."""
        return bool((self.asks("ROLE") or [b""])[0] == b"master")

    def signal(self, number: int) -> None:
        """Stop it for a while, or let it go on."""
        self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL: no time for last words."""
        self._process.kill()
        self._process.wait()


class Standalone:
    """One server that writes every entry to its disk: it is killed and started again."""

    def __init__(self, folder: Path) -> None:
        self._valkey = Valkey(folder / "valkey", *DURABLE)
        self.settings: dict[str, Any] = {"url": f"redis://127.0.0.1:{self._valkey.port}"}

    def server(self) -> servers.Server:
        return servers.Server(self.settings["url"])

    def disturb(self) -> None:
        self._valkey.kill()
        self._valkey.start()

    def stop(self) -> None:
        self._valkey.kill()


class Watched:
    """A primary, two replicas and three sentinels; a primary that was away comes back as a replica."""

    def __init__(self, folder: Path) -> None:
        first = Valkey(folder / "valkey-0", *DURABLE)
        follow = ["--replicaof", f"127.0.0.1 {first.port}"]
        self._valkeys = [first, *(Valkey(folder / f"valkey-{number}", *DURABLE, *follow) for number in (1, 2))]
        self._sentinels = [sentinel(folder / f"sentinel-{number}", first.port) for number in range(3)]
        harness.eventually(
            "the sentinels know one another and both replicas", lambda: all(map(_settled, self._known()))
        )
        nodes = [f"127.0.0.1:{one.port}" for one in self._sentinels]
        self.settings: dict[str, Any] = {"sentinel": {"service": "acme", "nodes": nodes}, "replicas": 2}
        self._ways = itertools.cycle([self.kill, self.hang, self.fail_over])

    def server(self) -> servers.Server:
        nodes = tuple(("127.0.0.1", one.port) for one in self._sentinels)
        return servers.Server("redis://", sentinel=servers.Sentinel("acme", nodes))

    def disturb(self) -> None:
        next(self._ways)()

    def kill(self) -> None:
        """SIGKILL the primary; another one takes its place, and it comes back."""
        primary = self.complete()
        self.replace()
        primary.start("--replicaof", f"127.0.0.1 {self.primary().port}")

    def replace(self) -> None:
        """SIGKILL the primary, however the others stand; another one takes its place."""
        primary = self.primary()
        primary.kill()
        self._succeeded(primary)

    def fail_over(self) -> None:
        """Ask for another primary, as one does for maintenance."""
        primary = self.complete()
        self._sentinels[0].asks("SENTINEL", "FAILOVER", "acme")
        self._succeeded(primary)

    def hang(self) -> None:
        """Let the primary stop answering, with all its connections open, until it is replaced; then it goes on."""
        primary = self.complete()
        primary.signal(signal.SIGSTOP)
        self._succeeded(primary)
        primary.signal(signal.SIGCONT)

    def complete(self) -> Valkey:
        """The primary, once both of the others follow it."""
        primary: Valkey = harness.eventually("there is a primary with two replicas", self._complete)
        return primary

    def primary(self) -> Valkey:
        """The primary, by the word of a sentinel."""
        primary: Valkey = harness.eventually("there is a primary", self._primary)
        return primary

    def replicas(self) -> list[Valkey]:
        """Those that follow the primary."""
        primary = self.complete()
        return [one for one in self._valkeys if one is not primary]

    def _succeeded(self, primary: Valkey) -> None:
        harness.eventually("another one is the primary", lambda: self._named() != primary.port and self._primary())

    def stop(self) -> None:
        for one in (*self._sentinels, *self._valkeys):
            one.kill()

    def _known(self) -> Iterator[dict[bytes, bytes]]:
        for sentinel in self._sentinels:
            answer = sentinel.asks("SENTINEL", "MASTER", "acme") or []
            yield answer if isinstance(answer, dict) else dict(zip(answer[::2], answer[1::2], strict=True))

    def _named(self) -> int:
        """The port of the primary by the word of the first sentinel."""
        return int(self._sentinels[0].asks("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "acme")[1])

    def _primary(self) -> Valkey | None:
        named = self._named()
        return next((one for one in self._valkeys if one.port == named and one.is_primary()), None)

    def _complete(self) -> Valkey | None:
        primary = self._primary()
        if primary is None:
            return None
        replicas = primary.asks("ROLE")[2]
        return primary if len(replicas) == len(self._valkeys) - 1 else None


class Clustered:
    """Three primaries with a replica each; a killed primary comes back as the replica of its successor."""

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
            primary.asks("CLUSTER", "ADDSLOTSRANGE", SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1)
            primary.asks("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for other in self._valkeys[1:]:
            other.asks("CLUSTER", "MEET", "127.0.0.1", primaries[0].port)
        for primary, replica in zip(primaries, replicas, strict=True):
            name = primary.asks("CLUSTER", "MYID")
            harness.eventually("they know one another", lambda one=replica, of=name: of in one.asks("CLUSTER", "NODES"))
            replica.asks("CLUSTER", "REPLICATE", name)
        harness.eventually("the cluster is whole", lambda: len(list(self.primaries())) == 3 and self._whole())

    def server(self) -> servers.Server:
        return servers.Server(f"redis://127.0.0.1:{self._valkeys[0].port}", cluster=True)

    def primaries(self) -> Iterator[Valkey]:
        """The primaries that have a replica which follows them."""
        for one in self._valkeys:
            role = one.asks("ROLE")
            if role and role[0] == b"master" and len(role[2]) == 1:
                yield one

    def holder(self, key: str, by: Valkey | None = None) -> Valkey:
        """The primary that holds a key, by the word of one of the servers."""
        asked = by or self._valkeys[0]
        slot = asked.asks("CLUSTER", "KEYSLOT", key)
        for first, last, primary, *_ in asked.asks("CLUSTER", "SLOTS"):
            if first <= slot <= last:
                return next(one for one in self._valkeys if one.port == primary[1])
        raise AssertionError(f"nobody holds {key}")

    def disturb(self) -> None:
        next(self._ways)()

    def kill(self, key: str) -> None:
        """SIGKILL the primary that holds a key; its replica takes over, and it comes back as a replica."""
        self._complete()
        primary = self.holder(key)
        primary.kill()
        harness.eventually("its replica has taken over", lambda: self._whole(but=primary))
        primary.start()
        harness.eventually("the killed one follows", lambda: not primary.is_primary())

    def move(self, key: str) -> None:
        """Move the slot of a key to another primary."""
        self._complete()
        slot, source = self._valkeys[0].asks("CLUSTER", "KEYSLOT", key), self.holder(key)
        target = next(one for one in self.primaries() if one is not source)
        name = target.asks("CLUSTER", "MYID")
        assert source.asks("CLUSTER", "MIGRATESLOTS", "SLOTSRANGE", slot, slot, "NODE", name) == b"OK"
        harness.eventually("the slot is there", lambda: all(self.holder(key, one) is target for one in self._valkeys))

    def _complete(self) -> None:
        harness.eventually("all primaries have their replicas", lambda: len(list(self.primaries())) == 3)

    def stop(self) -> None:
        for one in self._valkeys:
            one.kill()

    def _whole(self, but: Valkey | None = None) -> bool:
        others = [one for one in self._valkeys if one is not but]
        return all(b"cluster_state:ok" in one.asks("CLUSTER", "INFO") for one in others) and (
            but is None or sum(one.is_primary() for one in others) == 3
        )


def _settled(known: dict[Any, Any]) -> bool:
    said = {_text(name): _text(value) for name, value in known.items()}
    return said.get("num-slaves") == "2" and said.get("num-other-sentinels") == "2" and said.get("flags") == "master"


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def sentinel(folder: Path, primary: int, *more: str, quorum: int = 2) -> Valkey:
    """A sentinel, which has to have a file of its own, into which it writes what it learns."""
    folder.mkdir()
    file = folder / "sentinel.conf"
    file.write_text(
        f"sentinel monitor acme 127.0.0.1 {primary} {quorum}\n"
        f"sentinel down-after-milliseconds acme {DOWN_AFTER_MS}\n"
        "sentinel failover-timeout acme 1500\n"
        "sentinel parallel-syncs acme 2\n" + "".join(f"{line}\n" for line in more)
    )
    return Valkey(folder, str(file), "--sentinel")


@contextlib.contextmanager
def running(topology: Topology) -> Iterator[Topology]:
    """A topology for the length of a ``with`` block."""
    try:
        yield topology
    finally:
        topology.stop()
