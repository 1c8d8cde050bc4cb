"""The simulated Slack's users, modals, response URLs, and limits, as Slack documents them."""

import json

import pytest
import slack_sdk
from slack_sdk import errors

from router.simulator import options, server
from tests.contract import slack_receiver
from tests.end_to_end import harness

BUTTON = {"type": "button", "action_id": "approve", "value": "v1", "text": {"type": "plain_text", "text": "Approve"}}
ACTIONS = {"type": "actions", "block_id": "acts", "elements": [BUTTON]}
INPUT = {
    "type": "input",
    "block_id": "title",
    "label": {"type": "plain_text", "text": "Title"},
    "element": {"type": "plain_text_input", "action_id": "text", "initial_value": "Old", "max_length": 200},
}
VIEW = {
    "type": "modal",
    "callback_id": "edit",
    "title": {"type": "plain_text", "text": "Edit"},
    "submit": {"type": "plain_text", "text": "Publish"},
    "private_metadata": "kept",
    "blocks": [INPUT],
}
SECOND = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def simulator(clock):
    with server.Server(options.Options(clock=clock)) as running:
        yield running


@pytest.fixture
def slack(simulator):
    return slack_sdk.WebClient("xoxb-1", base_url=f"{simulator.url}/slack/api/", timeout=30)


@pytest.fixture
def app(simulator):
    """An endpoint with configurable responses that receives HTTP requests of the simulated Slack."""
    with slack_receiver.run_receiver() as receiver:
        settings = {"request_url": receiver.url, "retries": 1}
        assert harness.ask(f"{simulator.url}/workspace/app", settings, method="PUT")[0] == 200
        yield receiver


def act(simulator, what, **given):
    return harness.ask(f"{simulator.url}/workspace/{what}", given)


def state(simulator):
    return harness.ask(f"{simulator.url}/state")[1]["slack"]


def expect_refusal(call) -> str:
    with pytest.raises(errors.SlackApiError) as raised:
        call()
    return raised.value.response["error"]


def payload(app) -> dict:
    return json.loads(app.forms[-1]["payload"])


def post(slack, *blocks):
    return slack.chat_postMessage(channel="incidents", text="one", blocks=list(blocks) or [ACTIONS])


def test_click_sends_signed_block_actions(simulator, slack, app):
    message = post(slack)
    status, outcome = act(simulator, "clicks", channel="incidents", ts=message["ts"], action="Approve", user="U0BOB")
    assert (status, outcome["error"], outcome["attempts"]) == (200, "", 1)
    assert app.is_signed("simulated-signing-secret")
    said = payload(app)
    assert said["type"] == "block_actions"
    assert (said["user"]["id"], said["channel"]["name"], said["message"]["ts"]) == ("U0BOB", "incidents", message["ts"])
    assert said["container"]["is_ephemeral"] is False
    assert [(action["action_id"], action["value"], action["block_id"]) for action in said["actions"]] == [
        ("approve", "v1", "acts")
    ]


def test_click_on_an_earlier_version_sends_its_value(simulator, slack, app):
    message = post(slack)
    newer = {**ACTIONS, "elements": [{**BUTTON, "value": "v2"}]}
    slack.chat_update(channel=message["channel"], ts=message["ts"], text="two", blocks=[newer])
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve", version=0)
    assert (payload(app)["actions"][0]["value"], payload(app)["message"]["text"]) == ("v1", "one")
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    assert payload(app)["actions"][0]["value"] == "v2"


@pytest.mark.parametrize(
    "wrong", [{"ts": "1.0"}, {"action": "gone"}, {"user": "U0GONE"}, {"user": "U404"}, {"version": 7}, {"channel": "x"}]
)
def test_impossible_click_is_refused(simulator, slack, wrong):
    message = post(slack)
    click = {"channel": "incidents", "ts": message["ts"], "action": "approve", **wrong}
    assert act(simulator, "clicks", **click)[0] == 422


