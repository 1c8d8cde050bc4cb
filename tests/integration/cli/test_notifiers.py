"""A running router delivers events to a webhook, and ``notifiers`` lists, tests, and redelivers."""

import json

import pytest
import standardwebhooks

from tests.end_to_end import harness
from tests.integration import receiver

SECRET = "whsec_" + "A" * 43 + "="
TOKEN = "a-token-in-the-path"
SETTINGS = """
notifiers:
  status-team:
    kind: webhook
    url: {env: STATUS_HOOK_URL}
    secrets: [{env: STATUS_HOOK_SECRET}]
  on-duty:
    kind: apprise
    urls: [{env: ON_DUTY_URL}]
    quiet_hours: {time_zone: Europe/Zurich, from: "00:00", to: "23:59"}
notify:
  owners: {team-shop: [on-duty]}
  incidents: [status-team]
  reviews: [status-team]
  freezes: [status-team]
"""


@pytest.fixture(scope="module")
def hook():
    with receiver.run_receiver() as at:
        yield at


@pytest.fixture(scope="module")
def router(tmp_path_factory, hook):
    folder = tmp_path_factory.mktemp("router")
    with harness.vendors() as at:
        config = harness.configure(folder, at, publish="review")
        config.write_text(config.read_text() + SETTINGS)
        secrets = {
            "STATUS_HOOK_URL": f"{hook.url}/in",
            "STATUS_HOOK_SECRET": SECRET,
            "ON_DUTY_URL": f"{hook.url.replace('http', 'json', 1)}/{TOKEN}",
        }
        with pytest.MonkeyPatch.context() as patch:
            for name, value in secrets.items():
                patch.setenv(name, value)
            with harness.router(folder, config) as running:
                yield running


def filter_requests(hook, name):
    return [request for request in hook.requests if request.event.get("type") == f"incident-router.{name}"]


def test_incident_and_its_reviews_are_delivered(router, hook):
    router.send_alert()
    harness.eventually("the reviews are delivered", lambda: len(filter_requests(hook, "review.waiting")) == 2)
    [opened] = filter_requests(hook, "incident.opened")
    standardwebhooks.Webhook(SECRET).verify(opened.body, opened.headers)
    assert {request.event["data"]["review"]["destination"] for request in filter_requests(hook, "review.waiting")} == {
        "public-page",
        "devhelm-page",
    }


def test_freeze_names_the_operator(router, hook):
    assert router.command("publishing", "freeze", "--by", "ann", "--reason", "all hands").returncode == 0
    assert router.command("publishing", "unfreeze").returncode == 0
    [ended] = harness.eventually("the resolution is delivered", lambda: filter_requests(hook, "freeze.ended"))
    assert ended.event["data"]["by"]


def test_events_are_delivered_again_on_request(router, hook):
    harness.eventually("the incident is delivered", lambda: filter_requests(hook, "incident.opened"))
    key = filter_requests(hook, "incident.opened")[0].event["subject"]
    done = router.command("notifiers", "redeliver", "status-team", "--incident", key)
    assert done.returncode == 0, done.stderr
    both = harness.eventually("the event is redelivered", lambda: filter_requests(hook, "incident.opened")[1:])
    assert both[0].headers["webhook-id"] == filter_requests(hook, "incident.opened")[0].headers["webhook-id"]
    assert router.command("notifiers", "redeliver", "status-team", "--incident", "gone").returncode == 1
    assert 'did you mean "status-team"' in router.command("notifiers", "redeliver", "status-taem").stderr


def test_notifiers_are_listed(router):
    printed = router.command("notifiers", "list").stdout
    assert "status-team" in printed
    assert TOKEN not in printed
    hook, duty = json.loads(router.command("notifiers", "list", "--json").stdout)["items"]
    topics = ["incidents", "reviews", "freezes"]
    assert hook == {"name": "status-team", "kind": "webhook", "topics": topics, "owners": []}
    assert duty == {"name": "on-duty", "kind": "apprise", "topics": [], "owners": ["team-shop"]}


def test_test_event_reports_its_delivery_or_failure(router, hook):
    assert router.command("notifiers", "test", "status-team", "--by", "ann").stdout == "status-team: delivered\n"
    [test] = filter_requests(hook, "notifier.test")
    assert test.event["data"]["by"] == "ann"
    hook.answers = [403]
    refused = router.command("notifiers", "test", "status-team")
    assert (refused.returncode, "403" in refused.stderr) == (1, True)


def test_apprise_test_reveals_no_secret(router, hook):
    hook.answers = []
    count = len(hook.requests)
    done = router.command("notifiers", "test", "on-duty", "--by", "ann")
    assert (done.returncode, done.stdout, done.stderr) == (0, "on-duty: delivered\n", "")
    assert json.loads(hook.requests[count].body)["message"].endswith("(ann)")
    hook.answers = [401]
    refused = router.command("notifiers", "test", "on-duty")
    assert refused.returncode == 1
    assert "on-duty: URL 1 (json://):" in refused.stderr
    assert "error=401" in refused.stderr
    assert TOKEN not in refused.stderr
