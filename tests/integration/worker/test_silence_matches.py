"""A silence reports how many firing alerts it matches, and which of its labels are unknown."""

import msgspec
import pytest

from router.store import keys
from tests.integration import consoles

API = "/api/v1"


@pytest.fixture
def play(with_redis, tmp_path):
    def run(body):
        consoles.run(with_redis, tmp_path, body)

    return run


async def create_silence(at, client, *matchers: str):
    wanted = {"matchers": matchers, "comment": "upgrade"}
    made = await client.post(f"{API}/silences", json=wanted)
    assert made.status_code == 201, made.text
    document = made.json()
    return (
        document["matching"],
        document["unchecked"],
        {label["name"]: label["nearest"] for label in document["unknown_labels"]},
    )


def test_silence_counts_matching_firing_alerts(play):
    async def body(at):
        await at.deliver(consoles.firing(), consoles.firing("cart"), consoles.firing("search", severity="minor"))
        await at.deliver(consoles.resolved("cart"))
        client = await at.client_for("responder")
        assert await create_silence(at, client, 'service="checkout"') == (1, 0, {})
        assert await create_silence(at, client, 'service=~"check.*|cart|search"') == (2, 0, {})
        assert await create_silence(at, client, 'service=~".+"', 'severity="minor"') == (1, 0, {})
        assert await create_silence(at, client, 'source="json"', 'title=~".*down"') == (2, 0, {})
        assert await create_silence(at, client, 'service="payments"') == (0, 0, {})
        await at.deliver(consoles.firing("payments"))
        assert (await create_silence(at, client, 'service="payments"'))[0] == 1, "muted alerts also count"

    play(body)


def test_unknown_label_suggests_the_nearest_name(play):
    async def body(at):
        await at.deliver(consoles.firing(region="eu"))
        client = await at.client_for("responder")
        assert await create_silence(at, client, 'labels.service="checkout"') == (0, 0, {"labels.service": "service"})
        assert await create_silence(at, client, 'sevice="checkout"') == (0, 0, {"sevice": "service"})
        assert await create_silence(at, client, 'alert.title="x"') == (0, 0, {"alert.title": "title"})
        assert (await create_silence(at, client, 'zone="checkout"'))[2] == {"zone": ""}
        # As in Alertmanager, an absent label is an empty one, so this matches every alert.
        assert await create_silence(at, client, 'cluster!="x"', 'service=~".+"') == (1, 0, {"cluster": ""})
        for known in ("region", "noise", "calm", "severity"):
            assert (await create_silence(at, client, f'{known}="x"'))[2] == {}, "an alert has it, or a rule names it"

    play(body)


def test_alerts_without_deliveries_are_reported_as_unchecked(play):
    async def body(at):
        other = consoles.firing(instance="b")
        await at.deliver(consoles.firing(), consoles.firing("cart"))
        await at.deliver(msgspec.structs.replace(other, fingerprint="f-2"))
        client = await at.client_for("responder")
        assert await create_silence(at, client, 'service=~".+"') == (3, 0, {})
        await at.store.redis.delete(keys.ARCHIVE)
        assert await create_silence(at, client, 'service="checkout"') == (1, 1, {})

    play(body)


def test_expired_silence_matches_nothing(play):
    async def body(at):
        await at.deliver(consoles.firing())
        client = await at.client_for("responder")
        assert (await create_silence(at, client, 'service="checkout"'))[0] == 1
        [one] = (await client.get(f"{API}/silences")).json()["items"]
        await client.delete(f"{API}/silences/{one['id']}")
        [one] = (await client.get(f"{API}/silences", params={"over": "true"})).json()["items"]
        assert (one["state"], one["matching"], one["unchecked"]) == ("expired", None, 0)
        browser, _ = await at.browser("responder")
        assert (await browser.get("/silences?over=true")).status_code == 200

    play(body)
