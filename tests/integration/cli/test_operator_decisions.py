"""Operator decisions in a terminal with a running router: reviews, freezes, dead letters, and timelines."""

import json
import re

import pytest

from tests.end_to_end import harness

KEY = 'checkout-down{labels.service="checkout"}'


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Run a router whose rule requires a review at both pages, and the simulated vendors."""
    folder = tmp_path_factory.mktemp("people")
    with harness.vendors() as at:
        file = harness.configure(folder, at, publish="review")
        with harness.router(folder, file) as router:
            yield router, at


@pytest.fixture
def firing(scene):
    """Open an incident that waits for review at both pages, and resolve it after the test."""
    router, at = scene
    router.send_alert(severity="major")
    harness.eventually(
        "both pages have a pending review",
        lambda: router.command("reviews", "list").stdout.count("would be shown") == 2,
    )
    yield router, at
    router.send_alert(status="resolved")
    harness.eventually(
        "the incident is resolved", lambda: router.command("incidents", "list").stdout == "no incident is open\n"
    )


def review(router, page="public-page"):
    return json.loads(router.command("reviews", "show", KEY, page, "--json").stdout)


def decide(router, *arguments, page="public-page"):
    command, *options = arguments
    return router.command("reviews", command, KEY, page, *options)


def test_review_shows_the_post_and_approval_command(firing):
    router, _ = firing
    output = decide(router, "show").stdout
    assert "would be shown at public-page (awaiting approval: the rule requires a review)" in output
    assert "Checkout is unavailable" in output
    assert "because rule checkout-down" in output
    assert f"--if-match {review(router)['digest'][:8]}" in output
    assert decide(router, "show", page="on-call").returncode == 1


def test_approval_of_an_unseen_version_is_refused(firing):
    router, at = firing
    refused = decide(router, "approve", "--if-match", "00000000")
    assert refused.returncode == 3
    assert "has changed since you looked" in refused.stderr
    assert "would be shown at public-page" in refused.stdout
    assert at.incidents()["public-page"].count("open") == 0


def test_edited_text_is_shown_and_checked(firing):
    router, at = firing
    assert decide(router, "edit").returncode == 2
    assert decide(router, "edit", "--set", "title").returncode == 2
    too_long = decide(router, "edit", "--title", "x" * 201)
    assert too_long.returncode == 2
    assert "title" in too_long.stderr
    words = ("--title", "Cards\u200b fail", "--message", "Mail help@acme.example.", "--set", "notify=false")
    done = decide(router, "edit", *words, "--by", "ann", "--reason", "clearer")
    assert done.stderr == (
        "warning: your text has an e-mail address in message\n"
        "warning: your text has a host name or an address that is not allowed in message\n"
    )
    assert done.stdout == 'approved by ann: "Cards fail" at "public-page"\n'
    harness.eventually("the post is shown", lambda: "open" in at.incidents()["public-page"])
    assert "Cards fail" in [incident["name"] for incident in at.state()["incident-io"]["status_page_incidents"]]
    output = router.command("incidents", "show", KEY).stdout
    assert "Approved at public-page by ann: clearer" in output
    assert "with text by ann" in output


def test_dismissed_post_is_counted_and_not_shown(firing):
    router, at = firing
    before = at.incidents()["devhelm-page"]
    done = decide(router, "dismiss", "--by", "bob", page="devhelm-page")
    assert done.stdout.startswith("dismissed by bob")
    assert at.incidents()["devhelm-page"] == before
    assert decide(router, "approve", page="devhelm-page").returncode == 1
    line = router.command("rules", "stats").stdout.splitlines()[1]
    assert line.split()[0] == "checkout-down"
    assert int(line.split()[3]) >= 1


def test_approved_post_waits_while_frozen(firing):
    router, at = firing
    posted = len(at.incidents()["public-page"])
    assert (
        "publishing is frozen by ann"
        in router.command("publishing", "freeze", "--by", "ann", "--reason", "all hands").stdout
    )
    assert router.command("publishing", "freeze").stdout == "publishing is frozen already: all hands (ann)\n"
    assert "freeze: frozen (all hands (ann))" in router.command("publishing", "status").stdout
    decide(router, "approve")
    harness.eventually("the approval is known", lambda: decide(router, "show").returncode == 1)
    assert len(at.incidents()["public-page"]) == posted
    assert "incidents are reconciled now" in router.command("publishing", "unfreeze").stdout
    harness.eventually("the post is shown", lambda: len(at.incidents()["public-page"]) == posted + 1)
    assert router.command("publishing", "unfreeze").stdout == "publishing is active already\n"


def test_retract_takes_the_post_down(firing):
    router, at = firing
    shown = at.incidents()["devhelm-page"].count("open")
    decide(router, "approve", page="devhelm-page")
    harness.eventually("the post is shown", lambda: at.incidents()["devhelm-page"].count("open") == shown + 1)
    words = ("incidents", "retract", KEY, "--destination", "devhelm-page", "--reason", "a false alarm")
    assert "so it needs no message" in router.command(*words, "--message", "Sorry.").stderr
    done = router.command(*words, "--by", "ann")
    assert re.fullmatch(r"devhelm-page \(IR-[\w-]+\): the post is taken down\n", done.stdout), done.stderr
    harness.eventually("the post is taken down", lambda: at.incidents()["devhelm-page"].count("open") == shown)
    again = router.command(*words)
    assert (again.returncode, "nothing to do: the post was retracted before" in again.stdout) == (1, True)
    output = router.command("incidents", "show", KEY).stdout
    assert "Retracted at devhelm-page by ann: the post is taken down. Reason: a false alarm" in output
    everywhere = router.command("incidents", "retract", KEY, "--reason", "a false alarm")
    assert "the post awaited a review and is dismissed" in everywhere.stdout
    unknown = router.command("incidents", "retract", KEY, "--destination", "devhelm-pag", "--reason", "x")
    assert 'there is no page "devhelm-pag"; did you mean "devhelm-page"?' in unknown.stderr
    inside = router.command("incidents", "retract", KEY, "--destination", "on-call", "--reason", "x")
    assert "only posts on pages are retracted" in inside.stderr
    missing = router.command("incidents", "retract", "no such key", "--reason", "x")
    assert (missing.returncode, "there is no incident" in missing.stderr) == (1, True)


def test_incident_is_acknowledged_and_withdrawn(firing):
    router, _ = firing
    done = router.command("incidents", "ack", KEY, "--by", "ann", "--reason", "on it")
    reference = json.loads(router.command("incidents", "show", KEY, "--json").stdout)["reference"]
    assert done.stdout == f"{reference}: acknowledged by ann\n", done.stderr
    again = router.command("incidents", "ack", reference, "--by", "bob")
    assert (again.returncode, "the incident was already acknowledged by ann at" in again.stdout) == (0, True)
    output = router.command("incidents", "show", KEY).stdout
    assert re.search(r"acknowledged: +by ann at .*: on it\n", output)
    assert "Acknowledged by ann: on it" in output
    assert "ann, 20" in router.command("incidents", "list").stdout
    assert (
        json.loads(router.command("incidents", "list", "--json").stdout)["items"][0]["acknowledgement"]["by"] == "ann"
    )
    ended = router.command("incidents", "unack", reference, "--by", "bob", "--reason", "handed over")
    assert ended.stdout == f"{reference}: the acknowledgement by ann is withdrawn\n", ended.stderr
    refused = router.command("incidents", "unack", KEY)
    assert (refused.returncode, refused.stderr) == (1, "incident-router: the incident is not acknowledged\n")
    missing = router.command("incidents", "ack", "no such key")
    assert (missing.returncode, "there is no incident" in missing.stderr) == (1, True)
    assert router.command("incidents", "ack", KEY, "--reason", " ").returncode == 2


def test_review_is_taken_and_released(firing):
    router, _ = firing
    taken = decide(router, "take", "--by", "ann", "--for", "1h")
    assert re.match(r"taken by ann until \S+ \S+.*: the review of ", taken.stdout), taken.stderr
    assert re.search(r"taken by ann until ", decide(router, "show").stdout)
    other = decide(router, "take", "--by", "bob")
    assert (other.returncode, "ann has taken it until" in other.stderr) == (3, True)
    assert decide(router, "release", "--by", "bob").stdout.endswith('at "public-page", taken by ann\n')
    assert decide(router, "release").returncode == 1
    for wrong in ("30s", "5h", "soon"):
        assert decide(router, "take", "--for", wrong).returncode == 2
    assert decide(router, "take", page="on-call").returncode == 1


def test_publishing_states_are_shown(scene):
    router, _ = scene
    assert router.command("publishing", "status").stdout == "guard: ok\nfreeze: active\n"
    assert router.command("publishing", "reset").stdout == "the publishing guard has not tripped\n"


def test_incident_shows_publications_and_timeline(firing):
    router, _ = firing
    assert KEY in router.command("incidents", "list").stdout
    output = router.command("incidents", "show", KEY).stdout
    assert "open, major, 1 alert firing" in output
    assert "on-call: open" in output
    assert "by rule checkout-down" in output
    story = json.loads(router.command("incidents", "show", KEY, "--json").stdout)
    assert (story["status"], story["severity"]) == ("open", "major")
    assert story["problems"] == ["awaiting_review"]
    whats = [event["what"] for event in story["timeline"]]
    assert whats.count("opened") >= 1
    assert "operation" in whats
    missing = router.command("incidents", "show", "nothing of the kind")
    assert (missing.returncode, "there is no incident" in missing.stderr) == (1, True)
    assert KEY in router.command("incidents", "list", "--all").stdout
