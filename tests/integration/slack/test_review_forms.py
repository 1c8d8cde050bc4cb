"""The form for editing a post: it opens in time, includes the version of the post, and shows errors at their fields."""

import asyncio

import pytest

from router.notifiers import slack_reviews
from router.slack import forms
from tests.integration import consoles
from tests.integration.slack_apps import ADA, BOB, EVE

EDIT, APPROVE = slack_reviews.EDIT, slack_reviews.APPROVE


async def opened(at, user=ADA) -> None:
    """Open an incident that waits for a review, and open the form."""
    await at.management.deliver(consoles.firing())
    await at.act(at.click(EDIT, await at.subject(), user))
    assert at.workspace.calls, at.workspace.replies


async def post(at):
    """Return the open post, if there is one."""
    await at.management.on.turn()
    posts = await at.management.parts.queries.posts("page")
    return posts[0] if posts else None


def list_inputs(view) -> dict[str, str]:
    """Return the shown text of each field."""
    found = [block for block in view["blocks"] if block["type"] == "input"]
    return {block["block_id"].partition(":")[0]: block["element"].get("initial_value", "") for block in found}


def test_form_opens_with_the_trigger_of_the_click(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        click = at.click(EDIT, await at.subject())
        await at.act(click)
        [(method, said)] = at.workspace.calls
        assert (method, said["trigger_id"]) == ("views.open", click["trigger_id"])
        assert list_inputs(said["view"]) == {
            "title": "Checkout is unavailable",
            "message": "We are investigating.",
            "reason": "",
        }
        assert at.workspace.replies == []
        assert await at.audit() == [("slack:U0ADA (ada)", "edit review", "form opened")]

    slack(body)


def test_own_text_is_published_with_the_reason(slack):
    async def body(at):
        await opened(at)
        answer = await at.act(at.submission({"message": "Payments fail.", "reason": "clearer"}))
        assert answer.json()["response_action"] == "update"
        assert "Approved" in str(answer.json()["view"])
        shown = await post(at)
        assert (shown.title, shown.message) == ("Checkout is unavailable", "Payments fail.")
        incident = await at.management.parts.queries.incident(consoles.key())
        assert "Approved at page by slack:U0ADA (ada): clearer" in [event.text for event in incident.timeline]

    slack(body)


def test_unchanged_form_approves_the_post_unchanged(slack):
    """Slack's client changes line breaks and removes trailing white space."""

    async def body(at):
        await opened(at)
        await at.act(at.submission({"message": "We are investigating.\n", "title": " Checkout is unavailable"}))
        assert (await post(at)).message == "We are investigating."
        incident = await at.management.parts.queries.incident(consoles.key())
        [given] = [event for event in incident.timeline if event.what == "verdict"]
        assert given.detail["fields"] == {}

    slack(body)


@pytest.mark.parametrize(
    ("texts", "errors"),
    [
        ({"title": " \u200b "}, {"title": "must not be blank"}),
        ({"title": None, "message": "\u2800"}, {"title": "must not be blank", "message": "must not be blank"}),
        ({"title": "x" * 2000}, {"title": "String should have at most"}),
    ],
)
def test_invalid_text_is_refused_at_its_field(slack, texts, errors):
    async def body(at):
        await opened(at)
        answer = (await at.act(at.submission(texts))).json()
        assert answer["response_action"] == "errors"
        said = {block.partition(":")[0]: text for block, text in answer["errors"].items()}
        assert said.keys() == errors.keys()
        assert all(said[name].startswith(text) for name, text in errors.items())
        assert set(answer["errors"]) <= {block.get("block_id") for block in at.workspace.view["blocks"]}
        assert await post(at) is None
        # The form is still open, and a corrected text is accepted.
        answer = await at.act(at.submission({"title": "Payments fail"}))
        assert "Approved" in answer.text
        assert (await post(at)).title == "Payments fail"

    slack(body)


def test_doubtful_text_is_published_with_a_warning(slack):
    async def body(at):
        await opened(at)
        answer = await at.act(at.submission({"message": "db-1.internal.example is away"}))
        assert "Check your text" in answer.text
        assert (await post(at)).message == "db-1.internal.example is away"

    slack(body)


def test_changed_review_is_shown_again(slack):
    async def body(at):
        await opened(at)
        first = at.workspace.view
        await at.management.deliver(consoles.firing(severity="critical"))
        answer = (await at.act(at.submission({"message": "Payments fail."}))).json()
        assert answer["response_action"] == "update"
        second = answer["view"]
        assert "has changed since the form was opened" in str(second)
        assert await post(at) is None
        # The reviewer's text is kept. The blocks have new IDs, because Slack would otherwise keep their content.
        assert list_inputs(second)["message"] == "Payments fail."
        old = {block["block_id"] for block in first["blocks"] if block["type"] == "input"}
        assert old.isdisjoint(block.get("block_id") for block in second["blocks"])
        assert second["private_metadata"] == (await at.subject()).value != first["private_metadata"]
        await at.act(at.submission({}, view=second))
        assert (await post(at)).message == "Payments fail."

    slack(body)


def test_decided_review_is_reported(slack):
    async def body(at):
        await opened(at)
        await at.act(at.click(APPROVE, await at.subject(), BOB))
        answer = await at.act(at.submission({"message": "Payments fail."}))
        assert answer.json()["response_action"] == "update"
        assert "slack:U0BOB (bob) decided first" in answer.text
        assert (await post(at)).message == "We are investigating."

    slack(body)


@pytest.mark.parametrize("error", ["expired_trigger_id", "exchanged_trigger_id", "invalid_trigger_id", "fatal_error"])
def test_form_that_slack_refuses_is_reported(slack, error):
    async def body(at):
        at.workspace.errors["views.open"] = error
        await opened(at)
        assert "did not open the form in time. Click again" in at.text
        at.workspace.errors.clear()
        await at.act(at.click(EDIT, await at.subject()))
        assert list_inputs(at.workspace.view)["title"] == "Checkout is unavailable"

    slack(body)


def test_submission_requires_the_role_at_that_time(slack):
    async def body(at):
        await opened(at)
        answer = await at.act(at.submission({}, EVE))
        assert "You may not do this" in answer.text
        assert await post(at) is None

    slack(body)


def test_slow_slack_does_not_delay_the_acknowledgement(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        at.workspace.held = asyncio.Event()
        at.management.slack._ack_seconds = 0.01
        answer = await at.management.slack.handle("interactive", at.click(EDIT, await at.subject()))
        assert answer is None
        at.workspace.held.set()
        await at.management.slack.finish()
        assert list_inputs(at.workspace.view)["title"] == "Checkout is unavailable"
        assert at.workspace.replies == []

    slack(body)


def test_late_result_of_a_form_is_announced(slack):
    async def body(at):
        await opened(at)
        at.management.slack._ack_seconds = 0
        answer = await at.management.slack.handle("interactive", at.submission({"message": "Payments fail."}))
        assert "still working on it" in str(answer)
        await at.management.slack.finish()
        assert (await post(at)).message == "Payments fail."

    slack(body)


def test_form_without_a_subject_is_ignored(slack):
    async def body(at):
        await opened(at)
        for wrong in ({"callback_id": "other"}, {"private_metadata": "{}"}, {"private_metadata": ""}):
            answer = await at.act(at.submission({}, view={**at.workspace.view, **wrong}))
            assert (answer.status_code, answer.content) == (200, b"")
        assert await post(at) is None

    slack(body)


def test_long_text_is_edited_in_the_console(slack):
    async def body(at):
        await at.management.deliver(consoles.firing())
        waiting = await at.management.parts.queries.review(consoles.key(), "page")
        assert forms.is_editable(waiting)
        long = "x" * 3500
        assert not forms.is_editable(waiting.model_copy(update={"fields": {**waiting.fields, "message": long}}))

    slack(body)
