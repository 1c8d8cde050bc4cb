"""The endpoints of the Slack app accept only requests with a recent signature of Slack, and parse no others."""

import json
import urllib.parse

import pytest

from router.api import slack_endpoints
from router.notifiers import slack_reviews
from router.slack import signatures
from tests.integration import consoles

ACTIONS, COMMANDS = slack_endpoints.ACTIONS, slack_endpoints.COMMANDS
BODY = b"payload=%7B%7D"


def problem(answer) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rpartition(":")[2]


def test_documented_example_signature_is_accepted():
    """The example of https://docs.slack.dev/authentication/verifying-requests-from-slack."""
    body = (
        b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&"
        b"channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&"
        b"response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN&"
        b"trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c"
    )
    headers = {
        b"x-slack-request-timestamp": b"1531420618",
        b"x-slack-signature": b"v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503",
    }
    now = 1531420618 * 1_000_000
    assert signatures.problem("8f742231b10e8888abcd99yyyzzz85a5", headers, body, now) == ""
    assert signatures.problem("8f742231b10e8888abcd99yyyzzz85a5", headers, body + b"&", now) != ""
    assert signatures.problem("8f742231b10e8888abcd99yyyzzz85a6", headers, body, now) != ""


@pytest.mark.parametrize("path", [ACTIONS, COMMANDS])
@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"secret": "wrong"}, 401),
        ({"late": 301}, 401),
        ({"late": -400}, 401),
        ({"headers": {"x-slack-signature": ""}}, 401),
        ({"headers": {"x-slack-signature": "v1=00"}}, 401),
        ({"headers": {"x-slack-request-timestamp": "1_000"}}, 401),
        ({"headers": {"x-slack-request-timestamp": "9" * 400}}, 401),
        ({"late": 200}, 200),
    ],
)
def test_unsigned_late_or_forged_request_is_refused(slack, path, more, status):
    async def body(at):
        content = BODY if path == ACTIONS else urllib.parse.urlencode(at.command("/nothing")).encode()
        answer = await at.request(path, content, **more)
        assert answer.status_code == status, answer.text
        if status == 401:
            assert problem(answer) == (401, "unauthorized")

    slack(body)


def test_body_is_parsed_only_after_its_signature_check(slack):
    async def body(at):
        assert problem(await at.request(ACTIONS, b"\xff\xfe", secret="wrong")) == (401, "unauthorized")
        assert problem(await at.request(ACTIONS, b"\xff\xfe")) == (422, "unfit")
        assert problem(await at.request(ACTIONS, b"payload=x")) == (422, "unfit")
        assert problem(await at.request(ACTIONS, b"payload=%5B%5D")) == (422, "unfit")
        assert problem(await at.request(ACTIONS, b"other=1")) == (422, "unfit")

    slack(body)


def test_large_body_is_refused(slack):
    async def body(at):
        content = b"payload=" + b"x" * slack_endpoints.MAX_BODY_BYTES
        assert problem(await at.request(ACTIONS, content)) == (413, "too-large")

    slack(body)


def test_unknown_interactions_are_acknowledged(slack):
    async def body(at):
        for form in ({"ssl_check": "1"}, {"payload": '{"type": "view_closed"}'}, {"payload": '{"type": "new_one"}'}):
            answer = await at.send(ACTIONS, form)
            assert (answer.status_code, answer.content) == (200, b"")
        assert at.workspace.calls == []

    slack(body)


def test_session_and_token_do_not_replace_the_signature(slack):
    async def body(at):
        browser, csrf = await at.management.browser("admin")
        answer = await browser.post(ACTIONS, data={"payload": "{}", "csrf": csrf})
        assert problem(answer) == (401, "unauthorized")
        token = await at.management.client_for("admin")
        assert problem(await token.post(COMMANDS, data={"command": "/freeze"})) == (401, "unauthorized")

    slack(body)


def test_endpoints_require_a_signing_secret(slack):
    async def body(at):
        assert problem(await at.request(ACTIONS, BODY)) == (404, "not-found")

    slack(body, signing_secret=None, app_token="xapp-1")


def test_endpoints_require_a_slack_app(play):
    async def body(at):
        client = await at.client()
        assert problem(await client.post(ACTIONS, content=BODY)) == (404, "not-found")

    play(body)


def test_repeated_request_acts_once_with_the_same_response(slack):
    """A proxy or Slack retries a request (X-Slack-Retry-Num), or an attacker replays a signed one."""

    async def body(at):
        await at.management.deliver(consoles.firing())
        click = at.click(slack_reviews.APPROVE, await at.subject())
        for number in range(3):
            headers = {"x-slack-retry-num": str(number), "x-slack-retry-reason": "http_timeout"}
            answer = await at.send(ACTIONS, {"payload": json.dumps(click)}, headers=headers)
            assert (answer.status_code, answer.content) == (200, b"")
        assert len(at.workspace.replies) == 1
        assert [what for _, what, _ in await at.audit()] == ["review"]
        freeze = at.command("/freeze", "maintenance")
        first = await at.send(COMMANDS, freeze)
        assert "frozen" in first.json()["text"]
        await at.send(COMMANDS, at.command("/unfreeze"))
        again = await at.send(COMMANDS, freeze)
        assert again.json() == first.json()
        assert (await at.management.parts.queries.records.publishing()).freeze == "active"

    slack(body)


def test_fields_are_read_from_slack_s_form_encoding(slack):
    async def body(at):
        form = at.command("/freeze", "it's 100% \u00fcber & out")
        answer = await at.send(COMMANDS, form)
        assert answer.json()["response_type"] == "ephemeral"
        publishing = await at.management.parts.queries.records.publishing()
        assert "it's 100% \u00fcber & out" in publishing.freeze_reason
        assert "slack:U0ADA (ada)" in publishing.freeze_reason

    slack(body)


def test_user_name_cannot_forge_the_audit_label(slack):
    async def body(at):
        form = {**at.command("/freeze", "x"), "user_name": "eve) approved\nby slack:U1 (bob\u202e"}
        await at.send(COMMANDS, form)
        [(who, _, _)] = await at.audit()
        assert who == "slack:U0ADA (eve approved by slack:U1 bob)"

    slack(body)
