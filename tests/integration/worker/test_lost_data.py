"""With lost or restored data, no incident is opened twice, and resolved incidents are resolved at every destination."""

import dataclasses

import pytest

from router.bootstrap import factories
from router.services import orphans
from router.worker import restored_incidents
from tests.end_to_end import harness
from tests.integration import lost_data

MANY = [f"k{number:02}" for number in range(20)]


def test_repeats_after_flushall_open_nothing_new(with_redis, tmp_path):
    """Twenty incidents are open when all data is lost. Half of their alerts fire again, and all of them resolve."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", MANY)
            await scene.wait_until_shown(*["open"] * 20)
            await scene.store.redis.flushall()
            await scene.send_messages("firing", MANY[:10])
            state = await scene.wait_until_noticed("vanished")
            assert state.lost_at

            async def adopted():
                found = [await scene.get_publications(key) for key in MANY[:10]]
                return all(set(one) == set(lost_data.PLACES) and is_open(one) for one in found)

            await scene.wait_until(adopted)
            await scene.wait_until_shown(*["open"] * 20)
            assert (await scene.state()).orphans == 40
            await scene.send_messages("resolved", MANY)
            await scene.wait_until_shown(*["resolved"] * 20)

            async def settled():
                return (await scene.state()).orphans == 0

            await scene.wait_until(settled)

    lost_data.run(with_redis, tmp_path, play)


def test_operator_resolves_an_orphan(with_redis, tmp_path):
    """The alerts of the orphaned incident never arrive again. A freeze also applies to its posts."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b"], text="Something is wrong")
            await scene.wait_until_shown("open", "open")
            await scene.store.redis.flushall()
            await scene.wait_until_noticed("vanished")
            found = await orphans.read_all(scene.store)
            assert sorted(one.destination for one in found) == sorted([*lost_data.PLACES, *lost_data.PLACES])
            await scene.store.publishing_controls.freeze("ann", 1, "all hands")
            for destination in lost_data.PLACES:
                one = next(one for one in found if one.destination == destination)
                await orphans.resolve(
                    scene.settings, scene.store, one, "ann", factories.clock(), randomness=factories.randomness()
                )
            await scene.wait_until_shown("open", "resolved", at=("on-call", "devhelm"))
            assert await scene.words() == {
                "on-call": ["open", "resolved"],
                "devhelm": ["open", "resolved"],
                "public-page": ["open", "open"],
                "devhelm-page": ["open", "open"],
            }
            await scene.store.publishing_controls.unfreeze()
            await scene.publications.wake_all()
            await scene.wait_until_shown("open", "resolved")

    lost_data.run(with_redis, tmp_path, play)


def is_open(known):
    return all(one.state == "open" for one in known.values())


def test_restored_backup_opens_nothing_twice(with_redis, tmp_path):
    """Ten incidents are in the backup and ten were opened after it. All alerts fire again; then all resolve."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", MANY[:10])
            await scene.wait_until_shown(*["open"] * 10)
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            await scene.send_messages("firing", MANY[10:])
            await scene.wait_until_shown(*["open"] * 20)
            await scene.restore(backup)
            await scene.send_messages("firing", MANY)
            await scene.wait_until_noticed("went_back")

            async def adopted():
                found = [await scene.get_publications(key) for key in MANY]
                return all(set(one) == set(lost_data.PLACES) and is_open(one) for one in found)

            await scene.wait_until(adopted)
            await scene.wait_until_shown(*["open"] * 20)
            await scene.send_messages("resolved", MANY)
            await scene.wait_until_shown(*["resolved"] * 20)

    lost_data.run(with_redis, tmp_path, play)


def test_unreachable_vendor_delays_its_openings_and_is_reported(with_redis, tmp_path):
    """The open items of an unreachable vendor are unknown, so nothing opens there. Other destinations continue."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b"])
            await scene.wait_until_shown("open", "open")
            for path in ("/api/v1/incidents", "/api/v1/status-pages"):
                scene.at.fault(vendor="devhelm", action="drop", method="GET", path=path, count=1_000_000)
            await scene.store.redis.flushall()
            await scene.send_messages("firing", ["a", "c"])

            async def has_reported_problems():
                return (await scene.state()).problems.keys() == {"devhelm", "devhelm-page"}

            await scene.wait_until(has_reported_problems)
            assert "devhelm can't be read: " in (await scene.state()).describe()
            await scene.wait_until_shown("open", "open", "open", at=("on-call", "public-page"))
            await scene.wait_until_shown("open", "open", at=("devhelm", "devhelm-page"))
            harness.ask(f"{scene.at.url}/faults", method="DELETE")
            await scene.wait_until_shown("open", "open", "open")
            assert (await scene.state()).problems == {}

    lost_data.run(with_redis, tmp_path, play)


