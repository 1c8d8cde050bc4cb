"""Publications of one incident share a document and are handled concurrently: no write undoes a later one."""

import asyncio
import contextlib

from router.domain import decisions
from router.store import publications
from tests.integration import vendor, workers


class Overtaking(publications.Publications):
    """A store that delays the first of two writes until the second has arrived, or a timeout has passed."""

    def __init__(self, *arguments, **more) -> None:
        super().__init__(*arguments, **more)
        self._under_way = 0
        self._arrived = asyncio.Event()

    async def record(self, *arguments) -> bool:
        self._under_way += 1
        first = self._under_way % 2 == 1
        if first:
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.1):
                    await self._arrived.wait()
        done = await super().record(*arguments)
        self._arrived.set()
        return done


def test_older_write_does_not_undo_another_destination(with_redis):
    first, second = vendor.Vendor(), vendor.Vendor()
    places = [vendor.place("a", first), vendor.place("b", second)]

    async def body(on):
        on.publications = on.store.publications = slow = Overtaking(on.store.connection, lease_seconds=30.0)
        targets = (decisions.Target("a", {"name": "Down"}), decisions.Target("b", {"name": "Down"}))
        await on.deliver(workers.firing(), response=workers.rule(*targets))
        await on.turn()
        assert {publication.destination: publication.state for publication in await slow.look("down")} == {
            "a": "open",
            "b": "open",
        }

    workers.run(with_redis, body, *places)
    assert (first.kinds, second.kinds) == (["open"], ["open"])
