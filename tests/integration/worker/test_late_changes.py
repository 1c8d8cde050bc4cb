"""A vendor applies an update late, after a newer one: the router restores severity, title, status, and components."""

import functools

import msgspec
import pytest

from router.domain import severities
from tests.end_to_end import harness
from tests.integration import vendors, workers

FIELDS = {"update_message": "Changed.", "title": "Checkout is slow"}
WORSE = {"update_message": "Changed.", "title": "Checkout is down"}
CHANGES = {
    "devhelm": ("PATCH", "/api/v1/incidents/"),
    "devhelm-status-page": ("PUT", "/api/v1/status-pages/"),
    "incident-io": ("POST", "/v2/incidents/"),
    "incident-io-status-page": ("POST", "/v2/status_page_incident_updates"),
}
OTHERS = {
    "devhelm": {"severity": "MAINTENANCE"},
    "devhelm-status-page": {"impact": "MAJOR"},
    "incident-io-status-page": {"name": "Checkout fails for some"},
}
"""Changes by a user at the vendor."""
kinds = pytest.mark.parametrize("kind", CHANGES)


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return functools.partial(vendors.run, with_redis)


def rename_fields(scene: vendors.VendorHarness, fields: dict) -> dict:
    """Return the fields under the names that the kind uses."""
    if scene.kind != "incident-io":
        return fields
    return {"name": fields["title"], "summary": f"It says {fields['title']}."}


async def fire_with(scene: vendors.VendorHarness, level: severities.Severity, fields: dict) -> None:
    """Fire the alert with a severity under a rule with these fields, and wait until the vendor has the change."""
    response = msgspec.structs.replace(scene.response(**rename_fields(scene, fields)), follows_severity=True)
    await scene.on.deliver(workers.firing("down"), key="down", level=level, response=response)
    await scene.on.turn()

    async def is_sent() -> bool:
        publication = await scene.get_publication()
        content = publication.content
        return publication.intent is None and content is not None and content.severity is level

    await scene.on.wait_until_async(is_sent)


def carry_out(scene: vendors.VendorHarness, request: dict) -> None:
    """Apply a request that the vendor has received before."""
    url = f"{scene.at.url}/{request['vendor']}{request['path']}"
    status, answer = harness.ask(url, request["body"], "any key", request["method"])
    assert status in {200, 201}, answer


def get_state(scene: vendors.VendorHarness) -> dict:
    """Return the state at the vendor, without texts and times."""
    state = scene.at.state()
    if scene.kind == "devhelm":
        one = state["devhelm"]["incidents"][0]["incident"]
        return {name: one[name] for name in ("title", "severity", "status")}
    if scene.kind == "devhelm-status-page":
        one = scene.at.posts()[0]
        affected = [part["componentStatus"] for part in one["affectedComponents"]]
        return {"components": affected, **{name: one[name] for name in ("title", "impact", "status")}}
    if scene.kind == "incident-io":
        one = state["incident-io"]["incidents"][0]
        return {"name": one["name"], "summary": one["summary"], "severity": one["severity"]["name"]}
    one = state["incident-io"]["status_page_incidents"][0]
    ongoing = [part["component_status"] for part in one["component_impacts"] if not part.get("end_at")]
    return {"name": one["name"], "status": one["incident_status"], "components": ongoing}


async def advance_three_minutes(scene: vendors.VendorHarness) -> None:
    """Advance to the time of the router's check for late changes at the vendor."""
    publication = await scene.get_publication()
    assert publication.verify_at
    await scene.changed(unanswered_change_at=publication.unanswered_change_at - 181_000_000, acted_at=1, looked_at=0)
    await scene.on.turn()


async def lose_change(scene: vendors.VendorHarness) -> dict:
    """Let the change to a higher severity get no response and be repeated. Return its first request."""
    method, path = CHANGES[scene.kind]
    scene.fault("drop", method, path)
    await fire_with(scene, severities.Severity.CRITICAL, WORSE)
    [lost] = [call for call in scene.at.calls(method) if call["fault"] == "drop"]
    return lost


