"""`incidents correct`, the API, and the console correct an update at a DevHelm page, with a running router."""

import functools
import json
import shlex
import subprocess

import httpx
import pytest

from tests.end_to_end import harness
from tests.structure import commands, tree

KEY = 'checkout-down{labels.service="checkout"}'
API = "/api/v1"
PAGE = tree.ROOT / "docs/reference/api.md"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Run a router whose incident is published at both pages."""
    folder = tmp_path_factory.mktemp("corrections")
    with harness.vendors() as at:
        file = harness.configure(folder, at)
        with harness.router(folder, file) as router:
            router.send_alert(severity="major")
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            yield router, at


@pytest.fixture(scope="module")
def console(scene):
    """Return the URL of the console and a responder's token."""
    router, _ = scene
    result = router.command("tokens", "create", "ada", "--role", "responder")
    assert result.returncode == 0, result.stderr
    return router.process.wait_for_output(r"console\W+(http://127\.0\.0\.1:\d+)")[1], result.stdout.split()[-1]


def correct(router, *options, page="devhelm-page"):
    return router.command("incidents", "correct", KEY, page, *options)


def get_post(router):
    result = router.command("incidents", "show", KEY, "--json")
    (page,) = [
        publication
        for publication in json.loads(result.stdout)["publications"]
        if publication["destination"] == "devhelm-page"
    ]
    return page["posted"]


def text(at):
    return at.posts()[0]["updates"][0]["body"]


def wait_for_correction(router, at, begins):
    harness.eventually("the update is corrected", lambda: text(at).startswith(begins))
    harness.eventually("the router has the corrected text", lambda: get_post(router)[0]["text"].startswith(begins))


def test_operator_corrects_the_newest_update(scene):
    router, at = scene
    (update,) = get_post(router)
    assert f"update {update['id']} --if-match {update['seen']}" in router.command("incidents", "show", KEY).stdout
    done = correct(router, "--body", "Payments fail, mail ann@acme.example.", "--reason", "a typo", "--by", "ada")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"devhelm-page: the update {update['id']} will be corrected\n"
    assert "warning: your text has an e-mail address" in done.stderr
    wait_for_correction(router, at, "Payments fail, mail ann@acme.example.")
    assert "ada corrects an update at devhelm-page: a typo" in router.command("incidents", "show", KEY).stdout


def test_impossible_correction_is_refused(scene):
    router, _ = scene
    outdated = correct(router, "--body", "Other.", "--if-match", "000000000000")
    assert (outdated.returncode, "has changed since you looked" in outdated.stderr) == (3, True)
    elsewhere = correct(router, "--body", "Other.", page="public-page")
    assert elsewhere.returncode == 1
    assert "can't change a posted update at a destination incident-io-status-page" in elsewhere.stderr
    unknown = correct(router, "--body", "Other.", "--update", "ffff")
    assert (unknown.returncode, 'has posted no update "ffff"' in unknown.stderr) == (1, True)
    assert correct(router, "--body", "Other.", "--status", "OVER").returncode == 2
    blank = correct(router, "--body", " \n")
    assert (blank.returncode, blank.stderr) == (2, "incident-router: --body must not be blank\n")


def test_status_resolved_is_refused_before_anything_is_recorded(scene, console):
    router, _ = scene
    done = correct(router, "--body", "It is over.", "--status", "RESOLVED")
    refusal = "status: a correction neither resolves a post nor opens it again"
    assert (done.returncode, done.stderr) == (1, f"incident-router: {refusal}\n")
    url, token = console
    (update,) = get_post(router)
    wanted = {"incident": KEY, "destination": "devhelm-page", "update": update["id"], "seen": update["seen"]}
    headers = {"authorization": f"Bearer {token}"}
    answer = httpx.post(f"{url}{API}/corrections", json={**wanted, "body": "x", "status": "RESOLVED"}, headers=headers)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == ["#/status"]
    assert "It is over." not in router.command("incidents", "show", KEY).stdout


