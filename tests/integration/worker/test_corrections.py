"""An operator corrects an update that the router posted at DevHelm; later manual changes stay."""

import pytest

from router.domain import texts
from router.domain.corrections import pending
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

    def __init__(self, scene):
        self.__dict__ = scene.__dict__
        self.corrections = corrections.Corrections(scene.on.store, scene.on.redis_time)

    async def retracts(self):
        retracting = retractions.Retractions(
            self.on.store, self.on.pages, self.on.reconciler._places, self.on.redis_time
        )
        await retracting.retract("down", "page", retractions.RetractionRequest("ada", "a false alarm"))
        await self.on.turn()

    async def posted(self):
        return corrections.list_posted(await self.publication())

    async def correct(self, body, at=-1, *, seen="", status=""):
        one = (await self.posted())[at]
        word = corrections.CorrectionRequest(one.id, body, seen or one.seen, "ada", status, "a typo")
        await self.corrections.correct("down", "page", word)
        return one.id

    async def done(self):
        """Take turns until no correction is pending."""

        async def right():
            one, incident = await self.publication(), await self.on.incident()
            return all(wanted.at <= (one.corrected_at or 0) for wanted in incident.interventions.corrections.values())

        await self.on.wait_until_async(right)

    def bodies(self):
        return [update.body for update in self.post.updates]

    async def timeline_events(self):
        return [(event.what, event.text) for event in await self.on.incidents.timeline("down")]


def run_scene(with_redis, simulator, play, response=RESPONSE):
    async def begin(scene):
        await scene.on.wait_until(lambda: scene.page.posts and scene.post.published_at)
        await play(Operator(scene))

    drafts.run(with_redis, simulator, begin, page="Acme", response=response)


def list_patches(simulator):
    return [call.body for call in simulator.app.state.calls.all if call.method == "PATCH"]


def test_posted_update_is_corrected_and_keeps_the_reference(with_redis, simulator):
    async def play(scene):
        await scene.correct("Payments may fail.")
        await scene.done()
        assert scene.bodies()[0].startswith("Payments may fail.\n\nReference: IR-")
        assert [one.text for one in await scene.posted()] == scene.bodies()
        (sent,) = list_patches(simulator)
        sdks.devhelm_models.UpdateStatusPageIncidentUpdateRequest.model_validate(sent)
        said = await scene.timeline_events()
        assert ("correction", "ada corrects an update at page: a typo") in said
        assert ("operation", "Corrected an update at page: correction requested by ada: a typo.") in said

    run_scene(with_redis, simulator, play)


def test_corrected_text_is_not_a_manual_edit(with_redis, simulator):
    """Updates and the resolution continue, and the rule's first text isn't posted again."""

    async def play(scene):
        await scene.correct("Payments may fail.")
        await scene.done()
        changed = drafts.rule("auto", update_message="We are on it.", title="The shop is slow")
        await scene.on.deliver(workers.firing("f2"), response=changed)
        await scene.on.deliver(workers.firing(), response=changed)
        await scene.on.turn()
        await scene.on.deliver(workers.resolved(), workers.resolved("f2"), response=changed)
        await scene.on.wait_until(lambda: scene.post.resolved_at)
        assert not (await scene.publication()).taken_over
        assert "Sorry." not in str(scene.bodies()[1:])

    run_scene(with_redis, simulator, play)


def test_resolution_is_corrected_after_the_end(with_redis, simulator):
    async def play(scene):
        await scene.on.deliver(workers.resolved(), response=RESPONSE)
        await scene.on.wait_until(lambda: scene.post.resolved_at)
        await scene.correct("Resolved at noon.")
        await scene.done()
        assert scene.bodies()[-1] == "Resolved at noon."
        assert scene.post.status == "RESOLVED"

    run_scene(with_redis, simulator, play)


def test_update_changed_by_a_person_is_not_corrected(with_redis, simulator):
    async def play(scene):
        await scene.correct("Payments may fail.")
        scene.post.updates[0].body = "A colleague's text."
        await scene.done()
        assert scene.bodies() == ["A colleague's text."]
        assert list_patches(simulator) == []
        (why,) = [text for _, text in await scene.timeline_events() if text.startswith("Could not correct")]
        assert "changed the update at the vendor" in why
        assert (await scene.publication()).rejection is None

    run_scene(with_redis, simulator, play)


