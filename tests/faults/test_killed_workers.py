"""A worker is killed at each step of an operation in turn: afterwards there is exactly one of everything."""

import contextlib
import signal
import sys
from pathlib import Path

import pytest

from router.store import embedded
from tests.end_to_end import harness

DIES = str(Path(__file__).parent / "worker_that_dies.py")
POINTS = ["before-intent", "after-intent", "after-call", "before-record", "after-record"]
PLACES = ["on-call", "public-page", "devhelm", "devhelm-page"]
OPENINGS = [(place, "open", point) for place in PLACES for point in POINTS]
ENDINGS = [(place, "resolve", point) for place in PLACES for point in ("after-intent", "after-call")]


class Scene:
    """A web, a Valkey that outlives the workers, and the simulated vendors."""

    def __init__(self, folder: Path, stack: contextlib.ExitStack) -> None:
        self.folder = folder
        self._stack = stack
        self.vendors = stack.enter_context(harness.vendors())
        self.file = harness.configure(folder, self.vendors, timeout=1)
        self.valkey = stack.enter_context(embedded.running(folder / "valkey"))
        self.environment = {**harness.SECRETS, "REDIS_URL": self.valkey.url}
        self.web = harness.Router(self._start([harness.COMMAND, "web", "--config", str(self.file)], "web"), self.file)

    def _start(self, command: list[str], name: str, **more: str) -> harness.Process:
        process = harness.Process(command, self.folder, name, **self.environment, **more)
        self._stack.callback(process.stop)
        return process

    def worker(self, name: str = "w1") -> harness.Process:
        command = [harness.COMMAND, "worker", "--config", str(self.file), "--name", name, "--health-port", "0"]
        process = self._start(command, f"worker-{name}")
        process.says("worker started")
        return process

    def worker_that_dies(self, place: str, kind: str, point: str, without: str = "") -> harness.Process:
        command = [sys.executable, DIES, str(self.file), place, kind, point]
        return self._start(command, f"worker-that-dies-{point}", WITHOUT=without)


@pytest.fixture
def scene(tmp_path):
    with contextlib.ExitStack() as stack:
        yield Scene(tmp_path, stack)


def killed(process: harness.Process) -> bool:
    return process.ended() == -signal.SIGKILL


@pytest.mark.parametrize(("place", "kind", "point"), OPENINGS)
def test_a_worker_killed_while_it_opens_leaves_exactly_one_of_everything(scene, place, kind, point):
    dying = scene.worker_that_dies(place, kind, point)
    scene.web.receives(severity="critical")
    assert killed(dying)
    scene.worker()
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))


@pytest.mark.parametrize(("place", "kind", "point"), ENDINGS)
def test_a_worker_killed_while_it_resolves_leaves_nothing_open(scene, place, kind, point):
    dying = scene.worker_that_dies(place, kind, point)
    scene.web.receives(severity="critical")
    harness.eventually("it is open everywhere", lambda: scene.vendors.everywhere("open"))
    scene.web.receives(status="resolved")
    assert killed(dying)
    scene.worker()
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))


@pytest.mark.parametrize("name", ["w1", "another"])
def test_a_worker_killed_before_it_acknowledges_loses_nothing_and_doubles_nothing(scene, name):
    """The successor finds the entry under its own name at once, or takes it over from the dead one."""
    dying = scene.worker_that_dies("", "", "before-acknowledge")
    scene.web.receives(severity="critical")
    assert killed(dying)
    scene.worker(name)
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))


@pytest.mark.parametrize(("first", "second"), [("intent", "intent"), ("", "find")])
def test_without_the_intent_or_the_search_there_would_be_two(scene, first, second):
    """The checks can fail: what they rest on is taken away, and they do."""
    dying = scene.worker_that_dies("devhelm", "open", "after-call", first)
    scene.web.receives(severity="critical")
    assert killed(dying)
    scene.worker_that_dies("", "", "", second).says("started")
    harness.eventually("DevHelm has two", lambda: scene.vendors.incidents()["devhelm"] == ["open", "open"])
    assert not scene.vendors.everywhere("open")


def test_two_workers_share_the_work_and_one_may_die(scene):
    first = scene.worker("w1")
    scene.worker("w2")
    scene.web.receives(severity="critical")
    harness.eventually("there is exactly one everywhere", lambda: scene.vendors.everywhere("open"))
    first.kill()
    scene.web.receives(status="resolved")
    harness.eventually("exactly that one is resolved", lambda: scene.vendors.everywhere("resolved"))
