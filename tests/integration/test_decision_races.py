"""Two people decide within a millisecond: one decision is recorded, and the other person is told who was first."""

import asyncio

import pytest

from router.store import incidents as incident_store
from tests.integration import desk, vendor

API = "/api/v1"
DECISIONS = {
    "approve": {"decision": "approve"},
    "dismiss": {"decision": "dismiss"},
    "edit": {"decision": "approve", "fields": {"message": "In other words."}},
}
PAIRS = [(one, other) for one in DECISIONS for other in DECISIONS]


@pytest.fixture
def both_checked(monkeypatch):
    """Let two decisions write only after both have been checked."""
    barrier = asyncio.Barrier(2)
    change = incident_store.Incidents.change

    async def together(self, name, make):
        await barrier.wait()
        return await change(self, name, make)

    def meet():
        monkeypatch.setattr(incident_store.Incidents, "change", together)

    return meet


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_one_decision_on_a_review_wins_and_the_other_is_refused(play, both_checked, one, other):
    async def body(at):
        await at.deliver(desk.firing())
        people = {name: await at.as_("responder", name=name) for name in ("ann", "bob")}
        found = await people["ann"].get(f"{API}/review", params={"incident": desk.key(), "destination": "page"})
        where = {"incident": desk.key(), "destination": "page", "seen": found.json()["digest"]}
        both_checked()
        answers = await asyncio.gather(
            people["ann"].post(f"{API}/review", json=where | DECISIONS[one]),
            people["bob"].post(f"{API}/review", json=where | DECISIONS[other]),
        )
        assert sorted(answer.status_code for answer in answers) == [200, 412]
        won, lost = sorted(answers, key=lambda answer: answer.status_code)
        assert lost.json()["by"] == won.json()["who"]
        assert lost.json()["detail"] == f"{won.json()['who']} decided first; your decision was not recorded"
        verdict = (await at.on.incident(desk.key())).verdicts["page"]
        assert (verdict.who, verdict.kind) == (won.json()["who"], won.json()["kind"])
        await at.on.turn()
        assert at.page.kinds == ([] if verdict.kind == "dismissed" else ["open"])

    play(body)


@pytest.mark.parametrize("actions", [("redrive", "discard"), ("discard", "discard"), ("redrive", "redrive")])
def test_one_decision_on_a_dead_letter_wins_and_the_other_is_refused(play, both_checked, actions):
    async def body(at):
        at.on_call.before += [vendor.permanent()]
        await at.deliver(desk.firing())
        ann, bob = await at.as_("responder", name="ann"), await at.as_("responder", name="bob")
        [letter] = (await ann.get(f"{API}/dead-letters")).json()["items"]
        both_checked()
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