def test_corrections_of_outdated_or_foreign_updates_are_refused(with_redis, simulator):
    async def play(scene):
        with pytest.raises(corrections.OutdatedError):
            await scene.correct("Payments may fail.", seen=texts.mark("something else"))
        scene.state.update_post(scene.page, scene.post, "IDENTIFIED", "By a colleague.", notify=False)
        foreign = corrections.CorrectionRequest(
            scene.post.updates[-1].id, "Ours.", texts.mark("By a colleague."), "ada"
        )
        await scene.on.turn()
        with pytest.raises(corrections.UnknownUpdateError):
            await scene.corrections.correct("down", "page", foreign)
        await scene.correct("Payments may fail.")
        with pytest.raises(corrections.UnderWayError):
            await scene.correct("Payments fail.")

    run_scene(with_redis, simulator, play)


@pytest.mark.parametrize("action", ["act-then-drop", "drop", "500", "429"])
def test_unanswered_correction_is_made_once(with_redis, simulator, action):
    async def play(scene):
        simulator.app.state.faults.append(faults.Fault(action=action, vendor="devhelm", method="PATCH", retry_after=0))
        await scene.correct("Payments may fail.")
        await scene.done()
        assert scene.bodies()[0].startswith("Payments may fail.")
        assert len(scene.bodies()) == 1

    run_scene(with_redis, simulator, play)


def test_corrected_update_status_resolves_nothing(with_redis, simulator):
    async def play(scene):
        await scene.correct("Payments may fail.", status="IDENTIFIED")
        await scene.done()
        assert scene.post.updates[0].status == "IDENTIFIED"
        with pytest.raises(corrections.StatusError):
            await scene.correct("It is over.", status="RESOLVED")
        assert scene.bodies()[0].startswith("Payments may fail.")

    run_scene(with_redis, simulator, play)


def test_frozen_pages_delay_corrections(with_redis, simulator):
    async def play(scene):
        await scene.on.store.publishing_controls.freeze("ada", scene.on.redis_time(), "")
        await scene.correct("Payments may fail.")
        await scene.on.turn()
        assert list_patches(simulator) == []
        await scene.on.store.publishing_controls.unfreeze()
        await scene.on.publications.wake_all()
        await scene.done()
        assert len(list_patches(simulator)) == 1

    run_scene(with_redis, simulator, play)


def test_correction_lost_to_a_retraction_is_reported(with_redis, simulator):
    """The correction waits for the end of a freeze. The freeze doesn't delay the retraction that removes its post."""

    async def play(scene):
        await scene.on.store.publishing_controls.freeze("ada", scene.on.redis_time(), "")
        await scene.correct("Payments may fail.")
        await scene.on.turn()
        await scene.retracts()
        told = await scene.timeline_events()
        assert ("correction", "The correction by ada at page was not made: retracted by ada.") in told
        incident, publication = await scene.on.incident(), await scene.publication()
        assert pending(incident.interventions.corrections, publication) is None
        await scene.on.store.publishing_controls.unfreeze()
        await scene.on.publications.wake_all()
        await scene.on.turn()
        assert [sent for sent in list_patches(simulator) if "Payments may fail." in str(sent)] == []
        assert sum(what == "correction" for what, _ in await scene.timeline_events()) == 2

    run_scene(with_redis, simulator, play)


def test_frozen_correction_of_a_resolved_post_stays_pending(with_redis, simulator):
    async def play(scene):
        await scene.on.deliver(workers.resolved(), response=RESPONSE)
        await scene.on.wait_until(lambda: scene.post.resolved_at)
        await scene.on.store.publishing_controls.freeze("ada", scene.on.redis_time(), "all hands")
        await scene.correct("Resolved at noon.")
        await scene.on.turn()
        (held_back,) = [text for what, text in await scene.timeline_events() if what == "freeze"]
        assert held_back.startswith("At page: public posts are frozen: all hands")
        incident, publication = await scene.on.incident(), await scene.publication()
        assert presenters.problems(incident, [publication], is_awaited=False) == ["frozen"]
        assert await scene.on.store.redis.pttl(keys.publications("down")) == -1, "it does not expire meanwhile"

    run_scene(with_redis, simulator, play)
