"""The simulated Slack answers Slack's SDK, and refuses the requests that Slack refuses."""

import pytest
import slack_sdk
from slack_sdk import errors

from tests.end_to_end import harness

SECTION = {"type": "section", "text": {"type": "mrkdwn", "text": "hello"}}


@pytest.fixture(scope="module")
def simulator():
    with harness.vendors() as at:
        yield at


@pytest.fixture
def slack(simulator):
    harness.ask(f"{simulator.url}/reset", {})
    return slack_sdk.WebClient("xoxb-1", base_url=f"{simulator.url}/slack/api/", timeout=30)


def expect_refusal(call) -> str:
    with pytest.raises(errors.SlackApiError) as raised:
        call()
    return raised.value.response["error"]


def test_message_is_posted_updated_and_answered_in_thread(slack, simulator):
    posted = slack.chat_postMessage(channel="#incidents", text="one", blocks=[SECTION])
    slack.chat_postMessage(channel=posted["channel"], text="reply", thread_ts=posted["ts"])
    slack.chat_update(channel=posted["channel"], ts=posted["ts"], text="two")
    messages = simulator.state()["slack"]["incidents"]
    assert [(message["text"], message["edits"], bool(message["thread_ts"])) for message in messages] == [
        ("two", 1, False),
        ("reply", 0, True),
    ]
    assert posted["ts"] != messages[1]["ts"]


def test_invalid_calls_get_slack_s_error_codes(slack):
    posted = slack.chat_postMessage(channel="incidents", text="one")
    assert expect_refusal(lambda: slack.chat_postMessage(channel="#gone", text="x")) == "channel_not_found"
    assert expect_refusal(lambda: slack.api_call("chat.postMessage", json={"channel": "incidents"})) == "no_text"
    assert (
        expect_refusal(lambda: slack.chat_postMessage(channel="incidents", text="x", thread_ts="9.9"))
        == "thread_not_found"
    )
    assert (
        expect_refusal(lambda: slack.chat_update(channel=posted["channel"], ts="9.9", text="x")) == "message_not_found"
    )
    assert (
        expect_refusal(lambda: slack.chat_update(channel="#incidents", ts=posted["ts"], text="x"))
        == "channel_not_found"
    )
    assert expect_refusal(lambda: slack.reactions_add(channel="C1", name="eyes", timestamp="1")) == "unknown_method"
    assert expect_refusal(lambda: slack.chat_postMessage(channel="incidents", text="x" * 40_001)) == "msg_too_long"


def text(length: int, kind: str = "mrkdwn") -> dict:
    return {"type": kind, "text": "x" * length}


@pytest.mark.parametrize(
    ("blocks", "fits"),
    [
        ([SECTION] * 50, True),
        ([SECTION] * 51, False),
        ([{"type": "section", "text": text(3000)}], True),
        ([{"type": "section", "text": text(3001)}], False),
        ([{"type": "section", "text": text(0)}], False),
        ([{"type": "section"}], False),
        ([{"type": "section", "fields": [text(2000)] * 10}], True),
        ([{"type": "section", "fields": [text(1)] * 11}], False),
        ([{"type": "section", "fields": [text(2001)]}], False),
        ([{"type": "header", "text": text(150, "plain_text")}], True),
        ([{"type": "header", "text": text(151, "plain_text")}], False),
        ([{"type": "header", "text": text(10)}], False),
        ([{"type": "context", "elements": [text(5)] * 10}], True),
        ([{"type": "context", "elements": []}], False),
        ([{"type": "divider"}], True),
        ([{"type": "unknown"}], False),
    ],
)
def test_blocks_have_slack_s_limits(slack, blocks, fits):
    def call() -> None:
        slack.chat_postMessage(channel="incidents", text="x", blocks=blocks)

    if fits:
        call()
    else:
        assert expect_refusal(call) == "invalid_blocks"


def test_missing_token_is_refused(simulator):
    anonymous = slack_sdk.WebClient(base_url=f"{simulator.url}/slack/api/")
    assert expect_refusal(lambda: anonymous.chat_postMessage(channel="incidents", text="x")) == "not_authed"
