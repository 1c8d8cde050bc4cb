"""``tokens`` with a running router: created once, listed without secrets, and refused after revocation."""

import json
import re
import urllib.error
import urllib.request

import pytest

from tests.end_to_end import harness


@pytest.fixture
def management(router):
    """Send a request to the management API with a token. Return the status and the JSON body."""
    url = router.process.wait_for_output(harness.CONSOLE)[1]

    def ask(token, path="/overview"):
        request = urllib.request.Request(f"{url}/api/v1{path}", headers={"authorization": f"Bearer {token}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())

    return ask


def create(router, *arguments):
    done = router.command("tokens", "create", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_token_is_printed_once_and_grants_its_role(router, management):
    token = create(router, "deploy-bot", "--role", "responder", "--for", "1h")
    assert re.fullmatch(r"irt_[\w-]+_[\w-]{43}", token)
    assert management(token)[0] == 200
    assert management(token, "/audit")[0] == 403
    output = router.command("tokens", "list").stdout
    assert "deploy-bot" in output
    assert "responder" in output
    assert token.split("_", 2)[2] not in output


def test_default_token_has_viewer_role_and_an_expiry(router, management):
    token = create(router, "looker")
    status, problem = management(token, "/tokens")
    assert (status, "yours is viewer" in problem["detail"]) == (403, True)
    admin = create(router, "chief", "--role", "admin", "--for", "0s")
    rows = {item["name"]: item for item in management(admin, "/tokens")[1]["items"]}
    assert rows["looker"]["expires_at"] > rows["looker"]["created_at"]
    assert rows["chief"]["expires_at"] is None
    assert "for ever" in router.command("tokens", "list").stdout


def test_revoked_token_is_refused_immediately(router, management):
    token = create(router, "short-lived", "--role", "admin")
    identity = token.split("_")[1]
    assert management(token)[0] == 200
    assert router.command("tokens", "revoke", identity).stdout == f"revoked {identity}\n"
    assert management(token)[0] == 401
    again = router.command("tokens", "revoke", identity)
    assert (again.returncode, again.stderr) == (1, "incident-router: no token has this ID\n")
    assert identity not in router.command("tokens", "list").stdout


def test_terminal_actions_are_in_the_audit_log(router, management):
    admin = create(router, "auditor", "--role", "admin")
    lines = management(admin, "/audit")[1]["items"]
    assert (lines[0]["what"], lines[0]["subject"], lines[0]["by"]) == ("make token", "auditor", "command line")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("x", "--role", "root"), '"root" is not a role: viewer, responder, admin'),
        (("x", "--for", "soon"), "'soon'"),
        (("",), "NAME"),
        (("x" * 101,), "NAME"),
        (("x", "--for", "9999d"), "--for"),
    ],
)
def test_impossible_token_is_a_usage_error(router, arguments, said):
    done = router.command("tokens", "create", *arguments)
    assert (done.returncode, said in done.stderr) == (2, True), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