def test_failed_request_is_retried_and_then_shown(simulator, slack, app):
    message = post(slack)
    app.statuses = [500, 503]
    outcome = act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")[1]
    assert (outcome["attempts"], outcome["error"]) == (2, "http_error")
    assert app.headers[-1]["x-slack-retry-num"] == "1"
    assert state(simulator)["failures"] == [{"user": "U0ADA", "text": "The app did not respond. (http_error)"}]


def opened(simulator, slack, app, view=VIEW):
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    return slack.views_open(trigger_id=payload(app)["trigger_id"], view=view)["view"]


def test_modal_is_submitted_with_its_values(simulator, slack, app):
    view = opened(simulator, slack, app)
    assert act(simulator, "submissions", view=view["id"], values={"title": "x" * 201})[0] == 422
    assert act(simulator, "submissions", view=view["id"], values={"title": ""})[0] == 422
    act(simulator, "submissions", view="edit", values={"text": "New"})
    said = payload(app)
    assert (said["type"], said["view"]["private_metadata"]) == ("view_submission", "kept")
    assert said["view"]["state"]["values"] == {"title": {"text": {"type": "plain_text_input", "value": "New"}}}
    assert state(simulator)["modals"] == []


def test_submission_response_shows_errors_or_another_view(simulator, slack, app):
    view = opened(simulator, slack, app)
    app.bodies = [{"response_action": "errors", "errors": {"title": "It changed."}}]
    act(simulator, "submissions", view=view["id"])
    assert state(simulator)["modals"][0]["errors"] == {"title": "It changed."}
    app.bodies = [{"response_action": "update", "view": {**VIEW, "callback_id": "done", "blocks": [ACTIONS]}}]
    act(simulator, "submissions", view=view["id"])
    assert state(simulator)["modals"][0]["view"]["callback_id"] == "done"
    app.bodies = [{"response_action": "errors", "errors": {"gone": "No such block"}}]
    assert act(simulator, "submissions", view=view["id"])[1]["error"].startswith("We had some trouble")


def test_trigger_opens_one_modal_within_three_seconds(simulator, slack, app, clock):
    opened(simulator, slack, app)
    used = payload(app)["trigger_id"]
    assert expect_refusal(lambda: slack.views_open(trigger_id=used, view=VIEW)) == "exchanged_trigger_id"
    assert expect_refusal(lambda: slack.views_open(trigger_id="1.2.x", view=VIEW)) == "invalid_trigger_id"
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    clock.now += 3 * SECOND + 1
    late = payload(app)["trigger_id"]
    assert expect_refusal(lambda: slack.views_open(trigger_id=late, view=VIEW)) == "expired_trigger_id"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"title": {"type": "plain_text", "text": "x" * 25}}, "invalid_arguments"),
        ({"title": {"type": "mrkdwn", "text": "x"}}, "invalid_arguments"),
        ({"submit": {"type": "plain_text", "text": "x" * 25}}, "invalid_arguments"),
        ({"close": {"type": "plain_text", "text": "x" * 25}}, "invalid_arguments"),
        ({"private_metadata": "x" * 3001}, "invalid_arguments"),
        ({"callback_id": "x" * 256}, "invalid_arguments"),
        ({"blocks": []}, "invalid_arguments"),
        ({"blocks": [INPUT, INPUT]}, "invalid_arguments"),
        ({"blocks": [{"type": "divider"}] * 101}, "invalid_arguments"),
        ({"type": "dialog"}, "invalid_arguments"),
        ({"blocks": [{**INPUT, "element": {"type": "plain_text_input", "max_length": 3001}}]}, "invalid_arguments"),
        ({"blocks": [{**INPUT, "label": {"type": "mrkdwn", "text": "x"}}]}, "invalid_arguments"),
        ({"blocks": [{**INPUT, "element": {"type": "static_select", "options": []}}]}, "invalid_arguments"),
        ({"private_metadata": "x" * 250_001}, "view_too_large"),
    ],
)
def test_modals_have_slack_s_limits(simulator, slack, app, change, error):
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    trigger = payload(app)["trigger_id"]
    assert expect_refusal(lambda: slack.views_open(trigger_id=trigger, view={**VIEW, **change})) == error
    slack.views_open(trigger_id=trigger, view=VIEW)