@kinds
def test_change_after_a_newer_one_is_undone(play, kind):
    async def body(scene):
        await fire_with(scene, severities.Severity.MINOR, FIELDS)
        lost = await lose_change(scene)
        await fire_with(scene, severities.Severity.MINOR, FIELDS)
        before = get_state(scene)
        carry_out(scene, lost)
        assert get_state(scene) != before
        await advance_three_minutes(scene)
        await scene.eventually(lambda: get_state(scene) == before)
        assert (await scene.get_publication()).taken_over == ""
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])

    play(kind, body)


def test_incident_reopened_late_is_resolved_again(play):
    """Updates of incidents at DevHelm can have a status, which reopens a resolved incident."""
    fields = {"update_status": "TRIGGERED"}

    async def body(scene):
        await fire_with(scene, severities.Severity.MINOR, {**FIELDS, **fields})
        scene.fault("drop", "POST", "/api/v1/incidents/")
        await fire_with(scene, severities.Severity.CRITICAL, {**WORSE, **fields})
        [lost] = [call for call in scene.at.calls("POST") if call["fault"] == "drop"]
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])
        carry_out(scene, lost)
        assert scene.states() == ["open"]
        await advance_three_minutes(scene)
        await scene.eventually(lambda: scene.states() == ["resolved"])
        events = [event.text for event in await scene.on.incidents.timeline("down")]
        assert any("carried out an unanswered change late" in text for text in events)

    play("devhelm", body)


def test_status_of_a_late_update_is_undone(play):
    """DevHelm applies the late update of an incident after an update with another status."""

    async def body(scene):
        await fire_with(scene, severities.Severity.MINOR, {**FIELDS, "update_status": "WATCHING"})
        scene.fault("drop", "POST", "/api/v1/incidents/")
        await fire_with(scene, severities.Severity.CRITICAL, {**WORSE, "update_status": "TRIGGERED"})
        [lost] = [call for call in scene.at.calls("POST") if call["fault"] == "drop"]
        await fire_with(scene, severities.Severity.MINOR, {**FIELDS, "update_status": "WATCHING"})
        assert get_state(scene)["status"] == "WATCHING"
        carry_out(scene, lost)
        assert get_state(scene)["status"] == "TRIGGERED"
        await advance_three_minutes(scene)
        await scene.eventually(lambda: get_state(scene)["status"] == "WATCHING")

    play("devhelm", body)


def test_person_may_reopen_after_an_unanswered_update(play):
    """An update that the router hasn't posted is a manual one."""

    async def body(scene):
        fields = {"update_status": "TRIGGERED"}
        await fire_with(scene, severities.Severity.MINOR, {**FIELDS, **fields})
        scene.fault("drop", "POST", "/api/v1/incidents/")
        await fire_with(scene, severities.Severity.CRITICAL, {**WORSE, **fields})
        [lost] = [call for call in scene.at.calls("POST") if call["fault"] == "drop"]
        await scene.end_alert()
        await scene.eventually(lambda: scene.states() == ["resolved"])
        carry_out(scene, {**lost, "body": {**lost["body"], "body": "We are still looking."}})
        await advance_three_minutes(scene)
        assert scene.states() == ["open"]
        assert (await scene.get_publication()).state == "resolved"

    play("devhelm", body)


@pytest.mark.parametrize("kind", OTHERS)
def test_person_s_change_stays_after_unanswered_update(play, kind):
    """A value that no unanswered update has set is a manual change."""

    async def body(scene):
        await fire_with(scene, severities.Severity.MINOR, FIELDS)
        lost = await lose_change(scene)
        await fire_with(scene, severities.Severity.MINOR, FIELDS)
        request = {**lost, "body": OTHERS[kind]}
        if kind == "incident-io-status-page":
            post = scene.at.state()["incident-io"]["status_page_incidents"][0]["id"]
            request |= {"method": "PUT", "path": f"/v2/status_page_incidents/{post}"}
        carry_out(scene, request)
        changed = get_state(scene)
        await advance_three_minutes(scene)
        await scene.on.turn()
        assert get_state(scene) == changed

    play(kind, body)
