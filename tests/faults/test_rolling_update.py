"""A rolling update under load: each process is terminated and replaced, and no sender sees an error."""

import asyncio
import contextlib
import itertools
import random
import socket
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests import ports
from tests.end_to_end import harness
from tests.faults import chaos, oracles, topologies

SENDERS = 4
MESSAGES = 25  # The messages of one burst. A sender sends each twice, then continues with new ones.
INCIDENT_KEYS = 40
MOST_SECONDS = 30.0  # After this time, Kubernetes would kill the process.


class Balancer:
    """Forwards each connection to the next backend in turn, as a Service does in a cluster.

    ``refused`` counts connections that a backend didn't accept, including connections in the backlog that were reset
    when its listener closed. ``unanswered`` counts accepted connections that ended without a response.
    """

    def __init__(self) -> None:
        self.backends: list[int] = []
        self.refused: list[str] = []
        self.unanswered = 0
        self._turns = itertools.count()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    def _carry(self, sender: socket.socket) -> None:
        with sender:
            backends = list(self.backends)
            try:
                backend = socket.create_connection(("127.0.0.1", backends[next(self._turns) % len(backends)]), 5)
            except OSError as error:
                self.refused.append(repr(error))
                return
            with backend:
                backend.settimeout(None)
                threading.Thread(target=_asked, args=(sender, backend), daemon=True).start()
                try:
                    self.unanswered += not _pump(backend, sender)
                except ConnectionResetError as error:
                    self.refused.append(repr(error))
                    with contextlib.suppress(OSError):
                        sender.shutdown(socket.SHUT_RDWR)  # Closing alone would leave the socket open while it is read.


def _pump(source: socket.socket, target: socket.socket) -> int:
    """Copy bytes until the end of the stream; return their number."""
    carried = 0
    with contextlib.suppress(BrokenPipeError):
        while data := source.recv(65536):
            carried += len(data)
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    return carried


def _asked(sender: socket.socket, backend: socket.socket) -> None:
    with contextlib.suppress(OSError):
        _pump(sender, backend)


class Sender(chaos.Sender):
    """Sends new messages until stopped, each over a connection that the balancer may forward to another backend."""

    keeps = False

    def __init__(self, deployment: chaos.Deployment, seed: int, oracle: oracles.Oracle, answers: Counter[int]) -> None:
        super().__init__(deployment, [], oracle, answers)
        self._chance = random.Random(seed)
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set() and not self.failure:
            self._shares = [oracles.messages(self._chance, MESSAGES, INCIDENT_KEYS)]
            super().run()


class BalancedDeployment(chaos.Deployment):
    """A deployment that senders reach through the balancer, and whose processes are replaced one after the other."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        super().__init__(folder, stack, topologies.Standalone, ("web-0", "web-1", "worker-0", "worker-1"))
        self.balancer = Balancer()
        stack.callback(self.balancer.close)
        self.balancer.backends = list(self.ports)
        self.took: dict[str, float] = {}
        self.statuses: dict[str, int] = {}

    def web_port(self, _web: int) -> int:
        return self.balancer.port

    def replace(self, name: str) -> None:
        """Start the new process, wait until it is ready, and terminate the old one."""
        old = self._processes[name]
        self._stack.callback(old.kill)
        kind, _, number = name.partition("-")
        if kind == "web":
            before, self.ports[int(number)] = self.ports[int(number)], ports.reserve()
            self.start(name, "new")
            self._processes[name].wait_for_output("/v1/webhooks")
            self.balancer.backends.append(self.ports[int(number)])
            self._end(name, old)
            self.balancer.backends.remove(before)
        else:
            self.start(name, "new")
            self._processes[name].wait_for_output(harness.STARTED)
            self._end(name, old)

    def _end(self, name: str, old: harness.Process) -> None:
        began = time.monotonic()
        self.statuses[name] = old.stop()
        self.took[name] = time.monotonic() - began


@pytest.mark.long
@pytest.mark.timeout(240)
def test_rolling_update_loses_and_doubles_nothing(tmp_path):
    """Every accepted connection gets a 202. Others met a listener that had just closed, and are retried."""
    oracle = oracles.Oracle()
    answers: Counter[int] = Counter()
    with contextlib.ExitStack() as stack:
        deployment = BalancedDeployment(tmp_path, stack)
        senders = [Sender(deployment, seed, oracle, answers) for seed in range(SENDERS)]
        for sender in senders:
            sender.start()
        for name in ("web-0", "worker-0", "web-1", "worker-1"):
            before = oracle.accepted
            deployment.replace(name)
            harness.eventually("the senders have load", lambda so_far=before: oracle.accepted > so_far)
        for sender in senders:
            sender.enough.set()
            sender.join()
        assert chaos.list_failures(senders) == []
        assert deployment.statuses == dict.fromkeys(deployment.statuses, 0)
        assert len(deployment.took) == 4
        assert max(deployment.took.values()) < MOST_SECONDS, deployment.took
        assert answers.keys() <= {0, 202}
        assert answers[202] == oracle.accepted
        assert deployment.balancer.unanswered == 0
        told = f"{Counter(deployment.unanswered)} by senders, {Counter(deployment.balancer.refused)} by the balancer"
        assert answers[0] == len(deployment.balancer.refused), told
        harness.eventually(
            "all is as was sent", lambda: asyncio.run(chaos.list_differences(deployment, oracle)) == [], 60
        )
