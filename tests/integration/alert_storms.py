"""Runs a worker that limits the number of incidents that open per window."""

from router.domain import severities
from router.store import keys, publishing_state
from tests.integration import vendor, workers

TWO = publishing_state.Limit(2, workers.HOUR)


class StormHarness:
    """A worker that opens at most two incidents per hour, at one internal destination and one public page."""

    def __init__(self, store, most: publishing_state.Limit | None = TWO) -> None:
        self.pager, self.page = vendor.Vendor(), vendor.Vendor()
        self.places = [vendor.on_call(self.pager), vendor.place("page", self.page, public=True)]
        self.on = workers.WorkerHarness(store, *self.places, most=most)
        self.store = store

    async def fire(self, *names: str, level=severities.Severity.MAJOR, response=None, resolved: bool = False) -> None:
        for name in names:
            told = workers.resolved(name) if resolved else workers.firing(name)
            await self.on.deliver(told, key=name, level=level, response=response or workers.rule())
            await self.on.turn()

    async def room(self) -> None:
        """Expire the window, so that earlier openings no longer count."""
        await self.store.redis.delete(keys.ADMITTED)
        await self.on.storms.turn()
        await self.on.turn()

    def opened(self) -> list[str]:
        return sorted(incident["content"].fields["alert"].split()[0] for incident in self.pager.incidents.values())

    async def storm_events(self, name: str) -> list[str]:
        return [event.text for event in await self.on.incidents.timeline(name) if event.what == "storm"]

    async def held(self, name: str) -> bool:
        return any(publication.held_since for publication in await self.on.publications.look(name))


def run(with_redis, play) -> None:
    """Run the coroutine function ``play`` with a harness on an empty server."""

    async def body(store):
        await play(StormHarness(store))

    with_redis(body)
