"""An alert storm on a real server: so many incidents open in a while, the others wait for their turn."""

import msgspec
import pytest

from router.domain import decision, review, severity
from router.store import gate, incidents, keys, storms
from router.worker import reports
from tests.integration import stage, vendor

MAJOR, CRITICAL, MINOR = severity.Severity.MAJOR, severity.Severity.CRITICAL, severity.Severity.MINOR
TWO = gate.Limit(2, stage.HOUR)
WITH_PAGE = stage.rule(
    decision.Target("on-call", {"name": "Down"}), decision.Target("page", {"title": "Down", "message": "Sorry."})
)


class Scene:
    """A worker that lets two incidents open in an hour, at one vendor and one public page."""

    def __init__(self, connection, most: gate.Limit | None = TWO) -> None:
        self.pager, self.page = vendor.Vendor(), vendor.Vendor()
        self.places = [vendor.on_call(self.pager), vendor.place("page", self.page, public=True)]
        self.on = stage.Stage(connection, *self.places, most=most)
        self.connection = connection

    async def fires(self, *names: str, level=MAJOR, response=None, resolved: bool = False) -> None:
        for name in names:
            told = stage.resolved(name) if resolved else stage.firing(name)
            await self.on.deliver(told, key=name, level=level, response=response or stage.rule())
            await self.on.turn()

    async def room(self) -> None:
        """Let the hour pass: nothing that was let in counts any more."""
        await self.connection.delete(keys.ADMITTED)
        await self.on.storms.turn()
        await self.on.turn()

    def opened(self) -> list[str]:
        return sorted(one["content"].fields["alert"].split()[0] for one in self.pager.incidents.values())

    async def told(self, name: str) -> list[str]:
        return [event.text for event in await self.on.incidents.timeline(name) if event.what == "storm"]

    async def held(self, name: str) -> bool:
        return any(one.held_since for one in await self.on.publications.look(name))


@pytest.fixture
def playing(with_redis):
    def playing(play, most: gate.Limit | None = TWO) -> None:
        async def body(connection):
            await play(Scene(connection, most))

        with_redis(body)

    return playing


def test_beyond_so_many_incidents_none_opens_until_there_is_room_and_then_each_once(playing):
    async def play(scene):
        await scene.fires("a", "b", "c", "d", "e")
        assert scene.opened() == ["a", "b"]
        assert await scene.told("a") == []
        assert await scene.told("c") == [
            "It waits: alert storm, 2 incidents have begun to open within 1h. "
            "It opens when there is room, the most severe first."
        ]
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "d"]
        await scene.room()
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "d", "e"]
        assert (await scene.told("e"))[1:] == ["It is held back no longer, after 0 s in an alert storm."]
        await scene.fires("a", "b", "c", "d", "e", resolved=True)
        assert scene.pager.states() == ["resolved"] * 5
        assert scene.pager.kinds.count("open") == 5

    playing(play)


def test_the_most_severe_opens_first(playing):
    async def play(scene):
        await scene.fires("a", "b")
        await scene.fires("c", "d", level=MINOR)
        await scene.fires("e", level=CRITICAL)
        await scene.fires("f")
        await scene.room()
        assert scene.opened() == ["a", "b", "e", "f"]

    playing(play)


def test_what_gets_worse_while_it_waits_is_moved_up(playing):
    async def play(scene):
        await scene.fires("a", "b", "c", "d", "e")
        await scene.on.deliver(stage.firing("worse"), key="e", level=CRITICAL)
        await scene.on.turn()
        await scene.room()
        assert scene.opened() == ["a", "b", "c", "e"]

    playing(play)


def test_what_is_over_before_its_turn_never_opens(playing):
    async def play(scene):
        await scene.fires("a", "b", "c", "d")
        await scene.fires("c", resolved=True)
        assert (await scene.told("c"))[-1] == "It was over before its turn in an alert storm: nothing was opened."
        assert not await scene.held("c")
        await scene.room()
        assert scene.opened() == ["a", "b", "d"]
        assert (await scene.on.storms.turn()).waiting == 0

    playing(play)


def test_an_incident_that_fires_again_is_asked_for_anew(playing):
    async def play(scene):
        await scene.fires("a", "b", "c")
        await scene.fires("c", resolved=True)
        await scene.on.deliver(stage.firing("c", starts_at=900), key="c")
        await scene.on.turn()
        assert len(await scene.told("c")) == 3
        await scene.room()
        assert scene.opened() == ["a", "b", "c"]

    playing(play)


def test_what_is_quiet_leaves_the_queue_and_takes_its_place_again_when_it_fires(playing):
    patient = decision.Response(
        "down", "rules/a.yaml:3", "v1", (decision.Target("on-call", {"name": "x"}),),
        timing=decision.Timing(resolve_after=stage.HOUR),
    )  # fmt: skip

    async def play(scene):
        await scene.fires("a", "b", "c", "d", response=patient)
        await scene.fires("c", resolved=True, response=patient)
        assert (await scene.on.storms.turn()).waiting == 1
        await scene.on.deliver(stage.firing("c", starts_at=900), key="c", response=patient)
        await scene.on.turn()
        storm = await scene.on.storms.turn()
        assert storm.waiting == 2
        await scene.connection.delete(keys.ADMITTED)
        assert [one.incident for one in (await scene.on.storms.turn()).next] == ["c", "d"]

    playing(play)


