"""The console shows that the vendor refuses a retraction."""

from tests.integration import consoles, vendor

API = "/api/v1"


def test_console_shows_a_post_that_is_still_public(play):
    async def body(at):
        await at.deliver(consoles.firing())
        browser, csrf = await at.browser("responder", name="ann")
        ann = await at.client_for("responder", name="ann")
        query = {"incident": consoles.key(), "destination": "page"}
        seen = (await ann.get(f"{API}/review", params=query)).json()["digest"]
        await ann.post(f"{API}/review", json=query | {"seen": seen, "decision": "approve"})
        await at.on.turn()
        at.page.before += [vendor.make_permanent()]
        form = {"csrf": csrf, **query, "reason": "a false alarm"}
        locations = []
        for _ in range(2):
            locations.append((await browser.post("/retract", data=form)).headers["location"])
            await at.on.turn()
        assert [location.rpartition("=")[2] for location in locations] == ["retracted", "retracted-again"]
        assert "The post was retracted before but is still public" in (await browser.get(locations[1])).text
        assert at.page.kinds == ["open", "retract", "retract"]

    play(body)
