"""Two users decide within a millisecond: one decision is recorded, and the other user sees who decided first."""

import asyncio

import pytest

from router.store import incidents
from tests.integration import consoles, vendor

API = "/api/v1"
DECISIONS = {
    "approve": {"decision": "approve"},
    "dismiss": {"decision": "dismiss"},
    "edit": {"decision": "approve", "fields": {"message": "In other words."}},
}
PAIRS = [(decision, other) for decision in DECISIONS for other in DECISIONS]


@pytest.fixture
def delayed_writes(monkeypatch):
    """Delay the writes of two decisions until both have been checked."""
    barrier = asyncio.Barrier(2)
    change = incidents.Incidents.update

    async def together(self, name, make):
        await barrier.wait()
        return await change(self, name, make)

    def meet():
        monkeypatch.setattr(incidents.Incidents, "update", together)

    return meet


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_of_two_review_decisions_wins(play, delayed_writes, one, other):
    async def body(at):
        await at.deliver(consoles.firing())
        people = {name: await at.client_for("responder", name=name) for name in ("ann", "bob")}
        found = await people["ann"].get(f"{API}/review", params={"incident": consoles.key(), "destination": "page"})
        where = {"incident": consoles.key(), "destination": "page", "seen": found.json()["digest"]}
        delayed_writes()
        answers = await asyncio.gather(
            people["ann"].post(f"{API}/review", json=where | DECISIONS[one]),
            people["bob"].post(f"{API}/review", json=where | DECISIONS[other]),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert lost.json()["by"] == won.json()["who"]
        assert lost.json()["detail"] == f"{won.json()['who']} decided first; your decision was not recorded"
        verdict = (await at.on.incident(consoles.key())).interventions.verdicts["page"]
        assert (verdict.who, verdict.kind) == (won.json()["who"], won.json()["kind"])
        await at.on.turn()
        assert at.page.kinds == ([] if verdict.kind == "dismissed" else ["open"])

    play(body)


@pytest.mark.parametrize("decision", list(DECISIONS))
@pytest.mark.parametrize("retracted_first", [True, False])
def test_retraction_unseen_by_reviewer_keeps_post_down(play, delayed_writes, decision, retracted_first):
    """The retraction is written before or after the decision. Both were checked before either write."""

    async def body(at):
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        query = {"incident": consoles.key(), "destination": "page"}
        seen = (await ann.get(f"{API}/review", params=query)).json()["digest"]
        retraction = {**query, "reason": "a false alarm"}
        if retracted_first:
            assert (await bob.post(f"{API}/retractions", json=retraction)).status_code == 200
            answer = await ann.post(f"{API}/review", json=query | {"seen": seen} | DECISIONS[decision])
            assert answer.status_code == 412
        else:
            delayed_writes()
            answer, done = await asyncio.gather(
                ann.post(f"{API}/review", json=query | {"seen": seen} | DECISIONS[decision]),
                bob.post(f"{API}/retractions", json=retraction),
            )
            assert done.status_code == 200
            assert answer.status_code in {200, 412}
        await at.on.turn()
        assert at.page.kinds == []
        incident = await at.on.incident(consoles.key())
        assert [one.who for one in incident.interventions.retractions.values()] == ["bob"]
        assert ("page" in incident.interventions.verdicts) == (answer.status_code == 200)

    play(body)


def test_republishing_decision_applies_to_newest_retraction(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        query = {"incident": consoles.key(), "destination": "page"}
        digests = [(await ann.get(f"{API}/review", params=query)).json()["digest"]]
        for _ in range(2):
            assert (await ann.post(f"{API}/retractions", json={**query, "reason": "false"})).status_code == 200
            digests.append((await ann.get(f"{API}/review", params=query)).json()["digest"])
            for earlier in digests[:-1]:
                answer = await ann.post(f"{API}/review", json=query | {"seen": earlier, "decision": "approve"})
                assert answer.status_code == 412
            answer = await ann.post(f"{API}/review", json=query | {"seen": digests[-1], "decision": "approve"})
            assert answer.status_code == 200
        assert len(set(digests)) == 3
        await at.on.turn()
        assert at.page.kinds == ["open"]

    play(body)


def test_approval_after_dismissal_needs_the_new_version(play):
    async def body(at):
        await at.deliver(consoles.firing())
        ann = await at.client_for("responder", name="ann")
        query = {"incident": consoles.key(), "destination": "page"}
        await ann.post(f"{API}/retractions", json={**query, "reason": "false"})
        seen = (await ann.get(f"{API}/review", params=query)).json()["digest"]
        decisions = [query | {"seen": seen, "decision": one} for one in ("dismiss", "approve")]
        assert [(await ann.post(f"{API}/review", json=decision)).status_code for decision in decisions] == [200, 412]
        again = (await ann.get(f"{API}/review", params=query)).json()["digest"]
        answer = await ann.post(f"{API}/review", json=query | {"seen": again, "decision": "approve"})
        assert answer.status_code == 200
        await at.on.turn()
        assert at.page.kinds == ["open"]

    play(body)


@pytest.mark.parametrize("actions", [("redrive", "discard"), ("discard", "discard"), ("redrive", "redrive")])
def test_one_of_two_dead_letter_decisions_wins(play, delayed_writes, actions):
    async def body(at):
        at.on_call.before += [vendor.make_permanent()]
        await at.deliver(consoles.firing())
        ann, bob = await at.client_for("responder", name="ann"), await at.client_for("responder", name="bob")
        [letter] = (await ann.get(f"{API}/dead-letters")).json()["items"]
        delayed_writes()
        path = f"{API}/dead-letters/{letter['id']}"
        answers = await asyncio.gather(
            *(
                person.post(f"{path}/redrive") if action == "redrive" else person.delete(path)
                for person, action in zip((ann, bob), actions, strict=True)
            )
        )
        assert sorted(answer.status_code for answer in answers) == [204, 412]
        winner = ("ann", "bob")[[answer.status_code for answer in answers].index(204)]
        lost = next(answer for answer in answers if answer.status_code == 412)
        assert lost.json()["by"] == winner

    play(body)
