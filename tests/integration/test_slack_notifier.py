"""A Slack channel shows the current state of each incident and each review once, despite errors of Slack."""

import pytest
from slack_sdk.models import blocks as sdk

from router.domain import decisions
from router.notifiers import registry
from router.store import keys
from tests.end_to_end import harness
from tests.integration import notifiers, vendor, workers

PAGE_FIELDS = {"title": "Checkout <fails>", "message": "We are on it & sorry.", "components": ["Checkout API"]}
POST = "/api/chat.postMessage"


class Channel:
    """The messages of a channel at the simulated Slack."""

    def __init__(self, at: harness.Vendors) -> None:
        self.at = at

    @property
    def messages(self) -> list[dict]:
        return self.at.state()["slack"]["incidents"]

    @property
    def texts(self) -> list[str]:
        return [message["text"] for message in self.messages if not message["thread_ts"]]

    @property
    def replies(self) -> list[str]:
        return [message["text"] for message in self.messages if message["thread_ts"]]


@pytest.fixture(scope="module")
def simulator():
    with harness.vendors() as at:
        yield at


@pytest.fixture
def play(with_redis, simulator):
    """Run a coroutine function with a worker that notifies a channel, the channel, and the page's vendor."""

    def run(body, *, topics=None, **settings):
        harness.ask(f"{simulator.url}/reset", {})
        harness.ask(f"{simulator.url}/faults", method="DELETE")
        page = vendor.Vendor()
        places = vendor.place("page", page, public=True), vendor.on_call(vendor.Vendor())

        async def main(store):
            given = {"token": "xoxb-1", "channel": "#incidents", "base_url": f"{simulator.url}/slack/api", **settings}
            configs = {"hook": registry.KINDS["slack"].config(**given)}
            async with notifiers.run_harness(store, *places, configs=configs, topics=topics) as worker:
                await body(worker, Channel(simulator))

        with_redis(main)

    return run


def make_review_response(publish="review", **more) -> decisions.Response:
    return workers.rule(
        decisions.Target("on-call", {"name": "Down"}), decisions.Target("page", PAGE_FIELDS, publish, **more)
    )


def get_block_text(message: dict) -> str:
    return str(message["blocks"])


def test_incident_has_one_message_that_is_updated(play):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing(), response=make_review_response("auto"))
        await worker.turn()
        [opened] = channel.texts
        assert opened.startswith("Open, major: f1 is down (IR-")
        assert "page" in get_block_text(channel.messages[0])
        await worker.on.deliver(workers.resolved())
        await worker.turn()
        [resolved] = channel.texts
        assert resolved.startswith("Resolved: f1 is down")
        assert channel.replies == ["• Resolved: f1 is down"]
        assert channel.messages[0]["edits"] == 1
        await worker.turn()
        assert len(channel.messages) == 2

    play(body)


def test_review_message_shows_exact_text_and_outcome(play):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing(), response=make_review_response(deadline=workers.HOUR))
        await worker.turn()
        [waiting] = channel.messages
        plain = [
            block["text"]["text"] for block in waiting["blocks"] if block.get("text", {}).get("type") == "plain_text"
        ]
        assert plain == [PAGE_FIELDS["title"], PAGE_FIELDS["message"]]
        assert "Without a decision it is dismissed at" in get_block_text(waiting)
        await worker.on.deliver(workers.resolved())
        await worker.turn()
        [decided] = channel.messages
        assert decided["text"].startswith("Withdrawn")
        assert decided["edits"] == 1

    play(body, topics={"reviews": ("hook",)})


def test_each_episode_has_a_separate_message(play):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing())
        await worker.turn()
        await worker.on.deliver(workers.resolved())
        await worker.on.turn()
        await worker.on.deliver(workers.firing(starts_at=2000))
        await worker.turn()
        assert [text.split(":")[0] for text in channel.texts] == ["Resolved", "Open, major"]

    play(body)


def test_deleted_message_is_posted_again(play, simulator):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing())
        await worker.turn()
        harness.ask(f"{simulator.url}/reset", {})
        await worker.on.deliver(workers.resolved())
        await worker.turn()
        assert [text.split(":")[0] for text in channel.texts] == ["Resolved"]

    play(body)


@pytest.mark.parametrize("action", ["429", "500", "drop"])
def test_failed_call_is_retried(play, simulator, action):
    async def body(worker, channel):
        simulator.fault(vendor="slack", action=action, method="POST", path=POST, retry_after=0)
        await worker.on.deliver(workers.firing())
        await worker.wait_until(lambda: channel.texts)
        await worker.on.deliver(workers.resolved())
        await worker.wait_until(lambda: channel.replies)
        assert [text.split(":")[0] for text in channel.texts] == ["Resolved"]

    play(body)


def test_completed_calls_are_not_repeated_after_a_failure(play, simulator):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing(), response=make_review_response())
        await worker.on.turn()
        record = worker.on.notifications.record

        async def fail_next(*arguments):
            worker.on.notifications.record = record
            simulator.fault(vendor="slack", action="500", method="POST", path=POST)
            return await record(*arguments)

        worker.on.notifications.record = fail_next
        await worker.wait_until(lambda: len(channel.texts) == 2)
        await worker.turn()
        assert sorted(text.split()[0] for text in channel.texts) == ["A", "Open,"]
        assert len(simulator.calls("POST", POST, "slack")) == 3

    play(body)


def test_unknown_channel_is_retried_until_it_is_corrected(play):
    async def body(worker, channel):
        await worker.on.deliver(workers.firing())
        await worker.turn()
        assert channel.messages == []
        assert await worker.on.store.redis.zcard(keys.notify("down")) == 1

    play(body, channel="#gone")


def test_alert_text_cannot_mention_users(play):
    async def body(worker, channel):
        alert = workers.firing()
        hostile = alert.__class__(
            "am", "f1", "firing", 100, 0, title="<!channel> <https://evil.example|click> & more" + "x" * 5000
        )
        await worker.on.deliver(hostile)
        await worker.turn()
        [message] = channel.messages
        assert "<!channel>" not in get_block_text(message) + message["text"]
        assert "&lt;!channel&gt;" in message["text"]
        assert len(message["text"]) <= 3000

    play(body)


def test_slack_s_models_accept_every_message(play):
    async def body(worker, channel):
        long = {**PAGE_FIELDS, "message": "m" * 4096, "title": "t" * 200}
        await worker.on.deliver(
            workers.firing(), response=workers.rule(decisions.Target("page", long, deadline=workers.HOUR))
        )
        await worker.turn()
        await worker.on.deliver(workers.resolved())
        await worker.turn()
        assert len(channel.messages) >= 2
        for message in channel.messages:
            for block in message["blocks"]:
                parsed = sdk.Block.parse(block)
                parsed.validate_json()
                assert parsed.to_dict()["type"] == block["type"]

    play(body)


def test_reminder_is_a_reply_shown_in_the_channel(play):
    async def body(worker, channel):
        target = decisions.Target("page", PAGE_FIELDS, "review", remind_every=300_000)
        await worker.on.deliver(workers.firing(), response=workers.rule(target))
        await worker.turn()
        await worker.wait_until(lambda: channel.replies)
        assert channel.replies[0].startswith(":bell: Still waits at page")
        [review] = [message for message in channel.messages if not message["thread_ts"]]
        assert review["text"].startswith("A post waits for a reviewer")

    play(body, topics={"reviews": ("hook",)})
