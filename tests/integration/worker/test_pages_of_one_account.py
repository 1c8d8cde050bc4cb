"""Two pages of one account: with lost or new data, neither destination adopts the other's posts."""

import pytest

from router.bootstrap import factories
from router.domain import alerts, decisions, deliveries, identity, operations, severities
from router.services import orphans
from router.store import dataset
from router.worker import recovery
from tests.end_to_end import harness
from tests.integration import lost_data

PAGE, OTHER = "devhelm-page", "page-eu"
INSTALLATION = "installation: production\n"
PUBLIC = {"title": "Checkout is unavailable", "message": "We are looking at it."}
OWN = {"public-page": "public-too", PAGE: OTHER}


@pytest.fixture(autouse=True)
def _two_pages(monkeypatch):
    """Configure another page at DevHelm, and a second destination for the only page at incident.io."""
    more = """
  page-eu:
    {{kind: devhelm-status-page, api_key: {{env: KEY}}, base_url: {url}/devhelm, page: Acme EU, per_minute: 1000000}}
  public-too:
    {{kind: incident-io-status-page, api_key: {{env: KEY}}, base_url: {url}/incident-io, page: Acme Status,
     per_minute: 1000000}}
worker:"""
    monkeypatch.setattr(harness, "CONFIGURATION", harness.CONFIGURATION.replace("\nworker:", more))


async def deliver_alert(scene, number, key, status, *at):
    """Deliver an alert whose rule opens posts at these destinations."""
    targets = tuple(decisions.Target(name, PUBLIC, publish="auto") for name in at)
    response = decisions.Response("down", "rules/a.yaml:3", f"v{len(at)}", targets, decisions.Timing())
    now = factories.clock()
    alert = alerts.Alert("am", key, status, now - 60_000_000, now if status == "resolved" else 0, title=key)
    decided = decisions.Decision(key, severities.Severity.MAJOR, response)
    await scene.inbox.accept(deliveries.pack(f"m{number}", "am", now, [(alert, decided)]), b"{}")


async def wait_for_next_read(scene):
    """Wait until each destination was read again and the data set is reconciled."""

    async def met():
        state = await scene.state()
        return bool(state.read) and not state.since

    await scene.wait_until(met)


async def wait_for_open(scene, key, *at):
    async def met():
        publications = await scene.get_publications(key)
        return all(name in publications and publications[name].state == "open" for name in at)

    await scene.wait_until(met)


def posts_on(scene, page):
    pages = scene.at.state()["devhelm"]["pages"]
    return [post["status"] for one in pages if one["name"] == page for post in one["incidents"]]


@pytest.mark.parametrize("place", OWN)
def test_post_of_another_destination_is_no_orphan(with_redis, tmp_path, monkeypatch, place):
    """An installation is new. Its posts are open when the destinations are read again."""
    monkeypatch.setattr(recovery, "SETTLED", 3_600_000_000)

    async def play(scene):
        async with scene.run_worker():
            await deliver_alert(scene, 1, "a", "firing", place)
            await deliver_alert(scene, 2, "b", "firing", place)
            await wait_for_open(scene, "a", place)
            await wait_for_open(scene, "b", place)
            state = await scene.state()
            monkeypatch.setattr(recovery, "SETTLED", max(state.read.values()) + 1 - state.since)
            await wait_for_next_read(scene)
            assert await orphans.read_all(scene.store) == []
            await deliver_alert(scene, 3, "a", "firing", place, OWN[place])
            await wait_for_open(scene, "a", place, OWN[place])
            publications = await scene.get_publications("a")
            assert publications[place].vendor_id != publications[OWN[place]].vendor_id
            if place == PAGE:
                assert posts_on(scene, "Acme EU") == ["INVESTIGATING"]

    lost_data.run(with_redis, tmp_path, play, INSTALLATION)


@pytest.mark.parametrize("place", OWN)
def test_orphan_adopted_meanwhile_is_not_resolved(with_redis, tmp_path, place):
    """A destination was read before the router held the item, so the recorded orphan is outdated."""

    async def play(scene):
        async with scene.run_worker():
            await deliver_alert(scene, 1, "a", "firing", place)
            await wait_for_open(scene, "a", place)
            post = (await scene.get_publications("a"))[place]
            reference = identity.reference(post.episode) if place == PAGE else ""
            item = operations.OpenItem(post.vendor_id, reference, PUBLIC["title"], PUBLIC["message"])
            data = scene.store.watch_data_set("test", None)
            orphan = dataset.Orphan(OWN[place], item, identity.owner_of(reference))
            await data.end_reading(OWN[place], 1, [orphan], [item.vendor_id])
            await deliver_alert(scene, 2, "a", "firing", place, OWN[place])
            await wait_for_open(scene, "a", place, OWN[place])
            assert (await scene.get_publications("a"))[OWN[place]].vendor_id != post.vendor_id
            assert await orphans.read_all(scene.store) == []
            await data.end_reading(OWN[place], 1, [orphan], [item.vendor_id])
            (found,) = await orphans.read_all(scene.store)
            assert not await orphans.resolve(
                scene.settings, scene.store, found, "ann", factories.clock(), randomness=factories.randomness()
            )
            assert await orphans.read_all(scene.store) == []
            assert await scene.get_publications(orphans.incident_key(found)) == {}

    lost_data.run(with_redis, tmp_path, play, INSTALLATION)


def test_lost_post_returns_to_its_page(with_redis, tmp_path):
    async def play(scene):
        async with scene.run_worker():
            await deliver_alert(scene, 1, "a", "firing", PAGE, OTHER)
            await wait_for_open(scene, "a", PAGE, OTHER)
            before = {name: one.vendor_id for name, one in (await scene.get_publications("a")).items()}
            await scene.store.redis.flushall()
            await deliver_alert(scene, 2, "a", "firing", OTHER)
            await wait_for_open(scene, "a", OTHER)
            assert (await scene.get_publications("a"))[OTHER].vendor_id == before[OTHER]
            found = await orphans.read_all(scene.store)
            assert [(one.destination, one.item.vendor_id) for one in found] == [(PAGE, before[PAGE])]

    lost_data.run(with_redis, tmp_path, play, INSTALLATION)
