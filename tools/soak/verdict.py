"""The verdict on what was accepted: processed, firing, and open at the vendors, once each."""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import redis.asyncio

from router.outbound import client
from router.store import archive, dead_deliveries, inbox, incidents
from router.store import client as store
from tools.soak import cluster, load

_OVERLAP = 30_000_000  # Microseconds. What is processed before its sender has the answer is met by the next look.


class Verdict(NamedTuple):
    """What is not as it has to be; all of it is empty where it is.

    ``lost`` is what was accepted and is nowhere to be seen, ``doubled`` what is there more than once, ``behind`` what
    has not come to pass yet, or never will.
    """

    lost: list[str]
    doubled: list[str]
    behind: list[str]

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self)


class Witness:
    """Follows what was accepted, and says in the end what became of it."""

    def __init__(self, connection: "redis.asyncio.Redis", vendors: client.Client, ledger: load.Ledger) -> None:
        self._connection = connection
        self._vendors = vendors
        self._ledger = ledger
        self._archive = archive.Archive(connection, retention=0, max_bytes=0)

    async def follow(self, since: int) -> None:
        """Strike off the ledger what was processed since a moment (microseconds); ``Unavailable`` without the store."""
        async for one in self._archive.since(since - _OVERLAP):
            self._ledger.open.discard(one.delivery.id)

    async def judge(self, since: int) -> Verdict:
        """Compare everything with the ledger, as it is now; ``since`` is the last time that it was followed.

        The store's ``Unavailable``, and the failures of calls, where it cannot be looked at.
        """
        await self.follow(since)
        lost = [f"delivery {delivery} was accepted and not processed" for delivery in sorted(self._ledger.open)]
        firing = self._ledger.firing()
        names = {f'soak{{labels.key="{key}"}}': key for key in firing}
        for name, held in (await incidents.Incidents(self._connection).read(names)).items():
            found = {alert.partition("/")[2] for alert in held.incident.firing}
            if found != firing[names[name]]:
                lost.append(f"{names[name]}: {sorted(found)} fire, and {sorted(firing[names[name]])} should")
        state = (await self._vendors.call("GET", "/state")).body
        wanted = Counter(key for key, alerts in firing.items() if alerts)
        return Verdict(lost, list(doubled(state, wanted)), await self._behind(state, wanted))

    async def _behind(self, state: Mapping[str, Any], wanted: Counter[str]) -> list[str]:
        waiting, _ = await inbox.depth(self._connection)
        behind = [f"{waiting} deliveries are still in the inbox"] if waiting else []
        behind += [
            f"{one.id} is a dead letter: {one.reason}"
            for one in await dead_deliveries.DeadDeliveries(self._connection).read()
        ]
        for place, found in shown(state).items():
            behind += [f"{key} is not open at {place}" for key in sorted(wanted - found)]
        return behind


async def held(connection: "redis.asyncio.Redis") -> tuple[int, int]:
    """How many bytes the store has allocated for what it holds, and how many keys that is."""
    async with store.translate_errors():
        memory = await connection.info("memory")
        return int(memory["used_memory"]), int(await connection.dbsize())


def shown(state: Mapping[str, Any]) -> dict[str, Counter[str]]:
    """At each destination, the incident keys that are open there and how often, of the simulated vendors' state."""
    ours, theirs = state["incident-io"], state["devhelm"]
    # Its other pages make drafts for themselves, on their own initiative.
    posts = [post for page in theirs["pages"] if page["name"] == cluster.PAGE for post in page["incidents"]]
    found: dict[str, list[tuple[str, bool]]] = {
        "on-call": [(one["name"], one["incident_status"]["category"] != "closed") for one in ours["incidents"]],
        "public-page": [(one["name"], one["incident_status"] != "resolved") for one in ours["status_page_incidents"]],
        "devhelm": [(one["incident"]["title"], one["incident"]["status"] != "RESOLVED") for one in theirs["incidents"]],
        "devhelm-page": [(one["title"], one["status"] != "RESOLVED") for one in posts],
    }
    return {place: Counter(_key(title) for title, still in all_of_it if still) for place, all_of_it in found.items()}


def doubled(state: Mapping[str, Any], wanted: Counter[str]) -> Iterator[str]:
    """What is open though it should not be, or more than once; and at incident.io what was ever opened twice."""
    for place, found in shown(state).items():
        for key, times in (found - wanted).items():
            yield f"{key} is open {times} times too often at {place}"
    opened = Counter(one["summary"].rpartition("Reference: ")[2] for one in state["incident-io"]["incidents"])
    for reference, times in opened.items():
        if times > 1:
            yield f"incident.io has {times} incidents of {reference}"


def _key(title: str) -> str:
    """The incident key that a title is about."""
    return next((word for word in title.split() if word[0] == "k" and word[1:].isdigit()), title)
