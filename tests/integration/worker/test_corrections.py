"""An operator corrects an update that the router posted at DevHelm; later manual changes stay."""

import pytest

from router.domain import corrections as domain_corrections
from router.domain import texts
from router.services import presenters
from router.simulator import faults, server
from router.store import keys
from router.worker import corrections, retractions
from tests.contract import sdks
from tests.integration import drafts, workers

RESPONSE = drafts.rule("auto", update_message="We are on it.")


@pytest.fixture
def simulator():
    with server.Server() as running:
        yield running


class Operator(drafts.DraftHarness):
    """An operator, a published post, and the results of its corrections."""

    def __init__(self, desk):
        self.__dict__ = desk.__dict__
        self.corrections = corrections.Corrections(desk.on.store, desk.on.redis_time)

    async def retracts(self):
        retracting = retractions.Retractions(
            self.on.store, self.on.pages, self.on.reconciler._places, self.on.redis_time
        )
        await retracting.retract("down", "page", retractions.RetractionRequest("ada", "a false alarm"))
        await self.on.turn()

    async def posted(self):
        return corrections.posted(await self.publication())

    async def corrects(self, body, at=-1, *, seen="", status=""):
        one = (await self.posted())[at]
        word = corrections.CorrectionRequest(one.id, body, seen or one.seen, "ada", status, "a typo")
        await self.corrections.correct("down", "page", word)
        return one.id

    async def done(self):
        """Take turns until no correction is pending."""

        async def right():
            one, incident = await self.publication(), await self.on.incident()
            return all(wanted.at <= one.corrected_at for wanted in incident.interventions.corrections.values())

        await self.on.until_awaited(right)

    def bodies(self):
        return [update.body for update in self.post.updates]

    async def timeline_events(self):
        return [(event.what, event.text) for event in await self.on.incidents.timeline("down")]


def run_scene(with_redis, simulator, play, response=RESPONSE):
    async def begin(desk):
        await desk.on.until(lambda: desk.page.posts and desk.post.published_at)
        await play(Operator(desk))

    drafts.run(with_redis, simulator, begin, page="Acme", response=response)


def patches(simulator):
    return [call.body for call in simulator.app.state.calls.all if call.method == "PATCH"]


def test_posted_update_is_corrected_and_keeps_the_reference(with_redis, simulator):
    async def play(desk):
        await desk.corrects("Payments may fail.")
        await desk.done()
        assert desk.bodies()[0].startswith("Payments may fail.\n\nReference: IR-")
        assert [one.text for one in await desk.posted()] == desk.bodies()
        (sent,) = patches(simulator)
        sdks.devhelm_models.UpdateStatusPageIncidentUpdateRequest.model_validate(sent)
        said = await desk.timeline_events()
        assert ("correction", "ada corrects an update at page: a typo") in said
        assert ("operation", "Corrected an update at page: correction requested by ada: a typo.") in said

    run_scene(with_redis, simulator, play)


def test_corrected_text_is_not_a_manual_edit(with_redis, simulator):
    """Updates and the resolution continue, and the rule's first text isn't posted again."""

    async def play(desk):
        await desk.corrects("Payments may fail.")
        await desk.done()
        changed = drafts.rule("auto", update_message="We are on it.", title="The shop is slow")
        await desk.on.deliver(workers.firing("f2"), response=changed)
        await desk.on.deliver(workers.firing(), response=changed)
        await desk.on.turn()
        await desk.on.deliver(workers.resolved(), workers.resolved("f2"), response=changed)
        await desk.on.until(lambda: desk.post.resolved_at)
        assert not (await desk.publication()).taken_over
        assert "Sorry." not in str(desk.bodies()[1:])

    run_scene(with_redis, simulator, play)


def test_resolution_is_corrected_after_the_end(with_redis, simulator):
    async def play(desk):
        await desk.on.deliver(workers.resolved(), response=RESPONSE)
        await desk.on.until(lambda: desk.post.resolved_at)
        await desk.corrects("Resolved at noon.")
        await desk.done()
        assert desk.bodies()[-1] == "Resolved at noon."
        assert desk.post.status == "RESOLVED"

    run_scene(with_redis, simulator, play)


def test_update_changed_by_a_person_is_not_corrected(with_redis, simulator):
    async def play(desk):
        await desk.corrects("Payments may fail.")
        desk.post.updates[0].body = "A colleague's text."
        await desk.done()
        assert desk.bodies() == ["A colleague's text."]
        assert patches(simulator) == []
        (why,) = [text for _, text in await desk.timeline_events() if text.startswith("Could not correct")]
        assert "changed the update at the vendor" in why
        assert (await desk.publication()).rejection is None

    run_scene(with_redis, simulator, play)


