"""Reviewers decide in a simulated Slack, whose messages have buttons and show every decision."""

import pytest

from tests.end_to_end import harness

RULES = """
rules:
  - name: down
    when: {source: json}
    group_by: [labels.service]
    severity: {from: labels.severity, map: {minor: minor, critical: critical}}
    open:
      - {at: devhelm-page, publish: review, title: Checkout is unavailable, message: We are investigating.,
         components: [Checkout API]}
"""
SLACK = """
notifiers:
  approvals: {{kind: slack, token: {{env: KEY}}, channel: "#status-approvals", base_url: {url}/slack/api}}
notify: {{reviews: [approvals]}}
slack_app:
  token: {{env: KEY}}
  signing_secret: {{env: KEY}}
  base_url: {url}/slack/api
  responders: [S0ONCALL]
management: {{port: 0}}
"""


class Channel:
    """A channel of the simulated Slack with the router's app."""

    def __init__(self, at: harness.Vendors, console: str) -> None:
        self.at = at
        self._console = console

    def configure(self, path: str = "actions") -> None:
        """Configure Slack to send user actions to one of the app's endpoints."""
        app = {"request_url": f"{self._console}/v1/slack/{path}", "signing_secret": harness.SECRETS["KEY"]}
        assert harness.ask(f"{self.at.url}/workspace/app", app, method="PUT")[0] == 200

    @property
    def messages(self) -> list[dict]:
        return self.at.state()["slack"]["status-approvals"]

    @property
    def replies(self) -> list[dict]:
        """Return the ephemeral messages, newest last."""
        return self.at.state()["slack"]["ephemerals"]

    def wait_for_message(self, words: str) -> dict:
        """Wait for a message whose current version has this text."""
        return self._eventually(lambda: self.messages, words)

    def wait_for_reply(self, words: str) -> dict:
        """Wait for a reply with this text."""
        return self._eventually(lambda: self.replies, words)

    def _eventually(self, ask, words: str) -> dict:
        def met() -> list[dict]:
            return [one for one in ask() if words in one["text"] + str(one["blocks"])]

        return harness.eventually(f"Slack says {words!r}", met)[-1]

    def click(self, message: dict, action: str, user: str = "U0ADA", **more: object) -> dict:
        """Click a button, and return the app's response to Slack."""
        said = {"channel": message["channel"], "ts": message["ts"], "action": action, "user": user, **more}
        status, outcome = harness.ask(f"{self.at.url}/workspace/clicks", said)
        assert status == 200, outcome
        return outcome


@pytest.fixture(scope="module")
def running_router(tmp_path_factory):
    """Run the router beside the simulated vendors and Slack."""
    folder = tmp_path_factory.mktemp("slack")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        file.write_text(file.read_text() + SLACK.format(url=at.url))
        with harness.router(folder, file) as router:
            console = router.process.wait_for_output(r'"console": "(http://127\.0\.0\.1:\d+)/"')[1]
            channel = Channel(at, console)
            channel.configure()
            yield router, channel


def fire(running, service: str, severity: str = "minor") -> None:
    running[0].send_alert(dedup_key=service, labels={"service": service, "severity": severity})


def list_buttons(message: dict) -> list[str]:
    return [
        one["text"]["text"] for block in message["blocks"] for one in block.get("elements", []) if "action_id" in one
    ]


def is_published(running, text: str) -> bool:
    return any(text in str(post) for post in running[1].at.posts())


def test_group_member_approves_a_review(running_router):
    channel = running_router[1]
    fire(running_router, "approved")
    message = channel.wait_for_message("waits for a reviewer")
    assert list_buttons(message) == ["Approve", "Edit", "Dismiss"]
    channel.click(message, "Approve", "U0EVE")
    channel.wait_for_reply("You may not do this")
    assert channel.click(message, "Approve") == {"attempts": 1, "response": None, "error": ""}
    decided = channel.wait_for_message("Approved by slack:U0ADA (ada)")
    assert decided["ts"] == message["ts"]
    assert list_buttons(decided) == []
    assert "Decided at" in str(decided)
    harness.eventually("the post is published", lambda: is_published(running_router, "We are investigating."))
    channel.wait_for_reply("Approved. The router publishes it now.")


def test_click_on_earlier_version_updates_the_message(running_router):
    """Changes alone are announced every 30 seconds. A click on an earlier version updates the message immediately."""
    channel = running_router[1]
    fire(running_router, "changed")
    message = channel.wait_for_message("waits for a reviewer")
    fire(running_router, "changed", "critical")
    harness.eventually(
        "the review has changed", lambda: "critical" in running_router[0].command("reviews", "list").stdout
    )
    channel.click(message, "Approve")
    reply = channel.wait_for_reply("has changed since")
    assert list_buttons(reply) == ["Approve", "Edit", "Dismiss"]
    updated = harness.eventually(
        "the message is updated", lambda: [m for m in channel.messages if m["ts"] == message["ts"] and m["edits"]], 25
    )[0]
    assert "severity critical" in str(updated)
    # An outdated client still shows the first version.
    channel.click(updated, "Dismiss", version=0)
    channel.click(reply, "Dismiss")
    assert list_buttons(channel.wait_for_message("Dismissed by slack:U0ADA (ada)")) == []


def test_text_edited_in_the_form_is_published(running_router):
    channel = running_router[1]
    fire(running_router, "edited")
    channel.click(channel.wait_for_message("waits for a reviewer"), "Edit", "U0BOB")
    [modal] = harness.eventually("a form is open", lambda: channel.at.state()["slack"]["modals"])
    block = next(one["block_id"] for one in modal["view"]["blocks"] if one.get("block_id", "").startswith("message:"))
    form = {"view": modal["id"], "values": {block: "Payments fail."}}
    status, outcome = harness.ask(f"{channel.at.url}/workspace/submissions", form)
    assert (status, outcome["error"]) == (200, ""), outcome
    channel.wait_for_message("Approved with changes by slack:U0BOB (bob)")
    harness.eventually("the post is published", lambda: is_published(running_router, "Payments fail."))


def test_decision_of_a_command_removes_the_buttons(running_router):
    channel = running_router[1]
    fire(running_router, "elsewhere")
    message = channel.wait_for_message("waits for a reviewer")
    done = running_router[0].command(
        "reviews", "dismiss", 'down{labels.service="elsewhere"}', "devhelm-page", "--by", "carol"
    )
    assert done.returncode == 0, done.stderr
    assert list_buttons(channel.wait_for_message("Dismissed by carol")) == []
    channel.click(message, "Approve", version=0)
    channel.wait_for_reply("carol decided first")


def test_slash_commands_list_and_freeze(running_router):
    channel = running_router[1]
    channel.configure("commands")
    for command, words in (
        ("/incidents", "Incidents: "),
        ("/freeze", "A reason is required"),
        ("/unfreeze", "is not frozen"),
    ):
        said = {"command": command, "text": "", "user": "U0ADA"}
        status, outcome = harness.ask(f"{channel.at.url}/workspace/commands", said)
        assert (status, outcome["error"]) == (200, ""), outcome
        channel.wait_for_reply(words)
    channel.configure()
