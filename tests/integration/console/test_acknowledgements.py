"""The console shows who has acknowledged an incident and who has taken a review, and has buttons for both."""

import urllib.parse

from router.domain import access
from tests.integration import consoles

PAGE = f"/incident?key={urllib.parse.quote(consoles.key(), safe='')}"


def location(answer) -> str:
    assert answer.status_code == 303, answer.text
    return answer.headers["location"].rpartition("=")[2]


def test_incident_is_acknowledged_and_withdrawn(play):
    async def body(at):
        await at.deliver(consoles.firing())
        browser, csrf = await at.browser("responder", name="ann <b>")
        text = (await browser.get(PAGE)).text
        assert "Not acknowledged." in text
        form = {"csrf": csrf, "subject": consoles.key(), "reason": "on it"}
        assert location(await browser.post("/acknowledge", data=form)) == "acknowledged"
        text = (await browser.get(PAGE)).text
        assert "<strong>Acknowledged</strong> by ann &lt;b&gt; at <time" in text
        assert "acknowledged by ann &lt;b&gt;, <time" in (await browser.get("/incidents")).text
        assert location(await browser.post("/acknowledge", data=form)) == "acknowledged-before"
        assert location(await browser.post("/unacknowledge", data=form)) == "unacknowledged"
        assert "Not acknowledged." in (await browser.get(PAGE)).text
        refused = await browser.post("/unacknowledge", data=form)
        assert (refused.status_code, "the incident is not acknowledged" in refused.text) == (422, True)

    play(body)


def test_viewer_sees_the_acknowledgement_and_no_button(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        await ann.post("/api/v1/acknowledgements", json={"incident": consoles.key()})
        browser, csrf = await at.browser("viewer")
        text = (await browser.get(PAGE)).text
        assert "<strong>Acknowledged</strong> by ann at" in text
        assert "/unacknowledge" not in text
        for path in ("/acknowledge", "/unacknowledge", "/review/take", "/review/release"):
            assert (await browser.post(path, data={"csrf": csrf})).status_code == 403
        assert access.ROLES["viewer"] < access.ROLES["responder"]

    play(body)


def test_review_is_taken_and_released(play):
    async def body(at):
        await at.deliver(consoles.firing())
        (ann, csrf), (bob, of_bob) = (
            await at.browser("responder", name="ann"),
            await at.browser("responder", name="bob"),
        )
        form = {"csrf": csrf, "incident": consoles.key(), "destination": "page"}
        assert "Take for 15 minutes" in (await ann.get("/reviews")).text
        assert location(await ann.post("/review/take", data=form)) == "taken"
        text = (await bob.get("/reviews")).text
        assert "<strong>ann</strong> is working on this review until <time" in text
        assert "Approve" in text
        assert location(await bob.post("/review/take", data={**form, "csrf": of_bob})) == "taken-before"
        assert location(await bob.post("/review/release", data={**form, "csrf": of_bob})) == "released"
        assert "works on it" not in (await ann.get("/reviews")).text

    play(body)


def test_closed_incident_has_no_acknowledge_button(play):
    async def body(at):
        await at.deliver(consoles.firing())
        await at.deliver(consoles.resolved())
        browser, csrf = await at.browser("responder")
        assert "acknowledge" not in (await browser.get(PAGE)).text.lower()
        refused = await browser.post("/acknowledge", data={"csrf": csrf, "subject": consoles.key()})
        assert (refused.status_code, "only open incidents can be acknowledged" in refused.text) == (422, True)

    play(body)
