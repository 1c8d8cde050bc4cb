"""A router with a Slack app in a simulated workspace, and what reviewers do with one pending review."""

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


def configure(folder, at):
    """Write a configuration with a Slack app, and return the file."""
    file = harness.configure(folder, at, rules=RULES)
    file.write_text(file.read_text() + SLACK.format(url=at.url))
    return file


class Review:
    """The pending review of one shop, and the actions of users in Slack."""

    def __init__(self, scene, shop):
        self.router, self.at = scene
        self.shop = shop
        self.router.send_alert(dedup_key=shop, labels={"shop": shop})
        self.ts = harness.eventually(
            "the review is in the channel", lambda: [message["ts"] for message in self._messages()]
        )[0]

    def _messages(self):
        shown = self.at.state()["slack"]["status-approvals"]
        return [message for message in shown if f"fails in {self.shop}" in message["text"] and not message["thread_ts"]]

    @property
    def message(self):
        return self._messages()[0]

    @property
    def post(self):
        posts = self.at.state()["incident-io"]["status_page_incidents"]
        return next((post for post in posts if self.shop in post["name"]), None)

    def click(self, action, **more):
        body = {"channel": "status-approvals", "ts": self.ts, "action": action, **more}
        status, outcome = harness.ask(f"{self.at.url}/workspace/clicks", body)
        assert status == 200, outcome
        assert outcome["error"] == ""

    def has_buttons(self):
        return any(block["type"] == "actions" for block in self.message["blocks"])

    def replies(self, user, word=""):
        """Return the ephemeral messages of this user that contain a word."""
        shown = self.at.state()["slack"]["ephemerals"]
        return [message for message in shown if message["user"] == user and word in message["text"]]

    def is_decided(self):
        return not self.has_buttons()
