"""Acknowledging incidents through the API: two concurrent operators, and races with the end of an incident."""

import asyncio

import pytest

from router.domain import severities
from router.store import incidents
from tests.integration import consoles

API = "/api/v1"


async def get_incident(client, service="checkout"):
    answer = await client.get(f"{API}/incidents/{consoles.key(service)}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def acknowledge(client, **more):
    return await client.post(f"{API}/acknowledgements", json={"incident": consoles.key(), **more})


async def audit(at, most=1):
    lines, _ = await at.store.audit.page("", most)
    return [(line.who, line.what, line.subject, line.outcome, line.reason) for line in lines]


def test_acknowledgement_is_shown_and_withdrawn(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        before = await get_incident(ann)
        done = await ann.post(f"{API}/acknowledgements", json={"incident": before["reference"], "reason": "on it"})
        assert done.status_code == 200, done.text
        document = done.json()
        assert (document["incident"], document["is_new"]) == (consoles.key(), True)
        assert (document["acknowledgement"]["by"], document["acknowledgement"]["reason"]) == ("ann", "on it")
        assert await audit(at) == [("ann", "acknowledge", consoles.key(), "done", "on it")]
        incident = await get_incident(bob)
        assert incident["acknowledgement"] == document["acknowledgement"]
        assert "Acknowledged by ann: on it" in [event["text"] for event in incident["timeline"]]
        listed = (await bob.get(f"{API}/incidents")).json()["items"]
        assert [item["acknowledgement"]["by"] for item in listed] == ["ann"]
        query = {"incident": consoles.key(), "reason": "not mine"}
        withdrawn = await bob.delete(f"{API}/acknowledgements", params=query)
        assert (withdrawn.status_code, withdrawn.json()["by"]) == (200, "ann")
        assert await audit(at) == [("bob", "unacknowledge", consoles.key(), "done", "not mine")]
        incident = await get_incident(ann)
        assert incident["acknowledgement"] is None
        assert "bob withdrew the acknowledgement by ann: not mine" in [event["text"] for event in incident["timeline"]]

    play(body)


def test_second_acknowledgement_learns_of_the_first(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        assert (await acknowledge(ann)).json()["is_new"]
        again = (await acknowledge(bob)).json()
        assert (again["is_new"], again["acknowledgement"]["by"]) == (False, "ann")
        assert len([event for event in (await get_incident(ann))["timeline"] if event["what"] == "acknowledged"]) == 1

    play(body)


@pytest.fixture
def together(monkeypatch):
    """Delay the writes of two incident changes until both changes have begun."""
    barrier = asyncio.Barrier(2)
    update = incidents.Incidents.update

    async def meet(self, name, make):
        await barrier.wait()
        return await update(self, name, make)

    return lambda: monkeypatch.setattr(incidents.Incidents, "update", meet)


def test_one_of_two_concurrent_acknowledgements_is_recorded(play, together):
    async def body(at):
        await at.deliver(consoles.firing())
        people = [await at.client_for("responder", name=name) for name in ("ann", "bob")]
        together()
        answers = [answer.json() for answer in await asyncio.gather(*map(acknowledge, people))]
        assert sorted(answer["is_new"] for answer in answers) == [False, True]
        assert answers[0]["acknowledgement"] == answers[1]["acknowledgement"]
        events = await at.on.incidents.timeline(consoles.key())
        assert [event.what for event in events].count("acknowledged") == 1

    play(body)


@pytest.mark.parametrize("ends_first", [True, False])
def test_acknowledgement_that_races_with_the_end_never_reopens(play, monkeypatch, ends_first):
    """The alerts resolve between the read and the write of the acknowledgement, or right after it."""

    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        if ends_first:
            write = incidents.Incidents.write

            async def after_end(self, change):
                monkeypatch.setattr(incidents.Incidents, "write", write)
                await at.deliver(consoles.resolved())
                return await write(self, change)

            monkeypatch.setattr(incidents.Incidents, "write", after_end)
            answer = await acknowledge(ann)
            assert answer.status_code == 422
            assert answer.json()["detail"] == "the incident is closed, and only open incidents can be acknowledged"
        else:
            assert (await acknowledge(ann)).status_code == 200
            await at.deliver(consoles.resolved())
        incident = await at.on.incident(consoles.key())
        assert (incident.status, incident.acknowledged) == ("closed", None)

    play(body)


def test_raised_severity_ends_the_acknowledgement(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        await acknowledge(ann)
        await at.deliver(consoles.firing())
        assert (await get_incident(ann))["acknowledgement"]["by"] == "ann"
        await at.deliver(consoles.firing(severity="critical"))
        incident = await get_incident(ann)
        assert (incident["severity"], incident["acknowledgement"]) == ("critical", None)
        assert "The acknowledgement by ann has ended, because the severity was raised." in [
            event["text"] for event in incident["timeline"]
        ]
        assert (await acknowledge(ann)).json()["is_new"]
        assert (await at.on.incident(consoles.key())).acknowledged.severity == severities.Severity.CRITICAL

    play(body)


@pytest.mark.parametrize(
    ("method", "more", "status", "detail"),
    [
        ("POST", {"json": {"incident": "none"}}, 404, 'there is no incident "none"'),
        ("DELETE", {"params": {"incident": "none"}}, 404, 'there is no incident "none"'),
        ("DELETE", {"params": {"incident": consoles.key()}}, 422, "the incident is not acknowledged"),
        ("POST", {"json": {"incident": consoles.key(), "reason": " "}}, 422, "reason: must not be blank"),
        ("POST", {"json": {}}, 422, "incident"),
    ],
)
def test_impossible_acknowledgement_is_refused(play, method, more, status, detail):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        answer = await ann.request(method, f"{API}/acknowledgements", **more)
        assert (answer.status_code, detail in answer.json()["detail"]) == (status, True), answer.text
        assert (await at.on.incident(consoles.key())).interventions.acknowledgement is None

    play(body)
