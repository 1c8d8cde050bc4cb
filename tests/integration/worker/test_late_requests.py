"""A vendor applies a request minutes after the call timed out: the router finds and reverts the effects."""

import functools

import msgspec
import pytest

from router.domain import decisions, severities
from router.domain.incidents import QuietPeriod
from router.store import incidents, publications
from tests.end_to_end import harness
from tests.integration import vendors, workers

MICROS = 1_000_000
without_keys = pytest.mark.parametrize("kind", ["devhelm", "devhelm-status-page"])


class DyingWorker:
    """A worker that dies once at one point. It neither records anything nor releases its lease."""

    def __init__(self, point: str) -> None:
        self.point = point
        self.is_dead = False

    def __call__(self, point: str) -> None:
        if point == self.point and not self.is_dead:
            self.is_dead = True
            raise publications.LeaseLostError


def carry_out(scene: vendors.VendorHarness, request: dict) -> None:
    """Apply a request that the vendor has received before."""
    url = f"{scene.at.url}/{request['vendor']}{request['path']}"
    status, answer = harness.ask(url, request["body"], "any key", request["method"])
    assert status in {200, 201}, answer


@without_keys
def test_open_of_killed_worker_is_searched_for(with_redis, kind):
    """The vendor applies the killed worker's request after another worker has found nothing and opened again."""
    dying = DyingWorker("before-record")

    async def body(store):
        with harness.vendors() as at:
            async with vendors.run_harness(store, at, kind, passed=dying) as scene:
                scene.fault("drop")
                await scene.fire()
                assert dying.is_dead
                await scene.expire_lease()
                old = await scene.on.redis_now() - 60 * MICROS
                intent = msgspec.structs.replace((await scene.get_publication()).intent, begun_at=old)
                await scene.changed(intent=intent)
                await scene.eventually(lambda: scene.states() == ["open"])
                carry_out(scene, scene.list_creates()[0])
                assert scene.states() == ["open", "open"]
                publication = await scene.get_publication()
                assert publication.search_at
                await scene.changed(unanswered_at=publication.unanswered_at - 181 * MICROS)
                await scene.on.turn()
                assert sorted(scene.states()) == ["open", "resolved"]

    with_redis(body)


UPDATES = {
    "incident-io-status-page": "/v2/status_page_incident_updates",
    "devhelm-status-page": "/api/v1/status-pages/",
}
pages = pytest.mark.parametrize("kind", UPDATES)


@pytest.fixture
def play(with_redis):
    """Run a coroutine function with a scene of a kind."""
    return functools.partial(vendors.run, with_redis)


def list_updates(scene: vendors.VendorHarness) -> list[dict]:
    ends = ("/updates", "status_page_incident_updates")
    return [call for call in scene.at.calls("POST") if call["path"].endswith(ends)]


def status(scene: vendors.VendorHarness) -> str:
    """Return the status that the page shows for its only post."""
    if scene.kind == "devhelm-status-page":
        return str(scene.at.posts()[0]["status"]).lower()
    return str(scene.at.state()["incident-io"]["status_page_incidents"][0]["incident_status"])


def get_fields(scene: vendors.VendorHarness) -> dict[str, str]:
    """Return the rule's fields in addition to the scene's, in the vendor's format."""
    word = "IDENTIFIED" if scene.kind == "devhelm-status-page" else "identified"
    texts = {"update_message": "It is worse.", "resolve_message": "It is over."}
    return {**texts, "status": word, "update_status": word}


async def raise_severity(scene: vendors.VendorHarness) -> None:
    """Raise the severity, so that the post is updated."""
    critical = severities.Severity.CRITICAL
    response = scene.response(**get_fields(scene))
    await scene.on.deliver(workers.firing("down"), key="down", level=critical, response=response)
    await scene.on.turn()


async def lose_update(scene: vendors.VendorHarness) -> dict:
    """Let an update get no response, and return its request after the update was repeated."""
    await scene.fire(**get_fields(scene))
    scene.fault("drop", "POST", UPDATES[scene.kind])
    await raise_severity(scene)
    await scene.changed(retry_at=0)
    await scene.eventually(lambda: len(list_updates(scene)) == 2)
    lost, repeated = list_updates(scene)
    assert (lost["fault"], repeated["fault"]) == ("drop", "")
    return lost


async def advance_three_minutes(scene: vendors.VendorHarness) -> None:
    """Advance to the time of the router's check for late changes at the vendor."""
    publication = await scene.get_publication()
    assert publication.verify_at
    await scene.changed(unanswered_change_at=publication.unanswered_change_at - 181 * MICROS, acted_at=1, looked_at=0)
    await scene.on.turn()


