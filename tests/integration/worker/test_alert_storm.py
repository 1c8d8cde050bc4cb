"""In an alert storm, a limited number of incidents opens per window, and the others are queued."""

from router.domain import decisions, reviews, severities
from router.domain.incidents import with_interventions
from router.store import incidents, keys, storm_queue
from router.worker import self_alerts
from tests.integration import alert_storms, vendor, workers

MAJOR, CRITICAL, MINOR = severities.Severity.MAJOR, severities.Severity.CRITICAL, severities.Severity.MINOR
WITH_PAGE = workers.rule(
    decisions.Target("on-call", {"name": "Down"}), decisions.Target("page", {"title": "Down", "message": "Sorry."})
)


def test_queued_incidents_open_when_the_limit_resets(with_redis):
    """Each queued incident opens once."""

    async def play(scene):
        await scene.fire("a", "b", "c", "d", "e")
        assert scene.opened() == ["a", "b"]
        assert await scene.storm_events("a") == []
        assert await scene.storm_events("c") == [
            "Queued in an alert storm: 2 incidents have opened within 1h. The most severe incidents open first."
        ]
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "d"]
        await scene.room()
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "d", "e"]
        assert (await scene.storm_events("e"))[1:] == ["Released from the queue of the alert storm after 0 s."]
        await scene.fire("a", "b", "c", "d", "e", resolved=True)
        assert scene.pager.states() == ["resolved"] * 5
        assert scene.pager.kinds.count("open") == 5

    alert_storms.run(with_redis, play)


def test_most_severe_queued_incident_opens_first(with_redis):
    async def play(scene):
        await scene.fire("a", "b")
        await scene.fire("c", "d", level=MINOR)
        await scene.fire("e", level=CRITICAL)
        await scene.fire("f")
        await scene.room()
        assert scene.opened() == ["a", "b", "e", "f"]

    alert_storms.run(with_redis, play)


def test_queued_incident_moves_up_with_its_severity(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c", "d", "e")
        await scene.on.deliver(workers.firing("worse"), key="e", level=CRITICAL)
        await scene.on.turn()
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "e"]

    alert_storms.run(with_redis, play)


def test_incident_resolved_while_queued_never_opens(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c", "d")
        await scene.fire("c", resolved=True)
        assert (await scene.storm_events("c"))[
            -1
        ] == "The alerts resolved while the incident was queued in an alert storm. No incident was opened."
        assert not await scene.held("c")
        await scene.room()
        assert scene.opened() == ["a", "b", "d"]
        assert (await scene.on.storms.turn()).waiting == 0

    alert_storms.run(with_redis, play)


def test_refiring_incident_is_counted_again(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c")
        await scene.fire("c", resolved=True)
        await scene.on.deliver(workers.firing("c", starts_at=900), key="c")
        await scene.on.turn()
        assert len(await scene.storm_events("c")) == 3
        await scene.room()
        assert scene.opened() == ["a", "b", "c"]

    alert_storms.run(with_redis, play)


def test_quiet_incident_leaves_queue_until_it_fires(with_redis):
    patient = decisions.Response(
        "down", "rules/a.yaml:3", "v1", (decisions.Target("on-call", {"name": "x"}),),
        timing=decisions.Timing(resolve_after=workers.HOUR),
    )  # fmt: skip

    async def play(scene):
        await scene.fire("a", "b", "c", "d", response=patient)
        await scene.fire("c", resolved=True, response=patient)
        assert (await scene.on.storms.turn()).waiting == 1
        await scene.on.deliver(workers.firing("c", starts_at=900), key="c", response=patient)
        await scene.on.turn()
        storm = await scene.on.storms.turn()
        assert storm.waiting == 2
        await scene.store.redis.delete(keys.ADMITTED)
        assert [one.incident for one in (await scene.on.storms.turn()).next] == ["c", "d"]

    alert_storms.run(with_redis, play)


def test_queued_incident_requests_no_review(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c", response=WITH_PAGE)
        assert [publication.review is not None for publication in await scene.on.publications.look("c")] == [
            False,
            False,
        ]
        await scene.room()
        assert [publication.review is not None for publication in await scene.on.publications.look("c")] == [
            False,
            True,
        ]

    alert_storms.run(with_redis, play)


def test_incident_in_review_uses_no_room(with_redis):
    """The incident opens after its approval."""
    reviewed = workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}))

    async def play(scene):
        await scene.fire("a", "b", "c", response=reviewed)
        await scene.fire("d", "e", "f")
        assert scene.opened() == ["d", "e"]
        held = (await scene.on.incidents.read(["c"]))["c"]
        assert held.incident.status == "open"
        await _approve(scene, "c")
        assert scene.page.states() == ["open"]

    alert_storms.run(with_redis, play)


