"""The verdict on accepted deliveries: each is processed, and its alert fires and is open at each vendor once."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.outbound import client
from router.store import client as store_client
from router.store.store import Store
from tools.soak import cluster, load

_OVERLAP = 30_000_000  # Microseconds. Covers deliveries that were processed before their sender received the response.


class Verdict(NamedTuple):
    """The differences from the expected state; all lists are empty if there are none.

    ``lost`` are accepted deliveries and alerts that are missing, ``doubled`` are those that exist more than once, and
    ``behind`` are those that aren't done yet, or never will be.
    """

    lost: list[str]
    doubled: list[str]
    behind: list[str]

    @property
    def clean(self) -> bool:
        """Whether there are no differences."""
        return not any(self)


class Witness:
    """Follows accepted deliveries, and judges the result at the end."""

    def __init__(self, store: Store, vendors: client.Client, ledger: load.Ledger) -> None:
        self._store = store
        self._vendors = vendors
        self._ledger = ledger
        self._archive = store.archive

    async def follow(self, since: int) -> None:
        """Remove deliveries from the ledger that were processed since a time (microseconds). Raises ``Unavailable``."""
        async for one in self._archive.since(Timestamp(since - _OVERLAP)):
            self._ledger.open.discard(one.delivery.id)

    async def judge(self, since: int) -> Verdict:
        """Compare the current state with the ledger. ``since`` is the time of the last call to ``follow``.

        Raises ``Unavailable`` and failures of calls if the state can't be read.
        """
        await self.follow(since)
        lost = [f"delivery {delivery} was accepted and not processed" for delivery in sorted(self._ledger.open)]
        firing = self._ledger.firing()
        names = {f'soak{{labels.key="{key}"}}': key for key in firing}
        for name, held in (await self._store.incidents.read(names)).items():
            found = {alert.partition("/")[2] for alert in held.incident.firing}
            if found != firing[names[name]]:
                lost.append(f"{names[name]}: {sorted(found)} fire, and {sorted(firing[names[name]])} should")
        state = (await self._vendors.call("GET", "/state")).body
        wanted = Counter(key for key, alerts in firing.items() if alerts)
        return Verdict(lost, list(doubled(state, wanted)), await self._behind(state, wanted))

    async def _behind(self, state: Mapping[str, Any], wanted: Counter[str]) -> list[str]:
        waiting, _ = await self._store.inbox.depth()
        behind = [f"{waiting} deliveries are still in the inbox"] if waiting else []
        behind += [f"{one.id} is a dead letter: {one.reason}" for one in await self._store.dead_deliveries.read()]
        for place, found in shown(state).items():
            behind += [f"{key} is not open at {place}" for key in sorted(wanted - found)]
        return behind


async def held(store: Store) -> tuple[int, int]:
    """Return how many bytes Redis has allocated for its data, and how many keys it has."""
    async with store_client.translate_errors():
        memory = await store.redis.info("memory")
        return int(memory["used_memory"]), int(await store.redis.dbsize())


def shown(state: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """Return how often each incident key is open at each destination, according to the simulated vendors' state."""
    ours, theirs = state["incident-io"], state["devhelm"]
    # The other pages create their own drafts automatically.
    posts = [post for page in theirs["pages"] if page["name"] == cluster.PAGE for post in page["incidents"]]
    found: dict[str, list[tuple[str, bool]]] = {
        "on-call": [(one["name"], one["incident_status"]["category"] != "closed") for one in ours["incidents"]],
        "public-page": [(one["name"], one["incident_status"] != "resolved") for one in ours["status_page_incidents"]],
        "devhelm": [(one["incident"]["title"], one["incident"]["status"] != "RESOLVED") for one in theirs["incidents"]],
        "devhelm-page": [(one["title"], one["status"] != "RESOLVED") for one in posts],
    }
    return {place: Counter(_key(title) for title, still in all_of_it if still) for place, all_of_it in found.items()}


def doubled(state: Mapping[str, Any], wanted: Counter[str]) -> Iterator[str]:
    """Yield incidents that are open wrongly or more than once, and those that incident.io has ever had twice."""
    for place, found in shown(state).items():
        for key, times in (found - wanted).items():
            yield f"{key} is open {times} times too often at {place}"
    opened = Counter(one["summary"].rpartition("Reference: ")[2] for one in state["incident-io"]["incidents"])
    for reference, times in opened.items():
        if times > 1:
            yield f"incident.io has {times} incidents of {reference}"


def _key(title: str) -> str:
    """Return the incident key in a title."""
    return next((word for word in title.split() if word[0] == "k" and word[1:].isdigit()), title)
