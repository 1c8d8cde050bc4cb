"""A Slack channel shows who has acknowledged an incident and who has taken a review, and reminds operators."""

import msgspec
import pytest

from router.domain import decisions
from router.worker import acknowledgements, review_takes
from tests.integration import workers
from tests.integration.test_slack_notifier import get_block_text, make_review_response, play, simulator  # noqa: F401 - fixtures


def make_acknowledgements(worker) -> acknowledgements.Acknowledgements:
    return acknowledgements.Acknowledgements(worker.on.store, workers.factories.clock)


def make_reminding_response() -> decisions.Response:
    return msgspec.structs.replace(workers.rule(), reminders=decisions.Reminders(300_000))


def test_channel_shows_who_acknowledged_and_the_withdrawal(play):  # noqa: F811 - the fixture
    async def body(worker, channel):
        await worker.on.deliver(workers.firing())
        await worker.turn()
        await make_acknowledgements(worker).acknowledge("down", acknowledgements.OperatorRequest("ann <b>", "on it"))
        await worker.turn()
        assert "*Acknowledged* by ann &lt;b&gt; at <!date^" in get_block_text(channel.messages[0])
        assert channel.replies == ["• :raised_hand: Acknowledged by ann &lt;b&gt;: on it"]
        await make_acknowledgements(worker).withdraw("down", acknowledgements.OperatorRequest("bob"))
        await worker.turn()
        assert "Acknowledged" not in get_block_text(channel.messages[0])
        assert channel.replies[1:] == ["• The acknowledgement was withdrawn by bob"]

    play(body)


def test_acknowledgement_stops_reminders(play):  # noqa: F811 - the fixture
    async def body(worker, channel):
        await worker.on.deliver(workers.firing(), response=make_reminding_response())
        await worker.turn()
        await worker.wait_until(lambda: channel.replies)
        assert channel.replies[0] == ":bell: Still open, for 0 minutes, and not acknowledged"
        await make_acknowledgements(worker).acknowledge("down", acknowledgements.OperatorRequest("ann"))
        await worker.turn()
        reminded = [text for text in channel.replies if "Still open" in text]
        assert channel.replies[-1].endswith("Acknowledged by ann")
        await worker.turn()
        assert [text for text in channel.replies if "Still open" in text] == reminded

    play(body)


@pytest.mark.parametrize("released", [True, False])
def test_review_shows_its_holder(play, released):  # noqa: F811 - the fixture
    async def body(worker, channel):
        await worker.on.deliver(workers.firing(), response=make_review_response(deadline=workers.HOUR))
        await worker.turn()
        takes = review_takes.Takes(worker.on.store, workers.factories.clock)
        incident = await worker.on.incident("down")
        name = f"{incident.episode}/page"
        await takes.take("down", name, "ann", 3600 if released else 1)
        await worker.turn()
        [review] = [message for message in channel.messages if "waits for a reviewer" in message["text"]]
        assert "ann works on this review until <!date^" in get_block_text(review)
        if released:
            await takes.release("down", name, "bob")
            await worker.turn()
        await worker.wait_until(lambda: "works on it" not in get_block_text(channel.messages[0]))
        [review] = channel.messages
        assert "works on it" not in get_block_text(review)

    play(body, topics={"reviews": ("hook",)})