def test_a_page_that_would_be_reviewed_waits_with_its_incident_and_nobody_is_asked(playing):
    async def play(scene):
        await scene.fires("a", "b", "c", response=WITH_PAGE)
        assert [bool(one.waits_of) for one in await scene.on.publications.look("c")] == [False, False]
        await scene.room()
        assert [bool(one.waits_of) for one in await scene.on.publications.look("c")] == [False, True]

    playing(play)


def test_what_only_waits_for_a_person_takes_no_room_and_opens_at_their_word(playing):
    reviewed = stage.rule(decision.Target("page", {"title": "Down", "message": "Sorry."}))

    async def play(scene):
        await scene.fires("a", "b", "c", response=reviewed)
        await scene.fires("d", "e", "f")
        assert scene.opened() == ["d", "e"]
        held = (await scene.on.incidents.read(["c"]))["c"]
        assert held.incident.status == "open"
        await _approve(scene, "c")
        assert scene.page.states() == ["open"]

    playing(play)


async def _approve(scene: Scene, name: str) -> None:
    """Let a person say that it may be shown."""

    def make(held):
        verdicts = {"page": review.Verdict("approved", "ann", 1, "")}
        return incidents.Change(msgspec.structs.replace(held.incident, verdicts=verdicts), held.version, wake=True)

    await scene.on.incidents.change(name, make)
    await scene.on.turn()


def test_the_router_s_own_reports_never_wait(playing):
    async def play(scene):
        await scene.fires("a", "b", "c")
        told = reports.BREAKER.alert("firing", 1, 2, "too many")
        await scene.on.deliver(told, key=reports.BREAKER.key)
        await scene.on.turn()
        assert len(scene.opened()) == 3

    playing(play)


def test_an_episode_that_was_let_in_is_never_asked_again_though_the_vendor_keeps_it_waiting(playing):
    async def play(scene):
        scene.pager.before += [vendor.temporary(0.3)]
        await scene.fires("a")
        assert scene.opened() == []
        await scene.connection.delete(keys.ADMITTED)
        await scene.fires("b", "c", "d")
        await scene.on.until(lambda: "a" in scene.opened())
        assert scene.opened() == ["a", "b", "c"]
        assert await scene.told("a") == []

    playing(play)


def test_a_worker_that_dies_between_the_count_and_the_record_counts_once(playing):
    async def play(scene):
        await scene.on.deliver(stage.firing("a"), key="a")
        await scene.on.fold()
        held = (await scene.on.incidents.read(["a"]))["a"].incident
        count = storms.Storms(scene.connection, TWO)
        assert await count.admits(storms.Episode(held.episode, "a"), MAJOR, 1)
        await scene.on.turn()
        await scene.fires("b", "c")
        assert scene.opened() == ["a", "b"]

    playing(play)


def test_two_workers_let_no_more_in_than_one(playing):
    async def play(scene):
        other = stage.Stage(scene.connection, *scene.places, consumer="w2", most=TWO)
        for number in range(6):
            await scene.on.deliver(stage.firing(f"k{number}"), key=f"k{number}")
        await scene.on.fold()
        leases = await scene.on.due()
        for lease in leases[:3]:
            await scene.on.reconciler.reconcile(lease)
        for lease in leases[3:]:
            await other.reconciler.reconcile(lease)
        assert len(scene.opened()) == 2

    playing(play)


def test_where_nothing_is_set_everything_opens_and_what_was_held_back_goes_on(playing):
    async def play(scene):
        await scene.fires("a", "b", "c")
        unlimited = stage.Stage(scene.connection, *scene.places, consumer="w2")
        assert (await unlimited.storms.turn()).waiting == 0
        await scene.on.publications.wake_all()
        await unlimited.turn()
        assert scene.opened() == ["a", "b", "c"]

    playing(play)


def test_what_would_not_open_any_more_by_itself_gives_its_place_up(playing):
    automatic = stage.rule(decision.Target("page", {"title": "Down", "message": "Sorry."}, "auto"))

    async def play(scene):
        await scene.fires("a", "b", "c", response=automatic)
        await gate.Gate(scene.connection).shut("breaker", "breaker", 1, "too many")
        await scene.room()
        assert (await scene.on.storms.turn()).waiting == 0
        (one,) = await scene.on.publications.look("c")
        assert one.waits_of
        assert scene.page.states() == ["open", "open"]

    playing(play)


def test_who_is_gone_without_a_word_is_not_waited_for(playing):
    async def play(scene):
        count = storms.Storms(scene.connection, TWO)
        await scene.fires("a", "b", "c")
        assert not await count.admits(storms.Episode("f" * 32, "gone"), MAJOR, 1)
        assert (await scene.on.storms.turn()).waiting == 2
        await scene.room()
        assert (await scene.on.storms.turn()).waiting == 0
        assert scene.opened() == ["a", "b", "c"]

    playing(play)
