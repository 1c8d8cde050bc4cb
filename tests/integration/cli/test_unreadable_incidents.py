"""Commands report unreadable incidents: lists show them with the reason, and other commands fail with one sentence."""

import json

import pytest
import redis

from router.store import embedded, keys
from tests.end_to_end import commands, harness

KEY = 'checkout-down{labels.service="checkout"}'
LISTS = ["incidents list", "incidents list --muted", "reviews list", "dead-letters list", "heartbeats list"]
NEED_IT = [
    "incidents show KEY",
    "incidents show KEY --json",
    "reviews show KEY public-page",
    "reviews approve KEY public-page --if-match 00000000",
    "incidents retract KEY --reason false",
]
JUNK = b"\xc1\xff junk"


class Scene:
    """A router with one incident, and its store."""

    def __init__(self, router, server, store):
        self.router, self.store = router, store
        self.environment = {**harness.SECRETS, "REDIS_URL": server.url}

    def __call__(self, command):
        words = [KEY if word == "KEY" else word for word in command.split()]
        return commands.run_command(*words, "--config", str(self.router.file), environment=self.environment)


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("router")
    with harness.vendors() as at, embedded.running(tmp_path_factory.mktemp("valkey")) as server:
        file = harness.configure(folder, at, publish="review")
        with (
            harness.router(folder, file, REDIS_URL=server.url) as router,
            redis.Redis(unix_socket_path=server.socket) as store,
        ):
            router.send_alert(severity="major")
            made = Scene(router, server, store)
            harness.eventually(
                "both reviews are pending", lambda: made("reviews list").stdout.count("would be shown") == 2
            )
            yield made


@pytest.fixture(params=["junk", "wrong type"])
def damage(scene, request):
    """Damage a key for the duration of a test."""
    kept = {}

    def do(key):
        kept[key] = scene.store.dump(key)
        if request.param == "junk":
            scene.store.hset(key, mapping=dict.fromkeys(scene.store.hkeys(key), JUNK))
        else:
            scene.store.delete(key)
            scene.store.lpush(key, "x")

    yield do
    for key, value in kept.items():
        scene.store.restore(key, 0, value, replace=True)


@pytest.fixture(params=[keys.incident, keys.publications], ids=["incident", "publications"])
def damaged_key(damage, request):
    """Return the key of an unreadable document."""
    damage(request.param(KEY))
    return request.param(KEY)


def test_lists_name_unreadable_incidents_with_the_reason(scene, damaged_key):
    for command in LISTS:
        done = scene(command)
        assert (done.returncode, "Traceback" in done.stderr) == (0, False), command
        assert f"warning: can't be read: {damaged_key}: " in done.stderr, command


def test_command_for_an_unreadable_incident_fails_clearly(scene, damaged_key):
    for command in NEED_IT:
        done = scene(command)
        last = done.stderr.splitlines()[-1]
        assert (done.returncode, done.stdout, "Traceback" in done.stderr) == (1, "", False), (command, done.stderr)
        assert last.startswith(f"incident-router: {damaged_key}: "), (command, last)


def test_incident_with_unreadable_publications_lists_the_problem(scene, damage):
    damage(keys.publications(KEY))
    assert " unreadable " in scene("incidents list").stdout
    [row] = json.loads(scene("incidents list --json").stdout)["items"]
    assert row["problems"] == ["unreadable"]
