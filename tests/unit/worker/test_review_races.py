"""Exactly one of several concurrent reviewers wins, for every combination of decisions."""

import itertools
import random
from collections.abc import Callable, Iterator

import msgspec
import pytest

from router.domain import incidents, publications
from router.domain.reviews import RETRACTION, Retraction, Verdict
from router.worker import retractions, reviews

WHATS: tuple[reviews.What, ...] = ("opening", "update", "monitoring", "resolution")
WORDS = {
    "approve": ("approved", {}),
    "dismiss": ("dismissed", {}),
    "edit": ("approved", {"message": "In other words."}),
}
KINDS = list(itertools.product(WHATS, WORDS))
INTERLEAVINGS = 10_000


def make_review(what: reviews.What, destination: str = "page") -> reviews.Review:
    fields = {"title": "Down", "message": "Sorry."}
    return reviews.Review(
        "down", "e1", destination, what, "digest", "review", "rule", "major", fields, 1, publication=f"e1/{destination}"
    )


def opened(what: reviews.What) -> incidents.Incident:
    """Return an incident with a review. Every review except an opening follows an earlier verdict."""
    earlier = {} if what == "opening" else {"page": Verdict("approved", "eve", 1)}
    status = "closed" if what == "resolution" else "open"
    decided = incidents.Interventions(verdicts=earlier)
    return incidents.Incident("down", status=status, generation=1, episode="e1", interventions=decided)


class Document:
    """An incident's document with a version. A write to any version except the newest is refused."""

    def __init__(self, incident: incidents.Incident) -> None:
        self.incident, self.version = incident, 1

    def write(self, after: incidents.Incident, version: int) -> bool:
        if version != self.version:
            return False
        self.incident, self.version = after, version + 1
        return True


Outcomes = dict[str, Verdict | None]


def decide(document: Document, what: reviews.What, kind: str, who: str, outcomes: Outcomes) -> Iterator[None]:
    """Decide as one reviewer, like ``Reviews.decide``. Stop at each point where another writer can interleave."""
    checked = document.incident
    yield
    verdict, fields = WORDS[kind]
    one = make_review(what)
    earlier = checked.interventions.verdicts.get("page")
    given = reviews.verdict(one, reviews.ReviewDecision(verdict, who, fields=fields), 5, earlier)
    yield
    while True:
        incident, version = document.incident, document.version
        yield
        after = reviews.apply_verdict(incident, one, given, earlier)
        if after is None:
            outcomes[who] = None
            return
        if document.write(after, version):
            outcomes[who] = given
            return


def retract(document: Document, who: str) -> Iterator[None]:
    """Retract the post as an operator, like ``Retractions.retract``."""
    known = [publications.Publication("e1", "page", "open")]
    found = [retractions.Retracted("page", "e1", "retracting")]
    yield
    while True:
        incident, version = document.incident, document.version
        yield
        word = retractions.RetractionRequest(who, "a false alarm")
        if document.write(retractions.add_retractions(incident, known, found, word, 7), version):
            return


def fold(document: Document) -> Iterator[None]:
    """Write the incident concurrently, as a worker does."""
    for number in range(2):
        incident, version = document.incident, document.version
        yield
        document.write(msgspec.structs.replace(incident, changed_at=number + 1), version)
        yield


def interleave(randomness: random.Random, *actors: Iterator[None]) -> None:
    left = list(actors)
    while left:
        actor = randomness.choice(left)
        if next(actor, left) is left:
            left.remove(actor)


@pytest.fixture
def run_contest() -> Callable[[random.Random, reviews.What, tuple[str, ...]], tuple[Document, Outcomes]]:
    def run(randomness: random.Random, what: reviews.What, kinds: tuple[str, ...]) -> tuple[Document, Outcomes]:
        document, outcomes = Document(opened(what)), Outcomes()
        people = [decide(document, what, kind, f"p{n}", outcomes) for n, kind in enumerate(kinds)]
        interleave(randomness, *people, fold(document))
        return document, outcomes

    return run