def test_modal_without_submit_must_not_have_inputs(simulator, slack, app):
    view = {key: value for key, value in VIEW.items() if key != "submit"}
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    trigger = payload(app)["trigger_id"]
    assert expect_refusal(lambda: slack.views_open(trigger_id=trigger, view=view)) == "invalid_arguments"


def test_modal_is_updated_only_by_its_hash(simulator, slack, app):
    view = opened(simulator, slack, app)
    assert expect_refusal(lambda: slack.views_update(view_id=view["id"], hash="old", view=VIEW)) == "hash_conflict"
    slack.views_update(view_id=view["id"], hash=view["hash"], view={**VIEW, "callback_id": "second"})
    assert state(simulator)["modals"][0]["view"]["callback_id"] == "second"
    assert expect_refusal(lambda: slack.views_update(view_id="V0", view=VIEW)) == "not_found"


@pytest.mark.parametrize(
    ("element", "fits"),
    [
        ({}, True),
        ({"value": "x" * 2001}, False),
        ({"action_id": "x" * 256}, False),
        ({"style": "danger"}, True),
        ({"style": "calm"}, False),
        ({"text": {"type": "plain_text", "text": "x" * 76}}, False),
        ({"text": {"type": "mrkdwn", "text": "x"}}, False),
        ({"url": "https://" + "x" * 3000}, False),
        ({"type": "slider"}, False),
    ],
)
def test_buttons_have_slack_s_limits(slack, element, fits):
    block = {"type": "actions", "elements": [{**BUTTON, **element}]}
    if fits:
        post(slack, block)
    else:
        assert expect_refusal(lambda: post(slack, block)) == "invalid_blocks"


def test_action_ids_and_block_ids_are_unique(slack):
    assert expect_refusal(lambda: post(slack, {"type": "actions", "elements": [BUTTON, BUTTON]})) == "invalid_blocks"
    assert expect_refusal(lambda: post(slack, ACTIONS, ACTIONS)) == "invalid_blocks"
    assert expect_refusal(lambda: post(slack, {"type": "actions", "elements": []})) == "invalid_blocks"


def test_response_url_allows_five_uses_in_30_minutes(simulator, slack, app, clock):
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    url = payload(app)["response_url"]
    assert harness.ask(url, {"text": "for you"}) == (200, "ok")
    assert harness.ask(url, {"text": "for all", "response_type": "in_channel"}) == (200, "ok")
    assert harness.ask(url, {"text": "replaced", "replace_original": True}) == (200, "ok")
    assert harness.ask(url, {}) == (400, {"ok": False, "error": "no_text"})
    shown = state(simulator)
    assert [(one["text"], one["user"]) for one in shown["ephemerals"]] == [("for you", "U0ADA")]
    assert [incident["text"] for incident in shown["incidents"]] == ["replaced", "for all"]
    assert harness.ask(url, {"delete_original": True}) == (200, "ok")
    assert [incident["text"] for incident in state(simulator)["incidents"]] == ["for all"]
    assert harness.ask(url, {"text": "again"}) == (404, {"ok": False, "error": "used_url"})
    message = post(slack)
    act(simulator, "clicks", channel="incidents", ts=message["ts"], action="approve")
    clock.now += 30 * 60 * SECOND + 1
    assert harness.ask(payload(app)["response_url"], {"text": "late"}) == (404, {"ok": False, "error": "expired_url"})


