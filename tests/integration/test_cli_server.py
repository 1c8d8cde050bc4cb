"""Commands with ``--server`` say and do through the management API what they say and do beside the router's Redis."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from concurrent import futures

import pytest

from tests.end_to_end import harness
from tests.integration.test_cli import run

KEY = 'checkout-down{labels.service="checkout"}'
BEAT = 'silent{labels.cluster="eu/west"}'
NO_TEXT = b'{"title": "\xff\xfe"}'
RULES = (
    harness.RULES.format(publish="review")
    + """
  - name: silent
    when: {labels.alertname: Watchdog}
    group_by: [labels.cluster]
    timing: {heartbeat: 1h}
    open: [{at: on-call, name: Silence}]
  - {name: staging, when: {labels.env: staging}, ignore: "nobody is [red]woken[/]"}
"""
)


class Scene:
    """A router, its vendors, and whoever asks it from elsewhere: with a token, without its files or its Redis."""

    def __init__(self, router, at, folder):
        self.router, self.at, self.folder = router, at, folder
        self.url = router.process.says(r"console +(http://127\.0\.0\.1:\d+)")[1]
        self.token = self.made("ann", "admin")

    def made(self, name, role):
        return self.router.command("tokens", "create", name, "--role", role).stdout.strip()

    def here(self, *arguments):
        return self.router.command(*arguments)

    def elsewhere(self, *arguments, token=None):
        secret = self.token if token is None else token
        return run(*arguments, "--server", self.url, cwd=self.folder, INCIDENT_ROUTER_TOKEN=secret)

    def both(self, *arguments):
        """The same command both ways, at once."""
        with futures.ThreadPoolExecutor() as pool:
            ways = [pool.submit(way, *arguments) for way in (self.here, self.elsewhere)]
            return [way.result() for way in ways]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """An open incident that waits at two pages and was refused at a third place, and something in every other list."""
    folder = tmp_path_factory.mktemp("server")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        with harness.router(folder, file) as router:
            made = Scene(router, at, tmp_path_factory.mktemp("elsewhere"))
            fill(made)
            yield made


def fill(scene):
    scene.at.fault(vendor="devhelm", method="POST", path="/api/v1/incidents", action="status", status=422, count=1)
    scene.delivery = scene.router.receives(severity="major")["delivery"]
    scene.router.receives(dedup_key="b", labels={"service": "x", "alertname": "Watchdog", "cluster": "eu/west"})
    scene.ignored = scene.router.receives(dedup_key="c", labels={"service": "y", "env": "staging"})["delivery"]
    scene.odd = refused(scene.router, b'{"title": "t", "status": "odd \xe2\x86\x92 [red]"}')
    scene.no_text = refused(scene.router, NO_TEXT)
    harness.eventually("both pages wait", lambda: scene.here("reviews", "list").stdout.count("would be shown") == 2)
    harness.eventually("one is refused", lambda: "422" in scene.here("dead-letters", "list").stdout)
    harness.eventually("the heartbeat is known", lambda: BEAT in scene.here("heartbeats", "list").stdout)
    harness.eventually("it is kept", lambda: scene.ignored in scene.here("deliveries", "list").stdout)
    scene.letter = scene.here("dead-letters", "list").stdout.splitlines()[1].split()[0]


def refused(router, body):
    """The id under which a body that can't be read is in quarantine."""
    headers = {"authorization": f"Bearer {harness.TOKEN}", "content-type": "application/json"}
    request = urllib.request.Request(f"{router.url}/v1/webhooks/json", body, headers)
    with pytest.raises(urllib.error.HTTPError) as error:
        urllib.request.urlopen(request, timeout=10)
    with error.value as answer:
        return json.load(answer)["quarantined"]


LOOKS = [
    "incidents list", "incidents list --all", "incidents show KEY", "incidents show KEY --json",
    "incidents show no/such", "reviews list", "reviews show KEY public-page",
    "reviews show KEY public-page --json", "reviews show KEY on-call",
    "silences list --all", "heartbeats list", "breaker show", "dead-letters list", "dead-letters show LETTER",
    "dead-letters show none", "quarantine list", "quarantine show ODD", "quarantine show ODD --body",
    "quarantine show none", "quarantine run ODD", "deliveries list", "deliveries list -n 1", "deliveries show DELIVERY",
    "deliveries show IGNORED", "deliveries show DELIVERY --body", "deliveries show none", "rules stats",
    "explain --delivery DELIVERY --all", "explain --delivery IGNORED", "explain --delivery DELIVERY --format json",
    "explain --delivery none", "heartbeats forget none", "silences expire none", "thaw", "breaker reset",
]  # fmt: skip


@pytest.mark.parametrize("command", LOOKS)
def test_a_command_says_the_same_from_elsewhere_as_here(scene, command):
    named = {
        "KEY": KEY,
        "LETTER": scene.letter,
        "ODD": scene.odd,
        "DELIVERY": scene.delivery,
        "IGNORED": scene.ignored,
        "none": "0" * 32,
    }
    here, elsewhere = scene.both(*(named.get(word, word) for word in command.split()))
    assert (elsewhere.returncode, elsewhere.stdout, elsewhere.stderr) == (here.returncode, here.stdout, here.stderr)
    assert here.stdout or here.returncode == 1


def test_what_is_not_text_comes_through_byte_for_byte(scene):
    done = subprocess.run(
        [harness.COMMAND, "quarantine", "show", scene.no_text, "--body", "--server", scene.url],
        env={**os.environ, "INCIDENT_ROUTER_TOKEN": scene.token},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == NO_TEXT