def test_exactly_one_of_two_decisions_wins(run_contest):
    """10,000 random interleavings of two reviewers, with every pair of decisions, and a worker."""
    randomness = random.Random(20261130)
    pairs = itertools.cycle(itertools.product(WHATS, WORDS, WORDS))
    lost = 0
    for _, (what, one, other) in zip(range(INTERLEAVINGS), pairs, strict=False):
        document, outcomes = run_contest(randomness, what, (one, other))
        won = [given for given in outcomes.values() if given is not None]
        # A reviewer that starts after the other's write decides on the other's verdict, without a conflict.
        last = document.incident.interventions.verdicts["page"]
        assert last in won
        lost += len(won) == 1
        if len(won) == 2:
            assert {given.who for given in won} == {"p0", "p1"}
    assert lost > INTERLEAVINGS / 2


def test_one_of_several_concurrent_decisions_wins():
    """All reviewers have read the same version, so one verdict is written and all others are refused."""
    randomness = random.Random(20261130)
    for what, *kinds in itertools.product(WHATS, WORDS, WORDS, WORDS):
        document, outcomes = Document(opened(what)), Outcomes()
        people = [decide(document, what, kind, f"p{n}", outcomes) for n, kind in enumerate(kinds)]
        for person in people:
            next(person)
        interleave(randomness, *people, fold(document))
        (won,) = (given for given in outcomes.values() if given is not None)
        assert document.incident.interventions.verdicts["page"] == won
        assert len(outcomes) == 3


def test_retraction_defeats_decisions_on_earlier_versions():
    """At most one of two reviewers wins. A reviewer that writes after the retraction is refused."""
    randomness = random.Random(20261201)
    refused = 0
    for what, *kinds in itertools.islice(itertools.cycle(itertools.product(WHATS, WORDS, WORDS)), INTERLEAVINGS):
        document, outcomes = Document(opened(what)), Outcomes()
        people = [decide(document, what, kind, f"p{n}", outcomes) for n, kind in enumerate(kinds)]
        for person in people:
            next(person)
        interleave(randomness, *people, retract(document, "ann"), fold(document))
        assert document.incident.interventions.retractions["e1/page"].who == "ann"
        won = [given for given in outcomes.values() if given is not None]
        assert len(won) <= 1
        refused += not won
        assert document.incident.interventions.verdicts.get("page") == (
            won[0] if won else opened(what).interventions.verdicts.get("page")
        )
    assert 0 < refused < INTERLEAVINGS


@pytest.mark.parametrize("kind", WORDS)
def test_publishing_again_is_refused_after_another_retraction(kind):
    verdict, fields = WORDS[kind]
    first, second = (Retraction("ann", at, "false", RETRACTION) for at in (3, 4))
    one = make_review("opening")._replace(retraction=first)
    given = reviews.verdict(one, reviews.ReviewDecision(verdict, "bob", fields=fields), 5)
    incident = incidents.with_interventions(opened("opening"), retractions={"e1/page": second})
    assert reviews.apply_verdict(incident, one, given, None) is None
    incident = incidents.with_interventions(incident, retractions={})
    assert reviews.apply_verdict(incident, one, given, None) is None
    incident = incidents.with_interventions(incident, retractions={"e1/page": first})
    assert reviews.apply_verdict(incident, one, given, None).interventions.verdicts == {"page": given}


@pytest.mark.parametrize("what", WHATS)
def test_decisions_on_two_pages_are_independent(what):
    incident = opened(what)
    for page in ("page", "other-page"):
        one = make_review(what, page)
        earlier = incident.interventions.verdicts.get(page)
        incident = reviews.apply_verdict(
            incident, one, reviews.verdict(one, reviews.ReviewDecision("approved", "ann"), 5), earlier
        )
        assert incident is not None
    assert incident.interventions.verdicts.keys() == {"page", "other-page"}


@pytest.mark.parametrize(("what", "kind"), KINDS)
def test_decision_on_another_episode_is_refused(what, kind):
    verdict, fields = WORDS[kind]
    one = make_review(what)
    given = reviews.verdict(one, reviews.ReviewDecision(verdict, "ann", fields=fields), 5)
    later = msgspec.structs.replace(opened(what), episode="e2", interventions=incidents.Interventions())
    assert reviews.apply_verdict(later, one, given, None) is None
