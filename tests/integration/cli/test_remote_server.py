"""With ``--server``, commands have the same output and effects as with direct access to the router's Redis."""

import asyncio
import contextlib
import functools
import json
import os
import re
import subprocess
import urllib.error
import urllib.request
from concurrent import futures
from urllib import parse

import pytest

from router.cli import contracts
from router.store import embedded
from router.store.store import Store
from tests import ports
from tests.end_to_end import harness
from tests.integration.cli.test_commands import run
from tests.structure.test_command_reference import list_options

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
  - {name: staging, when: {labels.env: staging}, ignore: "staging [red]pages[/] no responder"}
"""
)


class Scene:
    """A router, its vendors, and a remote client with a token, without the router's files or its Redis."""

    def __init__(self, router, at, folder):
        self.router, self.at, self.folder = router, at, folder
        self.url = router.process.wait_for_output(harness.CONSOLE)[1]
        self.token = self.create_token("ann", "admin")

    def create_token(self, name, role):
        return self.router.command("tokens", "create", name, "--role", role).stdout.strip()

    @functools.cached_property
    def reference(self):
        """The reference of the incident that waits for review, in lower case as operators may type it."""
        rows = json.loads(self.run_locally("incidents", "list", "--json").stdout)["items"]
        return next(row["reference"] for row in rows if row["key"] == KEY).lower()

    def run_locally(self, *arguments):
        return self.router.command(*arguments)

    def run_remotely(self, *arguments, token=None):
        secret = self.token if token is None else token
        return run(*arguments, "--server", self.url, cwd=self.folder, INCIDENT_ROUTER_TOKEN=secret)

    def run_both(self, *arguments):
        """Run a command locally and remotely at the same time."""
        with futures.ThreadPoolExecutor() as pool:
            ways = [pool.submit(way, *arguments) for way in (self.run_locally, self.run_remotely)]
            return [way.result() for way in ways]


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Open an incident with two pending reviews and a refused operation, and fill every other list."""
    folder = tmp_path_factory.mktemp("server")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        with harness.router(folder, file) as router:
            made = Scene(router, at, tmp_path_factory.mktemp("elsewhere"))
            fill(made)
            yield made


def fill(scene):
    scene.at.fault(vendor="devhelm", method="POST", path="/api/v1/incidents", action="status", status=422, count=1)
    scene.delivery = scene.router.send_alert(severity="major")["delivery"]
    scene.router.send_alert(dedup_key="b", labels={"service": "x", "alertname": "Watchdog", "cluster": "eu/west"})
    scene.ignored = scene.router.send_alert(dedup_key="c", labels={"service": "y", "env": "staging"})["delivery"]
    scene.odd = send_unreadable_body(scene.router, b'{"title": "t", "status": "odd \xe2\x86\x92 [red]"}')
    scene.no_text = send_unreadable_body(scene.router, NO_TEXT)
    harness.eventually(
        "both pages have a pending review",
        lambda: scene.run_locally("reviews", "list").stdout.count("would be shown") == 2,
    )
    harness.eventually("one is refused", lambda: "422" in scene.run_locally("dead-letters", "list").stdout)
    harness.eventually("the heartbeat is recorded", lambda: BEAT in scene.run_locally("heartbeats", "list").stdout)
    harness.eventually(
        "the delivery is archived", lambda: scene.ignored in scene.run_locally("deliveries", "list").stdout
    )
    scene.letter = scene.run_locally("dead-letters", "list").stdout.splitlines()[1].split()[0]


def send_unreadable_body(router, body):
    """Return the quarantine ID of an unreadable body."""
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
    "silences list --all", "silences show none", "incidents show checkout", "incidents list --severity major",
    "incidents list --search checkout", "incidents list --muted",
    "heartbeats list", "publishing status", "dead-letters list", "dead-letters show LETTER",
    "dead-letters show none", "dead-letters redrive --all --problem nothing", "pauses list", "pauses lift none",
    "pauses lift on-call", "orphans list", "orphans resolve none",
    "quarantine list", "quarantine show ODD", "quarantine show ODD --body",
    "quarantine show none", "quarantine retry ODD",
    "deliveries list", "deliveries list -n 1", "deliveries show DELIVERY",
    "deliveries show IGNORED", "deliveries show DELIVERY --body", "deliveries show none", "rules stats",
    "explain --delivery DELIVERY --all", "explain --delivery IGNORED", "explain --delivery DELIVERY --format json",
    "explain --delivery none", "heartbeats forget none", "silences expire none",
    "publishing unfreeze", "publishing reset",
]  # fmt: skip


@pytest.mark.parametrize("command", LOOKS)
def test_remote_and_local_commands_print_equal_output(scene, command):
    named = {
        "KEY": KEY,
        "LETTER": scene.letter,
        "ODD": scene.odd,
        "DELIVERY": scene.delivery,
        "IGNORED": scene.ignored,
        "none": "0" * 32,
    }
    here, elsewhere = scene.run_both(*(named.get(word, word) for word in command.split()))
    assert (elsewhere.returncode, elsewhere.stdout, elsewhere.stderr) == (here.returncode, here.stdout, here.stderr)
    assert here.stdout or here.returncode == 1


AS_JSON = {
    "dead-letters show": ["LETTER"],
    "deliveries show": ["DELIVERY"],
    "incidents show": ["REFERENCE"],
    "quarantine show": ["ODD"],
    "reviews show": ["REFERENCE", "public-page"],
    "silences show": ["SILENCE"],
}


@pytest.fixture
def silence(scene, words):
    """Create a silence for the commands that show one."""
    if not words.startswith("silences"):
        yield ""
        return
    made = scene.run_locally("silences", "add", 'nothing="none"', "--reason", "upgrade", "--in", "1h")
    assert (made.returncode, 'label "nothing"' in made.stderr) == (0, True)
    yield made.stdout.split()[0]
    scene.run_locally("silences", "expire", made.stdout.split()[0])


@pytest.mark.parametrize("words", sorted(words for words, one in contracts.CONTRACTS.items() if one.json is not None))
def test_json_output_matches_the_api_model(scene, silence, words):
    named = {"LETTER": scene.letter, "DELIVERY": scene.delivery, "ODD": scene.odd, "SILENCE": silence[:6]}
    named["REFERENCE"] = scene.reference
    command = [*words.split(), *(named.get(word, word) for word in AS_JSON.get(words, [])), "--json"]
    way = (
        scene.run_remotely
        if "--server" in list_options(words)
        else scene.run_locally
        if "--config" in list_options(words)
        else run
    )
    done = way(*command)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    found = contracts.CONTRACTS[words].json.model_validate_json(done.stdout)
    may_be_empty = words in {"pauses list", "orphans list", "notifiers list"}
    assert getattr(found, "items", None) != [] or may_be_empty, "there is something to see in the form"


def test_binary_body_is_transferred_unchanged(scene):
    done = subprocess.run(
        [harness.COMMAND, "quarantine", "show", scene.no_text, "--body", "--server", scene.url],
        env={**os.environ, "INCIDENT_ROUTER_TOKEN": scene.token},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == NO_TEXT


def test_remote_export_equals_local_export(scene, tmp_path):
    for name, way in (("here", scene.run_locally), ("elsewhere", scene.run_remotely)):
        assert way("deliveries", "export", str(tmp_path / name)).returncode == 0
    assert (tmp_path / "here").read_bytes() == (tmp_path / "elsewhere").read_bytes() != b""


def get_error(done):
    """Return the error message of a command, which is one sentence."""
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    return done.returncode, line.removeprefix("incident-router: ")


def test_console_api_and_command_list_incidents_alike(scene):
    _, answer = harness.ask(f"{scene.url}/api/v1/incidents?status=all", token=scene.token)
    rows = [
        (item["key"], item["reference"], item["status"], item["severity"], item["rule"]) for item in answer["items"]
    ]
    assert {row[0] for row in rows} == {KEY, BEAT}
    _, page = harness.ask(f"{scene.url}/incidents?status=all", token=scene.token)
    links = re.findall(r'href="/incident\?key=([^"]+)"', page)
    assert [parse.unquote(link) for link in links] == [row[0] for row in rows]
    lines = scene.run_remotely("incidents", "list", "--all").stdout.splitlines()[1:]
    assert len(lines) == len(rows)
    for line, row in zip(lines, rows, strict=True):
        assert line.endswith(f"  {row[0]}")
        assert set(row[1:]) <= {*line.split(), ""}


def test_references_are_completed_locally_and_remotely(scene):
    typed = {"_INCIDENT_ROUTER_COMPLETE": "complete_bash", "COMP_CWORD": "3"}
    words = {"COMP_WORDS": f"incident-router incidents show {scene.reference[:6].upper()}"}
    beyond = {"INCIDENT_ROUTER_SERVER": scene.url, "INCIDENT_ROUTER_TOKEN": scene.token}
    beside = {"INCIDENT_ROUTER_CONFIG": str(scene.router.file), **harness.SECRETS}
    for surroundings in (beyond, beside):
        complete = functools.partial(run, cwd=scene.router.file.parent, **typed, **words, **surroundings)
        # A completion that times out offers nothing.
        harness.eventually(
            "the reference is completed", lambda ask=complete: ask().stdout.split() == [scene.reference.upper()]
        )


def test_missing_token_error_names_the_variable(scene):
    assert get_error(scene.run_remotely("incidents", "list", token="")) == (
        1,
        "the router requires a token: set INCIDENT_ROUTER_TOKEN (`incident-router tokens create`)",
    )
    wrong = scene.run_remotely("incidents", "list", token="irt_of_nobody")
    assert get_error(wrong) == (1, "the token in INCIDENT_ROUTER_TOKEN is invalid or expired")
    assert get_error(scene.run_remotely("incidents", "list", token="schlüssel"))[0] == 1


def test_insufficient_role_is_refused(scene):
    """The command changes nothing."""
    viewer = scene.create_token("looker", "viewer")
    assert get_error(scene.run_remotely("publishing", "freeze", token=viewer)) == (
        1,
        "this needs the role responder, and yours is viewer",
    )
    assert "frozen" not in scene.run_locally("publishing", "status").stdout
    assert KEY in scene.run_remotely("incidents", "list", token=viewer).stdout


def test_unreachable_server_is_reported_in_one_sentence(scene):
    """The token is not printed."""
    nowhere = f"http://127.0.0.1:{ports.reserve_closed()}"
    done = run("incidents", "list", cwd=scene.folder, INCIDENT_ROUTER_SERVER=nowhere, INCIDENT_ROUTER_TOKEN="secret-1")
    status, sentence = get_error(done)
    assert status == 1
    assert sentence.startswith("the router: GET /incidents: can't connect to 127.0.0.1:")
    assert "secret-1" not in done.stderr
    not_ours = run("incidents", "list", "--server", f"{scene.at.url}/nothing", cwd=scene.folder)
    assert get_error(not_ours) == (1, "the router: GET /incidents: 404")
    assert get_error(run("incidents", "list", "--server", scene.router.url, cwd=scene.folder))[0] == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("publishing freeze --by eve", "the token names you"),
        ("reviews approve KEY public-page --by eve", "the token names you"),
        ("explain --delivery x --rules folder", "uses its own rules"),
        ("explain", "--server needs --delivery"),
        ("silences add =~ --reason c", "is not a matcher"),
        ("silences add a=b --reason c --for 0s", "--for must be from 1s to 366d"),
        ("silences add a=b --reason c --during nightly", "neither a day, a time, nor a time zone"),
        ("silences add a=~.* --reason c", "the matchers match every alert"),
    ],
)
def test_contradictory_options_are_a_usage_error(scene, arguments, said):
    done = scene.run_remotely(*(KEY if word == "KEY" else word for word in arguments.split()))
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


@pytest.mark.parametrize("server", ["localhost:8082", "router.example.com", "http://", "redis://x", "http://[::1"])
def test_invalid_server_address_is_a_usage_error(tmp_path, server):
    done = run("incidents", "list", "--server", server, cwd=tmp_path)
    assert (done.returncode, "is not a URL such as http://127.0.0.1:8082" in done.stderr) == (2, True), done.stderr


def test_remote_explain_uses_the_server_rules(scene):
    payload = scene.folder / "payload.json"
    payload.write_text(json.dumps({"title": "t", "status": "firing", "labels": {"service": "checkout"}}))
    done = scene.run_remotely("explain", str(payload), "--source", "json")
    assert "✓ rule checkout-down decides" in done.stdout, done.stderr
    unknown = scene.run_remotely("explain", str(payload), "--source", "jsn")
    assert get_error(unknown) == (1, 'there is no source or delivery "jsn"; did you mean "json"?')


def test_remote_silence_records_the_token_name(scene):
    arguments = ("silences", "add", 'service="none"', "--reason", "upgrade", "--for", "2h", "--in", "1h")
    made = scene.run_remotely(*arguments)
    assert made.returncode == 0, made.stderr
    identity = made.stdout.split()[0]
    here, elsewhere = scene.run_both("silences", "list")
    assert here.stdout == elsewhere.stdout
    line = here.stdout.splitlines()[1]
    assert all(part in line for part in (identity, "pending", " ann ", 'service="none"', "upgrade"))
    assert scene.run_remotely("silences", "expire", identity).stdout == f"ended {identity}\n"
    assert scene.run_locally("silences", "list").stdout == "there is no silence\n"


def test_recurring_silence_is_listed_with_its_next_window(scene):
    windows = ("--during", "mon-sun 00:00-24:00", "--in", "2h")
    made = scene.run_remotely("silences", "add", 'service="none"', "--reason", "nightly", *windows)
    assert made.returncode == 0, made.stderr
    here, elsewhere = scene.run_both("silences", "list")
    assert here.stdout == elsewhere.stdout
    assert "mon-sun 00:00-24:00 UTC (next " in " ".join(here.stdout.split())
    scene.run_remotely("silences", "expire", made.stdout.split()[0])


def test_remote_command_freezes_and_unfreezes_publishing(scene):
    frozen = scene.run_remotely("publishing", "freeze", "--reason", "all hands")
    assert frozen.stdout == "publishing is frozen until `incident-router publishing unfreeze`\n"
    here, elsewhere = scene.run_both("publishing", "freeze")
    assert here.stdout == elsewhere.stdout == "publishing is frozen already: all hands (ann)\n"
    here, elsewhere = scene.run_both("publishing", "status")
    assert here.stdout == elsewhere.stdout
    assert "freeze: frozen (all hands (ann))" in here.stdout
    assert re.fullmatch(
        r"publishing is active: [1-9]\d* incidents are reconciled now\n",
        scene.run_remotely("publishing", "unfreeze").stdout,
    )


def test_remote_review_decides_the_seen_version_only(scene):
    changed = scene.run_remotely("reviews", "approve", KEY, "public-page", "--if-match", "00000000")
    assert (changed.returncode, "has changed since you looked" in changed.stderr) == (3, True)
    assert "would be shown at public-page" in changed.stdout
    unfit = scene.run_remotely("reviews", "edit", KEY, "public-page", "--title", "x" * 201)
    assert (unfit.returncode, "title" in unfit.stderr) == (2, True)
    done = scene.run_remotely("reviews", "edit", KEY, "public-page", "--title", "Cards fail", "--reason", "clearer")
    assert done.stdout == 'approved by ann: "Cards fail" at "public-page"\n', done.stderr
    dismissed = scene.run_remotely("reviews", "dismiss", KEY, "devhelm-page", "--reason", "internal")
    assert dismissed.stdout == 'dismissed by ann: "Checkout is unavailable" at "devhelm-page"\n', dismissed.stderr
    harness.eventually("the post is shown", lambda: scene.at.incidents()["public-page"] == ["open"])
    timeline = scene.run_locally("incidents", "show", KEY).stdout
    assert "Approved at public-page by ann: clearer" in timeline
    here, elsewhere = scene.run_both("rules", "stats")
    assert here.stdout == elsewhere.stdout
    assert "checkout-down" in here.stdout


def test_remote_dead_letters_are_redriven_or_discarded(scene):
    assert scene.run_remotely("dead-letters", "redrive", scene.letter).stdout == f"{scene.letter} is tried again\n"
    harness.eventually("the incident is opened", lambda: scene.at.incidents()["devhelm"] == ["open"])
    assert scene.run_remotely("dead-letters", "discard", scene.letter).returncode == 1


def test_remote_commands_retry_and_discard_quarantined_bodies(scene):
    readable = asyncio.run(keep(scene, b'{"title": "t", "status": "firing", "labels": {"service": "z"}}'))
    done = scene.run_remotely("quarantine", "retry", readable)
    assert re.fullmatch(r"processed as delivery \w+ with 1 alerts\n", done.stdout), done.stderr
    for identity in (scene.odd, scene.no_text):
        assert scene.run_remotely("quarantine", "discard", identity).stdout == f"discarded {identity}\n"
    here, elsewhere = scene.run_both("quarantine", "list")
    assert here.stdout == elsewhere.stdout == "nothing is in quarantine\n"


async def keep(scene, body):
    """Quarantine a body that became readable when the rules or the configuration were fixed."""
    async with contextlib.aclosing(Store.connect(embedded.running_address(scene.router.file.parent / "data"))) as store:
        return await store.quarantine.add("json", body, {}, "no title", 1)


def test_remote_heartbeat_is_deleted_by_any_key(scene):
    assert scene.run_remotely("heartbeats", "forget", BEAT).stdout == f"{BEAT} is no longer expected\n"
    assert BEAT not in scene.run_locally("heartbeats", "list").stdout


def test_remote_attempts_are_audited_with_the_token(scene):
    scene.run_remotely("silences", "expire", "no-such")
    _, answer = harness.ask(f"{scene.url}/api/v1/audit", token=scene.token)
    line = next(item for item in answer["items"] if item["subject"] == "no-such")
    assert (line["who"], line["what"], line["address"]) == ("ann", "expire silence", "127.0.0.1")
    assert line["by"].startswith("token")
    assert line["outcome"].startswith("refused")