def test_audit_log_and_timeline_have_both_texts(scene):
    router, at = scene
    (update,) = get_post(router)
    done = correct(router, "--body", "Payments by card fail again.", "--reason", "clearer", "--by", "ada")
    assert done.returncode == 0, done.stderr
    wait_for_correction(router, at, "Payments by card fail again.")
    output = router.command("incidents", "show", KEY).stdout
    assert f"    before: {update['text'].splitlines()[0]}" in output
    assert "    after:  Payments by card fail again." in output
    result = router.command("tokens", "create", "root", "--role", "admin")
    url = router.process.wait_for_output(r"console\W+(http://127\.0\.0\.1:\d+)")[1]
    audit = httpx.get(f"{url}{API}/audit", headers={"authorization": f"Bearer {result.stdout.split()[-1]}"}).json()
    (line,) = [item for item in audit["items"] if item["what"] == "correct" and item["reason"] == "clearer"]
    assert line["detail"] == {
        "update": update["id"],
        "before": update["text"],
        "body": "Payments by card fail again.",
        "status": "",
    }


def test_api_corrects_only_the_seen_version(scene, console):
    router, at = scene
    url, token = console
    (update,) = get_post(router)
    wanted = {"incident": KEY, "destination": "devhelm-page", "update": update["id"], "seen": update["seen"]}
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}) as client:
        for body in ("", " \u200b\n"):
            refused = client.post(f"{API}/corrections", json={**wanted, "body": body})
            assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "#/body")
        assert client.post(f"{API}/corrections", json={**wanted, "seen": "0", "body": "x"}).status_code == 412
        done = client.post(f"{API}/corrections", json={**wanted, "body": "Payments by card fail."})
        assert (done.status_code, done.json()) == (200, {"warnings": []})
        wait_for_correction(router, at, "Payments by card fail.")


def test_curl_commands_of_the_page_correct_an_update(scene, console):
    router, at = scene
    url, token = console
    (update,) = get_post(router)
    reference = json.loads(router.command("incidents", "show", KEY, "--json").stdout)["reference"]
    curls = [command.text for command in commands.list_documented(PAGE) if command.text.startswith("curl ")]
    found = [command for command in curls if "/corrections" in command or "/incidents/IR-" in command]
    actual = {
        "http://127.0.0.1:8082": url,
        "$TOKEN": token,
        "IR-7F3K2QXM": reference,
        "5d5f576c-deb8-4c4c-bb29-7d0b0e5e18ba": update["id"],
        "471d8e35f901": update["seen"],
        "Payments by card fail.": "Payments by card fail, as documented.",
    }
    for command in found:
        typed = functools.reduce(lambda text, pair: text.replace(*pair), actual.items(), command)
        words = [*shlex.split(typed), "-s", "--fail-with-body"]
        done = subprocess.run(words, capture_output=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout
    assert len(found) == 2
    wait_for_correction(router, at, "Payments by card fail, as documented.")


def test_console_corrects_with_a_form(scene, console):
    router, at = scene
    url, token = console
    with httpx.Client(base_url=url) as browser:
        assert browser.post("/sign-in", data={"token": token}).status_code == 303
        page = browser.get("/incident", params={"key": KEY}).text
        assert 'action="/corrections"' in page
        assert "Payments by card fail, as documented." in page
        (update,) = get_post(router)
        form = {"incident": KEY, "destination": "devhelm-page", "update": update["id"], "seen": update["seen"]}
        form |= {
            "csrf": page.partition('name="csrf" value="')[2].partition('"')[0],
            "body": "Cards fail.",
            "reason": "r",
        }
        done = browser.post("/corrections", data=form)
        assert (done.status_code, "done=corrected" in done.headers["location"]) == (303, True)
        assert "The update is being corrected" in browser.get(done.headers["location"]).text
        wait_for_correction(router, at, "Cards fail.")