def test_resolution_follows_after_vendor_outage(with_redis, tmp_path):
    """The alert resolves before the router has read the open items. They are resolved after they are read."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"], open_after=0, resolve_after=3_600_000_000)
            await scene.wait_until_shown("open")
            for path in ("/api/v1/incidents", "/api/v1/status-pages"):
                scene.at.fault(vendor="devhelm", action="drop", method="GET", path=path, count=1_000_000)
            await scene.store.redis.flushall()
            await scene.send_messages("resolved", ["a"], open_after=3_600_000_000, resolve_after=3_600_000_000)
            await scene.wait_until_shown("resolved", at=("on-call", "public-page"))
            harness.ask(f"{scene.at.url}/faults", method="DELETE")
            await scene.wait_until_shown("resolved")

    lost_data.run(with_redis, tmp_path, play)


def test_adopting_changes_nothing_at_the_vendor(with_redis, tmp_path):
    """Manual edits stay, a published post needs no second review, and no subscriber is notified again."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open")
            await scene.wait_until_idle()
            (incident,) = scene.at.state()["devhelm"]["incidents"]
            path = f"{scene.at.url}/devhelm/api/v1/incidents/{incident['incident']['id']}"
            title = incident["incident"]["title"] + ", says a person"
            assert harness.ask(path, {"title": title}, "any key", "PATCH")[0] == 200
            before = scene.at.state()
            await scene.store.redis.flushall()
            await scene.send_messages("firing", ["a"], publish="review")

            async def adopted():
                publications = await scene.get_publications("a")
                return len(publications) == 4 and is_open(publications)

            await scene.wait_until(adopted)
            assert scene.at.state() == before
            await scene.send_messages("resolved", ["a"], publish="review")
            await scene.wait_until_shown("resolved")
            (incident,) = scene.at.state()["devhelm"]["incidents"]
            assert incident["incident"]["title"] == title

    lost_data.run(with_redis, tmp_path, play)


def test_identical_posts_are_adopted_once_each(with_redis, tmp_path):
    """A page at incident.io shows no reference. The number of open posts equals the number of firing incidents."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b", "c"], text="Something is wrong")
            await scene.wait_until_shown("open", "open", "open")
            await scene.store.redis.flushall()
            await scene.send_messages("firing", ["c", "d", "a", "b"], text="Something is wrong")
            await scene.wait_until_shown("open", "open", "open", "open")
            await scene.send_messages("resolved", ["a", "b"], text="Something is wrong")
            await scene.wait_until_shown("open", "open", "resolved", "resolved")
            posts = [(await scene.get_publications(key))["public-page"].vendor_id for key in "abcd"]
            assert len(set(posts)) == 4

    lost_data.run(with_redis, tmp_path, play)


def test_other_installation_adopts_nothing(with_redis, tmp_path):
    """Two installations share the accounts, and one of them loses its data under another name."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open")
        await scene.store.redis.flushall()
        scene.settings = dataclasses.replace(scene.settings, installation="staging")
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"], text="Staging is down")
            await scene.wait_until_shown("open", "open")
            state = await scene.wait_until_noticed("new")
            assert state.orphans == 1  # The page at incident.io doesn't show which installation owns a post.
            await scene.send_messages("resolved", ["a"], text="Staging is down")
            await scene.wait_until_shown("open", "resolved")

    lost_data.run(with_redis, tmp_path, play)