def test_corrections_of_outdated_or_foreign_updates_are_refused(with_redis, simulator):
    async def play(desk):
        with pytest.raises(corrections.OutdatedError):
            await desk.corrects("Payments may fail.", seen=texts.mark("something else"))
        desk.state.update_post(desk.page, desk.post, "IDENTIFIED", "By a colleague.", notify=False)
        foreign = corrections.CorrectionRequest(desk.post.updates[-1].id, "Ours.", texts.mark("By a colleague."), "ada")
        await desk.on.turn()
        with pytest.raises(corrections.UnknownUpdateError):
            await desk.corrections.correct("down", "page", foreign)
        await desk.corrects("Payments may fail.")
        with pytest.raises(corrections.UnderWayError):
            await desk.corrects("Payments fail.")

    run_scene(with_redis, simulator, play)


@pytest.mark.parametrize("action", ["act-then-drop", "drop", "500", "429"])
def test_unanswered_correction_is_made_once(with_redis, simulator, action):
    async def play(desk):
        simulator.app.state.faults.append(faults.Fault(action=action, vendor="devhelm", method="PATCH", retry_after=0))
        await desk.corrects("Payments may fail.")
        await desk.done()
        assert desk.bodies()[0].startswith("Payments may fail.")
        assert len(desk.bodies()) == 1

    run_scene(with_redis, simulator, play)


def test_corrected_update_status_resolves_nothing(with_redis, simulator):
    async def play(desk):
        await desk.corrects("Payments may fail.", status="IDENTIFIED")
        await desk.done()
        assert desk.post.updates[0].status == "IDENTIFIED"
        with pytest.raises(corrections.StatusError):
            await desk.corrects("It is over.", status="RESOLVED")
        assert desk.bodies()[0].startswith("Payments may fail.")

    run_scene(with_redis, simulator, play)


def test_frozen_pages_delay_corrections(with_redis, simulator):
    async def play(desk):
        await desk.on.store.publishing_controls.freeze("ada", desk.on.redis_time(), "")
        await desk.corrects("Payments may fail.")
        await desk.on.turn()
        assert patches(simulator) == []
        await desk.on.store.publishing_controls.unfreeze()
        await desk.on.publications.wake_all()
        await desk.done()
        assert len(patches(simulator)) == 1

    run_scene(with_redis, simulator, play)


def test_correction_lost_to_a_retraction_is_reported(with_redis, simulator):
    """The correction waits for the end of a freeze. The freeze doesn't delay the retraction that removes its post."""

    async def play(desk):
        await desk.on.store.publishing_controls.freeze("ada", desk.on.redis_time(), "")
        await desk.corrects("Payments may fail.")
        await desk.on.turn()
        await desk.retracts()
        told = await desk.timeline_events()
        assert ("correction", "The correction by ada at page was not made: retracted by ada.") in told
        incident, publication = await desk.on.incident(), await desk.publication()
        assert domain_corrections.pending(incident.interventions.corrections, publication) is None
        await desk.on.store.publishing_controls.unfreeze()
        await desk.on.publications.wake_all()
        await desk.on.turn()
        assert [sent for sent in patches(simulator) if "Payments may fail." in str(sent)] == []
        assert sum(what == "correction" for what, _ in await desk.timeline_events()) == 2

    run_scene(with_redis, simulator, play)


def test_frozen_correction_of_a_resolved_post_stays_pending(with_redis, simulator):
    async def play(desk):
        await desk.on.deliver(workers.resolved(), response=RESPONSE)
        await desk.on.until(lambda: desk.post.resolved_at)
        await desk.on.store.publishing_controls.freeze("ada", desk.on.redis_time(), "all hands")
        await desk.corrects("Resolved at noon.")
        await desk.on.turn()
        (held_back,) = [text for what, text in await desk.timeline_events() if what == "freeze"]
        assert held_back.startswith("At page: public posts are frozen: all hands")
        incident, publication = await desk.on.incident(), await desk.publication()
        assert presenters.problems(incident, [publication], is_awaited=False) == ["frozen"]
        assert await desk.on.store.redis.pttl(keys.publications("down")) == -1, "it does not expire meanwhile"

    run_scene(with_redis, simulator, play)
