"""Some vendors take an update in two requests. If only the first one succeeds, the router reverts its change."""

import functools

import msgspec
import pytest

from router.domain import severities
from tests.end_to_end import harness
from tests.integration import vendors, workers

FIELDS = {"update_message": "It is worse."}
NAMED = {"devhelm": "title", "devhelm-status-page": "title", "incident-io-status-page": "title"}
# The request that posts the text. An earlier request changes the title and, at DevHelm, the severity.
TEXTS = {
    "devhelm": "/api/v1/incidents/",
    "devhelm-status-page": "/api/v1/status-pages/",
    "incident-io-status-page": "/v2/status_page_incident_updates",
}
REFUSALS = {
    "for now": {"action": "status", "status": 403, "retry_after": 30, "count": 20},
    "for good": {"action": "status", "status": 400, "count": 20},
    "not found": {"action": "status", "status": 404, "count": 20},
}
kinds = pytest.mark.parametrize("kind", TEXTS)


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return functools.partial(vendors.run, with_redis)


async def fire_with(scene: vendors.VendorHarness, level: severities.Severity, title: str) -> None:
    """Fire the alert with a severity under a rule with this title."""
    response = msgspec.structs.replace(scene.response(**FIELDS, title=title), follows_severity=True)
    await scene.on.deliver(workers.firing("down"), key="down", level=level, response=response)
    await scene.on.turn()


def get_shown_update(scene: vendors.VendorHarness) -> tuple[str, str]:
    """Return the last part of the title at the vendor, and the severity or impact."""
    state = scene.at.state()
    if scene.kind == "devhelm":
        one = state["devhelm"]["incidents"][0]["incident"]
        return one["title"].partition("] ")[2] or one["title"], one["severity"]
    if scene.kind == "devhelm-status-page":
        one = scene.at.posts()[0]
        return one["title"], one["impact"]
    one = state["incident-io"]["status_page_incidents"][0]
    return one["name"], ""


async def leave_half_done(scene: vendors.VendorHarness, refusal: str) -> tuple[str, str]:
    """Let an update change the title and the severity, but not post its text. Return the earlier state."""
    await fire_with(scene, severities.Severity.MINOR, "Checkout is slow")
    before = get_shown_update(scene)
    scene.fault(**{"method": "POST", "path": TEXTS[scene.kind], **REFUSALS[refusal]})
    await fire_with(scene, severities.Severity.CRITICAL, "Checkout is down")
    after = get_shown_update(scene)
    assert after[0].endswith("Checkout is down")
    assert (after[1] != before[1]) == (scene.kind != "incident-io-status-page")
    return before


@kinds
@pytest.mark.parametrize("refusal", REFUSALS)
def test_half_done_update_is_reverted(play, kind, refusal):
    async def body(scene):
        before = await leave_half_done(scene, refusal)
        await fire_with(scene, severities.Severity.MINOR, "Checkout is slow")
        harness.ask(f"{scene.at.url}/faults", method="DELETE")
        await scene.changed(retry_at=0)
        await scene.eventually(lambda: get_shown_update(scene) == before)
        assert (await scene.get_publication()).taken_over == ""
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])

    play(kind, body)


@kinds
@pytest.mark.parametrize("refusal", REFUSALS)
def test_half_done_update_is_undone_after_read(play, kind, refusal):
    """A read between the failure and the next change treats it neither as a manual edit nor as correct."""

    async def body(scene):
        before = await leave_half_done(scene, refusal)
        await scene.changed(looked_at=0, acted_at=1, retry_at=0)
        await scene.on.turn()
        await fire_with(scene, severities.Severity.MINOR, "Checkout is slow")
        harness.ask(f"{scene.at.url}/faults", method="DELETE")
        await scene.changed(retry_at=0)
        await scene.eventually(lambda: get_shown_update(scene) == before)
        assert (await scene.get_publication()).taken_over == ""

    play(kind, body)


@kinds
@pytest.mark.parametrize("refusal", REFUSALS)
def test_half_done_update_does_not_block_resolution(play, kind, refusal):
    """The title and the severity are the router's own, so the resolution needs no reviewer."""

    async def body(scene):
        await leave_half_done(scene, refusal)
        harness.ask(f"{scene.at.url}/faults", method="DELETE")
        await scene.end_alert()
        await scene.changed(retry_at=0)
        await scene.eventually(lambda: scene.states() == ["resolved"])

    play(kind, body)


def test_raise_whose_page_is_refused_is_undone(play):
    """incident.io takes the severity and the page of a responder in two requests."""
    escalation = {"users": ["01FCNDV6P870EA6S7TK1DSYDG0"], "at_least": "critical", "on_raise": True}

    async def fire_with(scene, level):
        response = msgspec.structs.replace(scene.response(escalation=escalation), follows_severity=True)
        await scene.on.deliver(workers.firing("down"), key="down", level=level, response=response)
        await scene.on.turn()

    async def body(scene):
        def severity():
            return scene.at.state()["incident-io"]["incidents"][0]["severity"]["name"]

        await fire_with(scene, severities.Severity.MINOR)
        scene.fault("status", "POST", "/v2/escalations", status=400, count=20)
        await fire_with(scene, severities.Severity.CRITICAL)
        assert severity() == "Critical"
        await fire_with(scene, severities.Severity.MINOR)
        await scene.eventually(lambda: severity() == "Minor")

    play("incident-io", body)