@pages
def test_late_update_does_not_reopen_a_resolved_post(play, kind):
    async def body(scene):
        lost = await lose_update(scene)
        await scene.end_alert()
        assert status(scene) == "resolved"
        carry_out(scene, lost)
        assert status(scene) == "identified"
        await advance_three_minutes(scene)
        assert status(scene) == "resolved"
        events = [event.text for event in await scene.on.incidents.timeline("down")]
        assert any("carried out an unanswered change late" in text for text in events)

    play(kind, body)


@pages
def test_late_update_is_undone_after_unanswered_resolution(play, kind):
    async def body(scene):
        lost = await lose_update(scene)
        scene.fault("act-then-drop", "POST", UPDATES[kind])
        await scene.end_alert()

        async def is_recorded() -> bool:
            return (await scene.get_publication()).state == "resolved"

        await scene.on.wait_until_async(is_recorded)
        carry_out(scene, lost)
        assert status(scene) == "identified"
        await advance_three_minutes(scene)
        assert status(scene) == "resolved"

    play(kind, body)


@pages
def test_late_update_between_resolution_attempts_is_undone(play, kind):
    """The post is open again. Its timeline has the router's own resolution, whose response was lost."""

    async def body(scene):
        lost = await lose_update(scene)
        scene.fault("act-then-drop", "POST", UPDATES[kind])
        await scene.end_alert()
        assert (await scene.get_publication()).intent.kind == "resolve"
        assert status(scene) == "resolved"
        carry_out(scene, lost)
        assert status(scene) == "identified"
        await scene.changed(retry_at=0)
        await scene.on.turn()
        assert (status(scene), (await scene.get_publication()).taken_over) == ("resolved", "")

    play(kind, body, waits_seconds=60.0)


@pages
def test_late_update_of_killed_worker_is_undone(play, kind):
    dying = DyingWorker("before-record")
    dying.is_dead = True  # The worker must not die during the open.

    async def body(scene):
        await scene.fire(**get_fields(scene))
        dying.is_dead = False
        scene.fault("drop", "POST", UPDATES[scene.kind])
        await raise_severity(scene)
        assert dying.is_dead
        await scene.expire_lease()
        await scene.eventually(lambda: len(list_updates(scene)) == 2)
        await scene.end_alert()
        carry_out(scene, list_updates(scene)[0])
        assert status(scene) == "identified"
        await advance_three_minutes(scene)
        assert status(scene) == "resolved"

    play(kind, body, passed=dying)


@pages
def test_late_monitoring_is_reverted_while_firing(play, kind):
    """Otherwise the page would show a monitored fix while alerts fire again."""

    async def body(scene):
        words = [word.upper() if kind == "devhelm-status-page" else word for word in ("monitoring", "investigating")]
        monitoring = {"update_status": words[0], "update_message": "It works again."}
        ending = decisions.Ending(workers.HOUR, monitoring, {"update_status": words[1]})
        rule = workers.rule(decisions.Target(vendors.NAME, vendors.FIELDS[kind], "auto", ending=ending))
        await scene.on.deliver(workers.firing(starts_at=1_000), response=rule)
        await scene.on.turn()
        scene.fault("drop", "POST", UPDATES[kind])
        await scene.on.deliver(workers.resolved(starts_at=1_000), response=rule)
        await scene.eventually(lambda: len(list_updates(scene)) == 2)
        assert status(scene) == "monitoring"
        await scene.on.deliver(workers.firing(starts_at=2_000), response=rule)
        await scene.eventually(lambda: status(scene) == "investigating")
        carry_out(scene, list_updates(scene)[0])
        assert status(scene) == "monitoring"
        await advance_three_minutes(scene)
        assert status(scene) == "investigating"

    play(kind, body)


