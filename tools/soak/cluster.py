"""The processes of a trial, in the order of an alert's path: webhook servers, Valkey, workers, and simulated vendors.

Each is a separate program that may be killed without warning. It is started again with the same name and address.
"""

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import NamedTuple

from router.store import embedded

TOKEN = "soak"  # noqa: S105 - good for one trial, on ports of this machine
SOURCE = "soak"
WEBS = ("web-0", "web-1")
WORKERS = ("worker-0", "worker-1", "worker-2")
PAGE = "Acme"  # The only status page of the simulated DevHelm that the router writes to.
VALKEY, SIMULATOR = "valkey", "simulator"

_PROGRAM = [sys.executable, "-c", "from router import cli; cli.main()"]
_RULES = """
rules:
  - name: soak
    when: {labels.env: soak}
    group_by: [labels.key]
    severity: major
    public: {alert.labels.key: {pattern: '^k[0-9]+$'}}
    open:
      - {at: on-call, name: "Key {{ alert.labels.key | default: alert.title }}"}
      - {at: devhelm, title: "Key {{ alert.labels.key | default: alert.title }}"}
      - {at: public-page, publish: auto, title: "Outage {{ alert.labels.key }}", message: We are investigating.}
      - {at: devhelm-page, publish: auto, title: "Outage {{ alert.labels.key }}", message: We are investigating.}
"""
_SETTINGS = """
sources:
  %(source)s: {kind: json, bearer: [{env: SOAK_TOKEN}]}
pages: {automatic_posts: {max: 1000000, window: 1h}, automatic_components: {max: 1000000, window: 1h}}
archive: {retention: %(keep)s}
destinations:
  on-call: {kind: incident-io, api_key: {env: SOAK_TOKEN}, base_url: %(url)s/incident-io, per_minute: 1000000}
  public-page:
    {kind: incident-io-status-page, api_key: {env: SOAK_TOKEN}, base_url: %(url)s/incident-io, page: Acme Status,
     per_minute: 1000000}
  devhelm: {kind: devhelm, api_key: {env: SOAK_TOKEN}, base_url: %(url)s/devhelm, per_minute: 1000000}
  devhelm-page:
    {kind: devhelm-status-page, api_key: {env: SOAK_TOKEN}, base_url: %(url)s/devhelm, page: %(page)s, follows: devhelm,
     per_minute: 1000000}
rules: rules
data: data
"""
_LAST_LINES = 5
_PORTS = range(30_000, 32_768)  # Below the ephemeral range, so that the system assigns none of them to another process.
_KEEP = "5m"  # Long enough for deliveries to be read, short enough for stable memory after a few minutes.


class Life(NamedTuple):
    """One life of a process: its name, its number among the lives of that name, and its process ID."""

    name: str
    number: int
    pid: int

    @property
    def kind(self) -> str:
        """The kind of the process: ``web``, ``worker``, ``valkey`` or ``simulator``."""
        return self.name.partition("-")[0]


class Cluster:
    """All processes of one trial, with a separate folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._lives: dict[str, int] = {}
        self._lock = threading.Lock()  # Prevents ``look`` from recording a killed process as ended unexpectedly.
        self.died: list[str] = []  # Processes that ended unexpectedly.
        ports = dict(zip((*WEBS, SIMULATOR, VALKEY), _free_ports(len(WEBS) + 2), strict=True))
        self.addresses = {name: f"http://127.0.0.1:{ports[name]}" for name in (*WEBS, SIMULATOR)}
        self._port = ports[VALKEY]
        self.redis_url = f"redis://127.0.0.1:{self._port}"
        self._commands = {
            VALKEY: self._valkey(self._port),
            SIMULATOR: [*_PROGRAM, "simulate", "--port", str(ports[SIMULATOR])],
        }
        for name in WEBS:
            self._commands[name] = [
                *_PROGRAM,
                "web",
                "--port",
                str(ports[name]),
                "--console-port",
                "0",
                "--health-port",
                "0",
            ]
        for name in WORKERS:
            self._commands[name] = [*_PROGRAM, "worker", "--name", name, "--health-port", "0"]
        self._configure()

    def start(self) -> None:
        """Start Valkey, then the other processes. Raises ``StartFailedError`` if Valkey doesn't answer."""
        self._start(VALKEY)
        if not embedded.wait_until_ready(("127.0.0.1", self._port)):
            raise embedded.StartFailedError(f"{VALKEY} did not start; it said last:\n{self.last_words(VALKEY)}")
        for name in (SIMULATOR, *WEBS, *WORKERS):
            self._start(name)

    def kill(self, name: str) -> None:
        """Kill a process with SIGKILL, and start it again."""
        with self._lock:
            self._processes[name].kill()
            self._processes[name].wait()
            self._start(name)

    def look(self) -> list[Life]:
        """Return the running processes. Record each process that ended unexpectedly in ``died``, and start it again."""
        with self._lock:
            for name, process in list(self._processes.items()):
                if (status := process.poll()) is not None:
                    self.died.append(f"{name} ended unexpectedly with status {status}")
                    self._start(name)
            return [Life(name, self._lives[name], process.pid) for name, process in self._processes.items()]

    def last_words(self, name: str) -> str:
        """Return the last lines of a process's output."""
        return "\n".join((self._folder / f"{name}.log").read_text(encoding="utf-8").splitlines()[-_LAST_LINES:])

    def stop(self) -> None:
        """Kill all processes at once."""
        for process in self._processes.values():
            process.send_signal(signal.SIGKILL)
        for process in self._processes.values():
            process.wait()

    def _start(self, name: str) -> None:
        known = {key: value for key, value in os.environ.items() if not key.startswith(("INCIDENT_ROUTER_", "REDIS_"))}
        ours = {
            "SOAK_TOKEN": TOKEN,
            "REDIS_URL": self.redis_url,
            "INCIDENT_ROUTER_CONFIG": str(self._folder / "router.yaml"),
        }
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(  # noqa: S603 - the programs are ours
                self._commands[name],
                cwd=self._folder,
                env=known | ours,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                # Only the trial receives Ctrl-C, so that it can check the result before it ends.
                start_new_session=True,
            )
        self._lives[name] = self._lives.get(name, 0) + 1

    def _valkey(self, port: int) -> list[str]:
        """Return the command of a server that syncs every entry to disk before it answers."""
        command = [embedded.find_program(), "--port", str(port), "--bind", "127.0.0.1"]
        return [*command, "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--dir", str(self._folder)]

    def _configure(self) -> None:
        (self._folder / "rules").mkdir()
        (self._folder / "rules" / "10.yaml").write_text(_RULES, encoding="utf-8")
        said = {"source": SOURCE, "url": self.addresses[SIMULATOR], "keep": _KEEP, "page": PAGE}
        (self._folder / "router.yaml").write_text(_SETTINGS % said, encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    """Yield free ports. The order depends on the process, so two trials use different ones."""
    start = os.getpid() * count % len(_PORTS)
    tried = (_PORTS[(start + offset) % len(_PORTS)] for offset in range(len(_PORTS)))
    return list(itertools.islice(filter(is_free, tried), count))


def is_free(port: int) -> bool:
    """Return whether a loopback port is free."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