async def _approve(scene: alert_storms.StormHarness, name: str) -> None:
    """Approve the pending review."""

    def make(held):
        verdicts = {"page": reviews.Verdict("approved", "ann", 1, "")}
        return incidents.Change(with_interventions(held.incident, verdicts=verdicts), held.version, wake=True)

    await scene.on.incidents.update(name, make)
    await scene.on.turn()


def test_self_reports_are_never_queued(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c")
        told = self_alerts.GUARD.alert("firing", 1, 2, "too many")
        await scene.on.deliver(told, key=self_alerts.GUARD.key)
        await scene.on.turn()
        assert len(scene.opened()) == 3

    alert_storms.run(with_redis, play)


def test_admitted_episode_is_never_queued_again(with_redis):
    """The vendor doesn't respond to the admitted episode."""

    async def play(scene):
        scene.pager.before += [vendor.temporary(0.3)]
        await scene.fire("a")
        assert scene.opened() == []
        await scene.store.redis.delete(keys.ADMITTED)
        await scene.fire("b", "c", "d")
        await scene.on.wait_until(lambda: "a" in scene.opened())
        assert scene.opened() == ["a", "b", "c"]
        assert await scene.storm_events("a") == []

    alert_storms.run(with_redis, play)


def test_worker_killed_after_counting_counts_once(with_redis):
    async def play(scene):
        await scene.on.deliver(workers.firing("a"), key="a")
        await scene.on.fold()
        held = (await scene.on.incidents.read(["a"]))["a"].incident
        assert await scene.store.storm_queue.admit(
            storm_queue.QueuedEpisode(held.episode, "a"), MAJOR, 1, alert_storms.TWO
        )
        await scene.on.turn()
        await scene.fire("b", "c")
        assert scene.opened() == ["a", "b"]

    alert_storms.run(with_redis, play)


def test_two_workers_share_the_storm_limit(with_redis):
    async def play(scene):
        other = workers.WorkerHarness(scene.store, *scene.places, consumer="w2", most=alert_storms.TWO)
        for number in range(6):
            await scene.on.deliver(workers.firing(f"k{number}"), key=f"k{number}")
        await scene.on.fold()
        leases = await scene.on.due()
        for lease in leases[:3]:
            await scene.on.reconciler.reconcile(lease)
        for lease in leases[3:]:
            await other.reconciler.reconcile(lease)
        assert len(scene.opened()) == 2

    alert_storms.run(with_redis, play)


def test_queued_incidents_open_without_a_limit(with_redis):
    """The limit was removed from the configuration."""

    async def play(scene):
        await scene.fire("a", "b", "c")
        unlimited = workers.WorkerHarness(scene.store, *scene.places, consumer="w2")
        assert (await unlimited.storms.turn()).waiting == 0
        await scene.on.publications.wake_all()
        await unlimited.turn()
        assert scene.opened() == ["a", "b", "c"]

    alert_storms.run(with_redis, play)


def test_incident_that_needs_review_leaves_queue(with_redis):
    automatic = workers.rule(decisions.Target("page", {"title": "Down", "message": "Sorry."}, "auto"))

    async def play(scene):
        await scene.fire("a", "b", "c", response=automatic)
        await scene.store.publishing_controls.trip(1, "too many")
        await scene.room()
        assert (await scene.on.storms.turn()).waiting == 0
        (one,) = await scene.on.publications.look("c")
        assert one.review is not None
        assert scene.page.states() == ["open", "open"]

    alert_storms.run(with_redis, play)


def test_deleted_incident_does_not_block_the_queue(with_redis):
    async def play(scene):
        await scene.fire("a", "b", "c")
        assert not await scene.store.storm_queue.admit(
            storm_queue.QueuedEpisode("f" * 32, "gone"), MAJOR, 1, alert_storms.TWO
        )
        assert (await scene.on.storms.turn()).waiting == 2
        await scene.room()
        assert (await scene.on.storms.turn()).waiting == 0
        assert scene.opened() == ["a", "b", "c"]

    alert_storms.run(with_redis, play)
