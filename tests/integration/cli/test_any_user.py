"""Commands in a container: a user ID without a passwd entry, no home, and a read-only file system."""

import json
import tempfile
from pathlib import Path

import pytest

from router.store import embedded
from tests import ports
from tests.end_to_end import commands, harness

USER = 1000680000  # OpenShift assigns such user IDs.
BY = f"uid {USER} on "


class Scene:
    """A router with its own Redis on a port that another user can also reach."""

    def __init__(self, router, folder, address):
        self.router, self.folder, self.address = router, folder, address
        self.delivery = router.send_alert(labels={"title": "\x85"})["delivery"]
        harness.eventually("the delivery is processed", lambda: self.delivery in self("deliveries", "list").stdout)

    def __call__(self, *arguments, **environment):
        """Run a command as a user without a name, and without the secrets that commands don't need."""
        given = {"REDIS_URL": self.address, **environment}
        file = ("--config", str(self.folder / "router.yaml"))
        return commands.run_command(*arguments, *file, cwd="/", environment=given, user=USER)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    port = ports.reserve()
    address = f"redis://127.0.0.1:{port}/0"
    # Other users have no access to pytest's temporary folder.
    with tempfile.TemporaryDirectory(prefix="any-user-") as name, harness.vendors() as at:
        folder = Path(name)
        file = harness.configure(folder, at)
        folder.chmod(0o755)
        with (
            embedded.running(tmp_path_factory.mktemp("valkey"), {"port": str(port), "bind": "127.0.0.1"}),
            harness.router(folder, file, REDIS_URL=address) as router,
        ):
            yield Scene(router, folder, address)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tokens", "create", "ann", "--role", "admin"), "irt_"),
        (("publishing", "freeze"), f"publishing is frozen by {BY}"),
        (("publishing", "unfreeze"), "publishing is active: "),
        (("silences", "add", "service=x", "--reason", "upgrade"), " until "),
        (("silences", "list"), BY),
        (("publishing", "status"), "guard: ok"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_commands_work_without_a_login_name(scene, arguments, said):
    done = scene(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


def test_given_name_takes_precedence(scene):
    done = scene("publishing", "freeze", "--by", "ann")
    assert done.stdout.startswith("publishing is frozen by ann until ")
    assert scene("publishing", "unfreeze", USER="bob").returncode == 0
    assert scene("publishing", "freeze", USER="bob").stdout.startswith("publishing is frozen by bob until ")
    assert scene("publishing", "unfreeze").returncode == 0


def test_deliveries_are_saved_to_standard_output(scene):
    """A pod's file system is read-only, so the output goes through the pipe of `kubectl exec`."""
    done = scene("deliveries", "export", "-")
    assert done.returncode == 0
    assert scene.delivery in {json.loads(line)["id"] for line in done.stdout.splitlines()}


def test_check_requires_only_the_secrets_of_the_process(scene):
    assert scene("check", "--for", "web", WEBHOOK_TOKEN="any").returncode == 0
    assert scene("check", "--for", "worker", KEY="any").returncode == 0
    done = scene("check", KEY="any")
    assert (done.returncode, "WEBHOOK_TOKEN is not set" in done.stderr) == (1, True)
    assert scene("check", "--for", "worker").returncode == 1
    assert scene("check", "--for", "web", "--online", WEBHOOK_TOKEN="any").returncode == 2
