"""Reviewers decide in Slack: a router as a real process, connected by Socket Mode to a simulated workspace."""

import pytest

from tests.end_to_end import harness, slack


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slack")
    with harness.vendors() as at, harness.router(folder, slack.configure(folder, at), **slack.TOKENS) as router:
        harness.eventually("the router is connected", lambda: f"{slack.METRIC} 1.0" in router.metrics())
        yield router, at


def test_click_on_approve_publishes_the_reviewed_text(scene):
    review = slack.Review(scene, "Oslo")
    assert review.has_buttons()
    assert review.post is None
    review.click("Approve")
    harness.eventually("the post is published", lambda: review.post)
    harness.eventually("the message shows the decision", review.is_decided)
    assert "Approved by slack:U0ADA (ada)" in str(review.message["blocks"])


def test_click_without_a_role_publishes_nothing(scene):
    review = slack.Review(scene, "Bern")
    review.click("Approve", user="U0EVE")
    harness.eventually("the user gets the reply", lambda: review.replies("U0EVE", "may not"))
    assert review.post is None
    assert review.has_buttons()


def test_edited_text_is_published(scene):
    review = slack.Review(scene, "Rome")
    review.click("Edit")
    modal = harness.eventually("a form opens", lambda: review.at.state()["slack"]["modals"])[0]
    fields = {block["block_id"] for block in modal["view"]["blocks"] if block["type"] == "input"}
    title = next(field for field in fields if field.startswith("title"))
    body = {"view": modal["id"], "values": {title: "Payments fail in Rome"}}
    assert harness.ask(f"{review.at.url}/workspace/submissions", body)[1]["error"] == ""
    harness.eventually("the post is published", lambda: review.post)
    assert review.post["name"] == "Payments fail in Rome"
    harness.eventually("the message shows the decision", review.is_decided)
    assert "Approved" in str(review.at.state()["slack"]["modals"])


def test_click_after_a_disconnect_reaches_the_next_connection(scene):
    review = slack.Review(scene, "Kyiv")
    connections = f"{review.at.url}/workspace/connections"
    assert harness.ask(connections, {"action": "disconnect", "reason": "warning", "closes": True})[0] == 201
    harness.eventually("the router is connected", lambda: review.at.state()["slack"]["connections"] == 1)
    review.click("Dismiss", user="U0BOB")
    harness.eventually("the message shows the decision", review.is_decided)
    assert "Dismissed by slack:U0BOB (bob)" in str(review.message["blocks"])
    assert review.post is None


def test_repeated_click_decides_once(scene):
    review = slack.Review(scene, "Lima")
    assert harness.ask(f"{review.at.url}/workspace/connections", {"action": "twice"})[0] == 201
    before = len(review.replies("U0ADA"))
    review.click("Approve")
    harness.eventually("the post is published", lambda: review.post)
    harness.eventually("the message shows the decision", review.is_decided)
    assert len(review.replies("U0ADA")) == before + 1


def test_command_lists_waiting_reviews(scene):
    review = slack.Review(scene, "Cork")
    body = {"command": "/incidents", "user": "U0BOB"}
    status, outcome = harness.ask(f"{review.at.url}/workspace/commands", body)
    assert (status, outcome["error"]) == (200, "")
    assert "Cork" in str(outcome["response"]["blocks"])


def test_click_on_a_changed_post_publishes_nothing(scene):
    """The channel's message is updated at intervals. Until then, its button carries the version that it shows."""
    review = slack.Review(scene, "Nice")
    review.router.send_alert(dedup_key="Nice", labels={"shop": "Nice", "severity": "critical"})
    shown = 'checkout-down{labels.shop="Nice"}'
    changed = lambda: "critical" in review.router.command("incidents", "show", shown).stdout  # noqa: E731
    harness.eventually("the post has changed", changed, every=0.5)
    review.click("Approve", version=0)
    reply = harness.eventually("the user gets the reply", lambda: review.replies("U0ADA", "changed"))[0]
    assert review.post is None
    # The reply shows the new version with separate buttons.
    review.click("Approve", ts=reply["ts"])
    harness.eventually("the post is published", lambda: review.post)


def test_log_contains_no_slack_secrets(scene):
    router, _ = scene
    for secret in (*slack.TOKENS.values(), "/respond/", "ticket="):
        assert secret not in router.process.output
    assert "slack_connected" in router.process.output
