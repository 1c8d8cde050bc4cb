"""A web, a Valkey, and simulated vendors, which keep running, and workers, which are killed."""

import contextlib
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

from router.store import embedded
from tests.end_to_end import harness

KILLED_WORKER = str(Path(__file__).parent / "worker_that_dies.py")


class Setup:
    """The processes that keep running while workers are killed."""

    def __init__(
        self,
        folder: Path,
        stack: contextlib.ExitStack,
        rules: str = "",
        limits: str = "",
        configured: Callable[[str, harness.Vendors], str] | None = None,
    ) -> None:
        """Start the processes; ``configured`` changes the default configuration."""
        self.folder = folder
        self._stack = stack
        self.vendors = stack.enter_context(harness.vendors())
        self.file = harness.configure(folder, self.vendors, timeout=1, rules=rules)
        if limits:
            self.file.write_text(self.file.read_text().replace("pages: {min_update_interval: 0s}", limits))
        if configured is not None:
            self.file.write_text(configured(self.file.read_text(), self.vendors))
        self.valkey = stack.enter_context(embedded.running(folder / "valkey"))
        self.environment = {**harness.SECRETS, "REDIS_URL": self.valkey.url}
        self.web = self.another_web("web")

    def _start(self, command: list[str], name: str, **more: str) -> harness.Process:
        process = harness.Process(command, self.folder, name, forked=True, **self.environment, **more)
        self._stack.callback(process.stop)
        return process

    def another_web(self, name: str) -> harness.Router:
        command = [harness.COMMAND, "web", "--config", str(self.file), "--console-port", "0"]
        return harness.Router(self._start(command, name), self.file)

    def worker(self, name: str = "w1") -> harness.Process:
        command = [harness.COMMAND, "worker", "--config", str(self.file), "--name", name, "--health-port", "0"]
        process = self._start(command, f"worker-{name}")
        process.wait_for_output(harness.STARTED)
        return process

    def start_dying_worker(
        self, place: str, kind: str, point: str, without: str = "", sleeps: Path | None = None
    ) -> harness.Process:
        """Start a worker that kills itself at a point of an operation, or waits there until a file appears."""
        command = [KILLED_WORKER, str(self.file), place, kind, point]
        more = {"SLEEPS": str(sleeps)} if sleeps else {}
        return self._start(command, f"worker-that-dies-{point}", WITHOUT=without, **more)


@contextlib.contextmanager
def run_setup(
    folder: Path, rules: str = "", limits: str = "", configured: Callable[[str, harness.Vendors], str] | None = None
) -> Iterator[Setup]:
    """Run a setup for the length of a ``with`` block."""
    with contextlib.ExitStack() as stack:
        yield Setup(folder, stack, rules, limits, configured)


def is_killed(process: harness.Process) -> bool:
    return process.wait_for_exit() == -signal.SIGKILL
