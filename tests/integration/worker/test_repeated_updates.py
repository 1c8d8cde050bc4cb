"""An update whose outcome is unknown is repeated only if the vendor doesn't show it: its text is posted once."""

import functools

import msgspec
import pytest

from router.domain import severities
from tests.integration import vendors, workers

TIMEOUT_SECONDS = 3.0
FIELDS = {"update_message": "It is worse."}
TEXTS = {
    "devhelm": "/api/v1/incidents/",
    "devhelm-status-page": "/api/v1/status-pages/",
    "incident-io-status-page": "/v2/status_page_incident_updates",
}
kinds = pytest.mark.parametrize("kind", TEXTS)


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return functools.partial(vendors.run, with_redis, waits_seconds=TIMEOUT_SECONDS)


async def raise_severity(scene: vendors.VendorHarness) -> None:
    """Raise the severity, so that the vendor gets an update."""
    response = msgspec.structs.replace(scene.response(**FIELDS), follows_severity=True)
    critical = severities.Severity.CRITICAL
    await scene.on.deliver(workers.firing("down"), key="down", level=critical, response=response)
    await scene.on.turn()


def list_update_texts(scene: vendors.VendorHarness) -> list[str]:
    """Return the texts of the updates that the vendor has stored."""
    state = scene.at.state()
    if scene.kind == "devhelm":
        updates = state["devhelm"]["incidents"][0]["updates"]
    elif scene.kind == "devhelm-status-page":
        updates = scene.at.posts()[0]["updates"]
    else:
        updates = state["incident-io"]["status_page_incidents"][0]["updates"]
    texts = [update.get("body", update.get("message")) or "" for update in updates]
    return [text for text in texts if text.startswith("It is worse.")]


@kinds
@pytest.mark.parametrize("action", ["act-then-conflict", "act-then-drop"])
def test_update_without_outcome_is_repeated_after_timeout(play, kind, action):
    """Before the timeout, a read may show the earlier state, or the call may still be in progress."""

    async def body(scene):
        await scene.fire(**FIELDS)
        began = await scene.on.redis_now()
        scene.fault(action, "POST", TEXTS[kind])
        await raise_severity(scene)
        publication = await scene.get_publication()
        assert publication.intent is not None
        assert publication.retry_at >= began + int(TIMEOUT_SECONDS * 1_000_000)
        await scene.changed(retry_at=0)
        await scene.on.turn()
        assert (await scene.get_publication()).intent is None
        assert len(list_update_texts(scene)) == 1

    play(kind, body)


@kinds
def test_lasting_conflict_does_not_block_the_resolution(play, kind):
    async def body(scene):
        await scene.fire(**FIELDS)
        scene.fault("status", "POST", TEXTS[kind], status=409, count=4)
        await raise_severity(scene)
        await scene.end_alert()
        attempts = 0
        while scene.states() != ["resolved"]:
            attempts += 1
            assert attempts < 10
            await scene.changed(retry_at=0)
            await scene.on.turn()
        assert (await scene.get_publication()).taken_over == ""

    play(kind, body)
