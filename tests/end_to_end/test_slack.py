"""Reviewers decide in Slack: a router as a real process, connected by Socket Mode to a simulated workspace."""

import pytest

from tests.end_to_end import harness

SLACK = """
notifiers:
  approvals: {{kind: slack, token: {{env: SLACK_BOT_TOKEN}}, channel: "#status-approvals", base_url: {url}/slack/api}}
notify: {{reviews: [approvals]}}
slack_app:
  token: {{env: SLACK_BOT_TOKEN}}
  app_token: {{env: SLACK_APP_TOKEN}}
  base_url: {url}/slack/api
  responders: [S0ONCALL]
"""
TOKENS = {"SLACK_BOT_TOKEN": "xoxb-secret", "SLACK_APP_TOKEN": "xapp-secret"}
RULES = """
rules:
  - name: checkout-down
    when: {labels.service: checkout}
    group_by: [labels.shop]
    severity: {from: labels.severity, map: {critical: critical}, default: major}
    public: {alert.labels.shop: {values: [Oslo, Bern, Rome, Kyiv, Lima, Cork, Nice]}}
    open:
      - {at: public-page, publish: review, title: "Checkout fails in {{ alert.labels.shop }}", message: We are on it.,
         components: [Checkout API]}
"""
METRIC = "incident_router_slack_connected"


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    folder = tmp_path_factory.mktemp("slack")
    with harness.vendors() as at:
        file = harness.configure(folder, at, rules=RULES)
        file.write_text(file.read_text() + SLACK.format(url=at.url))
        with harness.router(folder, file, **TOKENS) as router:
            harness.eventually("it is connected", lambda: f"{METRIC} 1.0" in router.metrics())
            yield router, at


class Review:
    """One shop's waiting post, and what people do with it in Slack."""

    def __init__(self, scene, shop):
        self.router, self.at = scene
        self.shop = shop
        self.router.receives(dedup_key=shop, labels={"shop": shop})
        self.ts = harness.eventually("it is asked about", lambda: [one["ts"] for one in self._messages()])[0]

    def _messages(self):
        shown = self.at.state()["slack"]["status-approvals"]
        return [one for one in shown if f"fails in {self.shop}" in one["text"] and not one["thread_ts"]]

    @property
    def message(self):
        return self._messages()[0]

    @property
    def post(self):
        posts = self.at.state()["incident-io"]["status_page_incidents"]
        return next((one for one in posts if self.shop in one["name"]), None)

    def click(self, action, **more):
        body = {"channel": "status-approvals", "ts": self.ts, "action": action, **more}
        status, outcome = harness.ask(f"{self.at.url}/workspace/clicks", body)
        assert status == 200, outcome
        assert outcome["error"] == ""

    def has_buttons(self):
        return any(block["type"] == "actions" for block in self.message["blocks"])

    def replies(self, user, word=""):
        """The messages with a word that only this user sees."""
        shown = self.at.state()["slack"]["ephemerals"]
        return [one for one in shown if one["user"] == user and word in one["text"]]

    def is_decided(self):
        return not self.has_buttons()


def test_click_publishes_what_was_reviewed(scene):
    review = Review(scene, "Oslo")
    assert review.has_buttons()
    assert review.post is None
    review.click("Approve")
    harness.eventually("it is published", lambda: review.post)
    harness.eventually("the message shows the decision", review.is_decided)
    assert "Approved by slack:U0ADA (ada)" in str(review.message["blocks"])


def test_click_without_a_role_publishes_nothing(scene):
    review = Review(scene, "Bern")
    review.click("Approve", user="U0EVE")
    harness.eventually("the user sees it", lambda: review.replies("U0EVE", "may not"))
    assert review.post is None
    assert review.has_buttons()


def test_edited_text_is_published(scene):
    review = Review(scene, "Rome")
    review.click("Edit")
    modal = harness.eventually("a form opens", lambda: review.at.state()["slack"]["modals"])[0]
    fields = {one["block_id"] for one in modal["view"]["blocks"] if one["type"] == "input"}
    title = next(one for one in fields if one.startswith("title"))
    body = {"view": modal["id"], "values": {title: "Payments fail in Rome"}}
    assert harness.ask(f"{review.at.url}/workspace/submissions", body)[1]["error"] == ""
    harness.eventually("it is published", lambda: review.post)
    assert review.post["name"] == "Payments fail in Rome"
    harness.eventually("the message shows the decision", review.is_decided)
    assert "it is published now" in str(review.at.state()["slack"]["modals"])


def test_click_after_a_disconnect_reaches_the_next_connection(scene):
    review = Review(scene, "Kyiv")
    connections = f"{review.at.url}/workspace/connections"
    assert harness.ask(connections, {"action": "disconnect", "reason": "warning", "closes": True})[0] == 201
    harness.eventually("it is connected", lambda: review.at.state()["slack"]["connections"] == 1)
    review.click("Dismiss", user="U0BOB")
    harness.eventually("the message shows the decision", review.is_decided)
    assert "Dismissed by slack:U0BOB (bob)" in str(review.message["blocks"])
    assert review.post is None


def test_click_that_slack_sends_twice_decides_once(scene):
    review = Review(scene, "Lima")
    assert harness.ask(f"{review.at.url}/workspace/connections", {"action": "twice"})[0] == 201
    before = len(review.replies("U0ADA"))
    review.click("Approve")
    harness.eventually("it is published", lambda: review.post)
    harness.eventually("the message shows the decision", review.is_decided)
    assert len(review.replies("U0ADA")) == before + 1


def test_command_lists_what_waits(scene):
    review = Review(scene, "Cork")
    body = {"command": "/incidents", "user": "U0BOB"}
    status, outcome = harness.ask(f"{review.at.url}/workspace/commands", body)
    assert (status, outcome["error"]) == (200, "")
    assert "Cork" in str(outcome["response"]["blocks"])


def test_click_on_a_changed_post_publishes_nothing(scene):
    """The channel's message is updated at intervals. Until then, its button carries the version that it shows."""
    review = Review(scene, "Nice")
    review.router.receives(dedup_key="Nice", labels={"shop": "Nice", "severity": "critical"})
    shown = 'checkout-down{labels.shop="Nice"}'
    changed = lambda: "critical" in review.router.command("incidents", "show", shown).stdout  # noqa: E731
    harness.eventually("the post has changed", changed, every=0.5)
    review.click("Approve", version=0)
    reply = harness.eventually("the user sees it", lambda: review.replies("U0ADA", "changed"))[0]
    assert review.post is None
    # The reply shows the new version, with buttons of its own.
    review.click("Approve", ts=reply["ts"])
    harness.eventually("it is published", lambda: review.post)
