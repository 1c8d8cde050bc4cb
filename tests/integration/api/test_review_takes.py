"""Taking a review through the API: other reviewers see who has taken it, and can still decide."""

import asyncio

import pytest

from tests.integration import consoles
from tests.integration.api.test_acknowledgements import together  # noqa: F401 - a fixture

API = "/api/v1"
WHERE = {"incident": consoles.key(), "destination": "page"}
MINUTE = 60_000_000


async def review(client):
    answer = await client.get(f"{API}/review", params=WHERE)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def take(client, **more):
    return await client.post(f"{API}/review/take", json={**WHERE, **more})


async def audit(at, most=1):
    lines, _ = await at.store.audit.page("", most)
    return [(line.who, line.what, line.subject, line.outcome) for line in lines]


def test_taken_review_shows_its_holder_and_end_time(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        assert (await review(bob))["taken_by"] == ""
        taken = (await take(ann, seconds=600)).json()
        assert (taken["by"], taken["is_new"]) == ("ann", True)
        assert await audit(at) == [("ann", "take review", f"{consoles.key()} at page", "done")]
        seen = await review(bob)
        assert (seen["taken_by"], seen["taken_until"]) == ("ann", taken["until"])
        other = (await take(bob)).json()
        assert (other["by"], other["is_new"], other["until"]) == ("ann", False, taken["until"])
        longer = (await take(ann, seconds=3600)).json()
        assert longer["is_new"]
        assert longer["until"] > taken["until"]
        texts = [event.text for event in await at.on.incidents.timeline(consoles.key())]
        assert texts.count("ann took the review at page.") == 2

    play(body)


def test_take_expires_and_has_a_limited_duration(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        await take(ann)
        at.clock.offset = 16 * MINUTE
        assert (await review(bob))["taken_by"] == ""
        assert (await take(bob)).json()["by"] == "bob"
        assert (await take(bob, seconds=4 * 3600 + 1)).status_code == 422
        assert (await take(bob, seconds=59)).status_code == 422

    play(body)


def test_any_responder_can_release_a_taken_review(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        await take(ann)
        released = await bob.delete(f"{API}/review/take", params=WHERE)
        assert (released.status_code, released.json()["taken_by"]) == (200, "ann")
        assert (await review(ann))["taken_by"] == ""
        texts = [event.text for event in await at.on.incidents.timeline(consoles.key())]
        assert "bob released the review at page, which ann had taken." in texts
        again = await bob.delete(f"{API}/review/take", params=WHERE)
        assert (again.status_code, again.json()["detail"]) == (422, "the review is not taken")
        assert (await take(bob)).json()["by"] == "bob"

    play(body)


@pytest.mark.parametrize("decision", ["approve", "dismiss"])
def test_another_reviewer_can_decide_a_taken_review(play, decision):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        await take(ann)
        digest = (await review(bob))["digest"]
        done = await bob.post(f"{API}/review", json={**WHERE, "seen": digest, "decision": decision})
        assert (done.status_code, done.json()["who"]) == (200, "bob")
        assert (await at.on.incident(consoles.key())).interventions.takes == {}
        gone = await take(ann)
        assert gone.status_code == 404
        assert "waits for review" in gone.json()["detail"]

    play(body)


def test_one_of_two_concurrent_takes_is_recorded(play, together):  # noqa: F811 - the fixture
    async def body(at):
        await at.deliver(consoles.firing())
        people = [await at.client_for("responder", name=name) for name in ("ann", "bob")]
        together()
        answers = [answer.json() for answer in await asyncio.gather(*map(take, people))]
        assert sorted(answer["is_new"] for answer in answers) == [False, True]
        assert answers[0]["by"] == answers[1]["by"]

    play(body)


def test_take_of_a_post_without_review_is_refused(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        for where in ({"destination": "on-call"}, {"destination": "page", "incident": "none"}):
            for answer in (
                await ann.post(f"{API}/review/take", json={**WHERE, **where}),
                await ann.delete(f"{API}/review/take", params={**WHERE, **where}),
            ):
                assert answer.status_code == 404, answer.text

    play(body)