def test_command_response_reaches_one_user_or_all(simulator, app):
    app.bodies = [{"text": "None is open."}]
    act(simulator, "commands", command="/incidents", text="open", user="U0BOB")
    assert (app.forms[-1]["command"], app.forms[-1]["text"]) == ("/incidents", "open")
    assert [(message["text"], message["user"]) for message in state(simulator)["ephemerals"]] == [
        ("None is open.", "U0BOB")
    ]
    app.bodies = [{"text": "Frozen.", "response_type": "in_channel"}]
    act(simulator, "commands", command="/freeze", text="drill")
    assert [incident["text"] for incident in state(simulator)["incidents"]] == ["Frozen."]


def test_users_and_groups_require_form_encoding(simulator, slack):
    assert slack.usergroups_users_list(usergroup="S0ONCALL")["users"] == ["U0ADA", "U0BOB"]
    assert slack.users_info(user="U0ADA")["user"]["real_name"] == "Ada Lovelace"
    assert slack.users_info(user="U0GONE")["user"]["deleted"] is True
    assert expect_refusal(lambda: slack.users_info(user="U404")) == "user_not_found"
    assert expect_refusal(lambda: slack.usergroups_users_list(usergroup="S404")) == "no_such_subteam"
    assert (
        expect_refusal(lambda: slack.api_call("usergroups.users.list", json={"usergroup": "S0ONCALL"}))
        == "missing_argument"
    )


def test_ephemeral_message_reaches_members_only(simulator, slack):
    slack.chat_postEphemeral(channel="incidents", user="U0ADA", text="for you")
    assert (
        expect_refusal(lambda: slack.chat_postEphemeral(channel="incidents", user="U0OUT", text="x"))
        == "user_not_in_channel"
    )
    assert (
        expect_refusal(lambda: slack.chat_postEphemeral(channel="gone", user="U0ADA", text="x")) == "channel_not_found"
    )
    [shown] = state(simulator)["ephemerals"]
    click = {"channel": shown["channel"], "ts": shown["ts"]}
    assert expect_refusal(lambda: slack.chat_update(**click, text="x")) == "message_not_found"


def test_ephemeral_button_is_clicked_without_a_message(simulator, slack, app):
    slack.chat_postEphemeral(channel="incidents", user="U0ADA", text="for you", blocks=[ACTIONS])
    [shown] = state(simulator)["ephemerals"]
    assert act(simulator, "clicks", channel="incidents", ts=shown["ts"], action="approve", user="U0BOB")[0] == 422
    act(simulator, "clicks", channel="incidents", ts=shown["ts"], action="approve")
    assert payload(app)["container"]["is_ephemeral"] is True
    assert "message" not in payload(app)


def test_tier_limits_are_per_method_and_minute(slack, clock):
    for _ in range(20):
        slack.usergroups_users_list(usergroup="S0ONCALL")
    with pytest.raises(errors.SlackApiError) as raised:
        slack.usergroups_users_list(usergroup="S0ONCALL")
    assert raised.value.response.status_code == 429
    assert raised.value.response["error"] == "ratelimited"
    assert int(raised.value.response.headers["Retry-After"]) == 61
    slack.users_info(user="U0ADA")
    clock.now += 61 * SECOND
    slack.usergroups_users_list(usergroup="S0ONCALL")


def test_injected_429_has_retry_after(simulator, slack):
    harness.ask(f"{simulator.url}/faults", {"vendor": "slack", "action": "429", "retry_after": 7})
    with pytest.raises(errors.SlackApiError) as raised:
        slack.users_info(user="U0ADA")
    assert raised.value.response.headers["Retry-After"] == "7"


def test_page_shows_messages_buttons_and_modals(simulator, slack, app):
    post(slack, ACTIONS, {"type": "section", "text": {"type": "mrkdwn", "text": "<script>"}})
    opened(simulator, slack, app)
    page = harness.ask(f"{simulator.url}/workspace?as=U0ADA")[1]
    assert "<button>Approve</button>" in page
    assert "&lt;script&gt;" in page
    assert 'name="values.title"' in page
    assert 'http-equiv="refresh"' not in page
    assert 'http-equiv="refresh"' in harness.ask(f"{simulator.url}/workspace?as=U0BOB")[1]