def test_new_data_set_of_installation_is_reconciled(with_redis, tmp_path):
    """Redis lost all data while no process ran, so no process can notice the loss."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b"])
            await scene.wait_until_shown("open", "open")
        await scene.store.redis.flushall()
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.send_messages("resolved", ["b"])
            await scene.wait_until_shown("open", "resolved")

    lost_data.run(with_redis, tmp_path, play, "installation: production\n")


def test_data_marked_as_restored_is_reconciled(with_redis, tmp_path):
    """The data was restored while the router was stopped, and the restore tool marked it as restored."""

    async def play(scene):
        async with scene.run_worker():
            await scene.wait_until_idle()
        backup = await scene.snapshot()
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open")
        await scene.restore(backup)
        await scene.store.data_set.mark_restored()
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_noticed("restored")

            async def adopted():
                publications = await scene.get_publications("a")
                return len(publications) == 4 and is_open(publications)

            await scene.wait_until(adopted)
            await scene.wait_until_shown("open")

    lost_data.run(with_redis, tmp_path, play)


@pytest.mark.parametrize("starts", ["same", "newer"])
def test_incident_resolved_after_backup_can_reopen(with_redis, tmp_path, starts):
    """The router resolved the incident after the backup, which has it as open."""

    async def play(scene):
        start = factories.clock() - 60_000_000 if starts == "same" else 0
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"], starts_at=start)
            await scene.wait_until_shown("open")
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            await scene.send_messages("resolved", ["a"], starts_at=start)
            await scene.wait_until_shown("resolved")
            await scene.wait_until_idle()
        await scene.restore(backup)
        await scene.store.data_set.mark_restored()
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"], starts_at=start)
            await scene.wait_until_shown("open", "resolved")
            await scene.wait_until_noticed("restored")
            told = [event.text for event in await scene.timeline("a")]
            assert any("was resolved since" in text for text in told)
            assert not any("by a person" in text for text in told)
            await scene.send_messages("resolved", ["a"])
            await scene.wait_until_shown("resolved", "resolved")

    lost_data.run(with_redis, tmp_path, play)


def test_incident_resolved_after_backup_waits_for_alert(with_redis, tmp_path):
    """No alert fires at first. Items that are still open at the vendors stay open."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b"])
            await scene.wait_until_shown("open", "open")
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            await scene.send_messages("resolved", ["a"])
            await scene.wait_until_shown("open", "resolved")
            await scene.restore(backup)
            await scene.wait_until_noticed("went_back")

            async def ended():
                return [one.state for one in (await scene.get_publications("a")).values()] == ["resolved"] * 4

            await scene.wait_until(ended)
            assert is_open(await scene.get_publications("b"))
            await scene.wait_until_shown("open", "resolved")
            await scene.send_messages("firing", ["a", "b"])
            await scene.wait_until_shown("open", "open", "resolved")

    lost_data.run(with_redis, tmp_path, play)


@pytest.mark.parametrize("fires", [True, False])
def test_episode_opened_after_backup_is_resolved(with_redis, tmp_path, fires):
    """The backup has the previous episode. After the restore, the alert either fires again or only resolves."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open")
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            await scene.send_messages("resolved", ["a"])
            await scene.wait_until_shown("resolved")
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open", "resolved")
            await scene.restore(backup)
            if fires:
                await scene.send_messages("firing", ["a"])
            await scene.wait_until_noticed("went_back")
            await scene.send_messages("resolved", ["a"])
            await scene.wait_until_shown("resolved", "resolved")

            async def settled():
                return (await scene.state()).orphans == 0

            await scene.wait_until(settled)

    lost_data.run(with_redis, tmp_path, play)


def test_unreachable_vendor_is_compared_later(with_redis, tmp_path, monkeypatch):
    """An error proves nothing, so items that are open in the data wait until the vendor responds."""
    monkeypatch.setattr(restored_incidents, "_AGAIN", 200_000)

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a", "b"])
            await scene.wait_until_shown("open", "open")
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            await scene.send_messages("resolved", ["a"])
            await scene.wait_until_shown("open", "resolved")
            for path in ("/api/v1/incidents", "/api/v1/status-pages"):
                scene.at.fault(vendor="devhelm", action="drop", path=path, count=1_000_000)
            await scene.restore(backup)
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open", "open", "resolved", at=("on-call", "public-page"))

            async def waiting():
                return (await scene.state()).problems.keys() == {"devhelm", "devhelm-page"}

            await scene.wait_until(waiting)
            known = [
                publication
                for publication in await scene.publications.look("b")
                if publication.destination.startswith("devhelm")
            ]
            assert [one.state for one in known] == ["open", "open"]
            await scene.wait_until_shown("open", "resolved", at=("devhelm", "devhelm-page"))
            harness.ask(f"{scene.at.url}/faults", method="DELETE")
            await scene.wait_until_shown("open", "open", "resolved")
            await scene.send_messages("resolved", ["a", "b"])
            await scene.wait_until_shown("resolved", "resolved", "resolved")

    lost_data.run(with_redis, tmp_path, play)


def test_restored_open_incident_causes_no_call(with_redis, tmp_path):
    """The router makes no calls for items that are open at the vendors."""

    async def play(scene):
        async with scene.run_worker():
            await scene.send_messages("firing", ["a"])
            await scene.wait_until_shown("open")
            await scene.wait_until_idle()
            backup = await scene.snapshot()
            before = scene.at.state()
            await scene.restore(backup)
            await scene.store.data_set.mark_restored()
            lost_at = (await scene.wait_until_noticed("restored")).lost_at

            async def compared():
                return all(one.looked_at >= lost_at for one in (await scene.get_publications("a")).values())

            await scene.wait_until(compared)
            assert is_open(await scene.get_publications("a"))
            assert scene.at.state() == before

    lost_data.run(with_redis, tmp_path, play)
