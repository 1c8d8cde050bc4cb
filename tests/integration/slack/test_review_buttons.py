"""A click in Slack decides on exactly the version that its message showed, by the same actions as the console."""

import asyncio

import pytest

from router.notifiers import slack_reviews
from tests.integration import consoles
from tests.integration.slack_apps import ADA, BOB, EVE

APPROVE, EDIT, DISMISS, OPEN = slack_reviews.APPROVE, slack_reviews.EDIT, slack_reviews.DISMISS, slack_reviews.OPEN


async def state(at) -> str:
    """Return the message of the open post on the page, if there is one."""
    await at.management.on.turn()
    posts = await at.management.parts.queries.posts("page")
    return posts[0].message if posts else ""


def test_approval_publishes_the_shown_version(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        answer = await at.act(at.click(APPROVE, await at.subject()))
        assert (answer.status_code, answer.content) == (200, b"")
        assert at.text.startswith(":white_check_mark: Approved")
        assert at.workspace.replies[-1]["response_type"] == "ephemeral"
        assert at.workspace.replies[-1]["replace_original"] is False
        assert await at.audit() == [("slack:U0ADA (ada)", "review", "done")]
        assert await state(at) == "We are investigating."
        incident = await at.management.parts.queries.incident(consoles.key())
        assert "Approved at page by slack:U0ADA (ada)" in [event.text for event in incident.timeline]

    slack(body)


def test_dismissal_publishes_nothing(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        await at.act(at.click(DISMISS, await at.subject()))
        assert "Dismissed" in at.text
        assert await at.audit() == [("slack:U0ADA (ada)", "review", "done")]
        assert await state(at) == ""

    slack(body)


def test_click_on_an_earlier_version_shows_new_one(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        earlier = await at.subject()
        await at.management.deliver(consoles.firing(severity="critical"))
        assert (await at.subject()).digest != earlier.digest
        for action in (APPROVE, DISMISS, EDIT):
            await at.act(at.click(action, earlier))
            assert "changed since" in at.text
            assert at.workspace.calls == []
        assert [what for _, what, outcome in await at.audit() if outcome.startswith("refused")] == [
            "edit review",
            "review",
            "review",
        ]
        assert await state(at) == ""
        shown = str(at.workspace.replies[-1]["blocks"])
        assert (await at.subject()).value in shown
        assert earlier.value not in shown
        # The reply has buttons for the version that it shows. The next reply takes its place.
        await at.act(at.click(APPROVE, await at.subject(), is_ephemeral=True))
        assert at.workspace.replies[-1]["replace_original"] is True
        assert await state(at) == "We are investigating."

    slack(body)


def test_second_decision_names_the_first_reviewer(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        subject = await at.subject()
        await at.act(at.click(APPROVE, subject, ADA))
        await at.act(at.click(DISMISS, subject, BOB))
        assert "slack:U0ADA (ada) decided first" in at.text
        assert await state(at) == "We are investigating."

    slack(body)


def test_second_click_names_the_own_decision(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        subject = await at.subject()
        await at.act(at.click(APPROVE, subject))
        await at.act(at.click(APPROVE, subject))
        assert "You have already decided on this review" in at.text

    slack(body)


def test_repeated_click_after_a_crash_is_handled(slack):
    """The process that received the click died before the decision. Slack sends the click again after 3 seconds."""

    async def body(at):
        await at.management.deliver(consoles.firing())
        click = at.click(APPROVE, await at.subject())
        assert await at.management.store.slack_requests.begin("interactive", click) == (True, None)
        [name] = [key async for key in at.management.store.redis.scan_iter("ir:{access}:slack:*")]
        assert 0 < await at.management.store.redis.pttl(name) < 3000
        await at.act(click)
        assert await state(at) == ""
        await at.management.store.redis.delete(name)
        await at.act(click)
        assert await state(at) == "We are investigating."

    slack(body)


def test_concurrent_clicks_give_one_decision(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        subject = await at.subject()
        await asyncio.gather(at.act(at.click(APPROVE, subject, ADA)), at.act(at.click(DISMISS, subject, BOB)))
        outcomes = sorted(outcome.split(":")[0] for _, _, outcome in await at.audit())
        assert outcomes == ["done", "refused"]

    slack(body)


def test_click_after_a_console_decision_changes_nothing(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        subject = await at.subject()
        client = await at.management.client_for("responder", name="carol")
        said = {"incident": consoles.key(), "destination": "page", "decision": "dismiss", "seen": subject.digest}
        assert (await client.post("/api/v1/review", json=said)).status_code == 200
        await at.act(at.click(APPROVE, subject))
        assert "carol decided first" in at.text
        assert await state(at) == ""

    slack(body)


def test_click_on_an_ended_episode_changes_nothing(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        earlier = await at.subject()
        await at.management.deliver(consoles.resolved())
        await at.act(at.click(APPROVE, earlier))
        assert "No review is pending there any longer" in at.text
        assert await state(at) == ""

    slack(body)


@pytest.mark.parametrize("action", [APPROVE, EDIT, DISMISS])
def test_user_without_a_role_is_refused_with_reason(slack, action):
    async def body(at):
        await at.management.deliver(consoles.firing())
        await at.act(at.click(action, await at.subject(), EVE))
        assert "You may not do this: this needs the role responder, and you have none" in at.text
        assert await at.audit() == [
            ("slack:U0EVE (eve)", "slack", "refused: this needs the role responder, and you have none")
        ]
        assert at.workspace.calls == []
        assert await state(at) == ""

    slack(body)


def test_viewer_opens_and_does_not_decide(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        await at.act(at.click(APPROVE, await at.subject(), EVE))
        assert "yours is viewer" in at.text
        await at.act(at.click(OPEN, await at.subject(), EVE))
        assert await at.audit(1) == [("slack:U0EVE (eve)", "open review", "done")]

    slack(body, viewers=[EVE])


def test_user_of_another_workspace_is_refused(slack):
    """A user of another organization sees the message in a shared channel."""

    async def body(at):
        await at.management.deliver(consoles.firing())
        await at.act(at.click(APPROVE, await at.subject()))
        assert "only users of the workspace T0OTHER" in at.text
        assert await state(at) == ""

    slack(body, team="T0OTHER")


@pytest.mark.parametrize("value", ["", "{}", "[]", '["a"]', '["a","b",3]', "\u0000", "x" * 2000])
def test_unknown_button_value_is_ignored(slack, value):
    async def body(at):
        await at.management.deliver(consoles.firing())
        click = at.click(APPROVE, await at.subject())
        click["actions"][0]["value"] = value
        assert (await at.act(click)).status_code == 200
        assert at.workspace.replies == []
        assert await at.audit() == []

    slack(body)


def test_payload_of_another_shape_is_ignored(slack):
    async def body(at):
        for payload in ({"type": "block_actions"}, {"type": "block_actions", "user": {"id": "U1"}, "actions": []}):
            assert (await at.act(payload)).status_code == 200
        assert at.workspace.replies == []

    slack(body)


def test_reply_goes_only_to_slack(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        click = at.click(APPROVE, await at.subject())
        for url in ("http://127.0.0.1:1/respond", "https://hooks.slack.com.evil.example/x", "file:///etc/passwd", ""):
            await at.act({**click, "response_url": url})
        assert at.workspace.replies == []
        assert await state(at) == "We are investigating."

    slack(body)