@pytest.mark.parametrize("fires", [False, True], ids=["resolved", "firing again"])
def test_late_status_change_is_undone(play, fires):
    """DevHelm takes the status and the text of a change in two requests: the first request adds no text."""

    async def body(scene):
        ending = decisions.Ending(workers.HOUR, {"update_status": "MONITORING"}, {"update_status": "INVESTIGATING"})
        rule = workers.rule(decisions.Target(vendors.NAME, vendors.FIELDS[scene.kind], "auto", ending=ending))
        await scene.on.deliver(workers.firing(starts_at=1_000), response=rule)
        await scene.on.turn()
        scene.fault("drop", "PUT", UPDATES[scene.kind])
        await scene.on.deliver(workers.resolved(starts_at=1_000), response=rule)
        await scene.eventually(lambda: status(scene) == "monitoring")
        [lost] = [call for call in scene.at.calls("PUT") if call["fault"] == "drop"]
        if fires:
            await scene.on.deliver(workers.firing(starts_at=2_000), response=rule)
        else:
            await scene.on.incidents.update("down", monitored_long_ago)
        shown = "investigating" if fires else "resolved"
        await scene.eventually(lambda: status(scene) == shown)
        carry_out(scene, lost)
        assert status(scene) == "monitoring"
        await advance_three_minutes(scene)
        assert status(scene) == shown

    play("devhelm-status-page", body)


def monitored_long_ago(held):
    """Advance past the end of the monitoring."""
    earlier = msgspec.structs.replace(held.incident, quiet=QuietPeriod(1, 1))
    return incidents.Change(earlier, held.version, wake=True)


@pages
def test_monitoring_answered_with_conflict_does_not_block_resolution(play, kind):
    """The vendor has posted the update and returns 409. The incident is closed before the router repeats the update."""

    async def body(scene):
        word = "MONITORING" if kind == "devhelm-status-page" else "monitoring"
        ending = decisions.Ending(workers.HOUR, {"update_status": word, "update_message": "It works again."})
        rule = workers.rule(decisions.Target(vendors.NAME, vendors.FIELDS[kind], "auto", ending=ending))
        await scene.on.deliver(workers.firing(starts_at=1_000), response=rule)
        await scene.on.turn()
        scene.fault("act-then-conflict", "POST", UPDATES[kind], retry_after=3_600)
        await scene.on.deliver(workers.resolved(starts_at=1_000), response=rule)
        await scene.on.turn()
        assert status(scene) == "monitoring"
        assert await scene.on.incidents.update("down", monitored_long_ago)
        await scene.changed(retry_at=0)
        await scene.eventually(lambda: status(scene) == "resolved")
        assert (await scene.get_publication()).taken_over == ""

    play(kind, body)


@pytest.mark.parametrize("refused_with", [403, 400], ids=["for now", "for good"])
def test_half_done_monitoring_is_reverted_while_firing(play, refused_with):
    """DevHelm has changed the status, and refused the text. The alert fires before the router retries."""

    async def body(scene):
        monitoring = {"update_status": "MONITORING", "update_message": "It works again."}
        ending = decisions.Ending(workers.HOUR, monitoring, {"update_status": "INVESTIGATING"})
        rule = workers.rule(decisions.Target(vendors.NAME, vendors.FIELDS[scene.kind], "auto", ending=ending))
        await scene.on.deliver(workers.firing(starts_at=1_000), response=rule)
        await scene.on.turn()
        scene.fault("status", "POST", UPDATES[scene.kind], status=refused_with, retry_after=3_600)
        await scene.on.deliver(workers.resolved(starts_at=1_000), response=rule)
        await scene.on.turn()
        assert status(scene) == "monitoring"
        await scene.on.deliver(workers.firing(starts_at=2_000), response=rule)
        await scene.on.turn()
        await scene.changed(retry_at=0)
        await scene.eventually(lambda: status(scene) == "investigating")

    play("devhelm-status-page", body)


@pages
def test_person_may_reopen_a_post_after_unanswered_update(play, kind):
    """A text that the router hasn't posted is a manual one."""

    async def body(scene):
        lost = await lose_update(scene)
        await scene.end_alert()
        named = "message" if kind == "incident-io-status-page" else "body"
        carry_out(scene, {**lost, "body": {**lost["body"], named: "We are still looking."}})
        await advance_three_minutes(scene)
        assert status(scene) == "identified"
        assert (await scene.get_publication()).state == "resolved"

    play(kind, body)


@pages
def test_failed_read_for_late_update_is_repeated(play, kind):
    async def body(scene):
        lost = await lose_update(scene)
        await scene.end_alert()
        carry_out(scene, lost)
        scene.fault("500", "GET", "", count=1000)
        await advance_three_minutes(scene)
        publication = await scene.get_publication()
        assert (status(scene), publication.condition) == ("identified", "unreachable")
        assert publication.verify_at
        harness.ask(f"{scene.at.url}/faults", method="DELETE")
        await scene.changed(retry_at=1)
        await scene.on.turn()
        assert status(scene) == "resolved"

    play(kind, body)
