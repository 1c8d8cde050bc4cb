"""The senders of a trial, which send without pause and retry each message until it is accepted.

A ledger records accepted deliveries: their IDs until they are processed, and the last accepted state of each alert. It
shares no code with the router's folding.
"""

import array
import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from router.domain.times import Timestamp
from router.outbound import client, errors

ALERTS_A_KEY = 2
SENDERS = 16
PATIENCE_MICROS = 60_000_000  # Time limit for retries of one message. The router has to recover within it.

_TURNS = 0.01  # The share of messages with a new state. All others repeat the last state.
_AGAIN_SECONDS = 0.05
_BEHIND_SECONDS = 1.0  # A sender doesn't catch up on a longer delay.

Choice = TypeVar("Choice")


class Chance(Protocol):
    """The source of the trial's randomness. A seed makes it repeatable."""

    def random(self) -> float:
        """Return a number from 0 to 1."""
        ...

    def uniform(self, a: float, b: float) -> float:
        """Return a number from ``a`` to ``b``."""
        ...

    def choice(self, seq: Sequence[Choice]) -> Choice:
        """Return one of the elements."""
        ...


class Standing(NamedTuple):
    """The state of an alert in milliseconds since the epoch. ``ends_at`` is 0 while it fires."""

    starts_at: int
    ends_at: int


class Ledger:
    """The accepted deliveries and their latencies."""

    def __init__(self) -> None:
        self.accepted = 0
        self.repeats = 0  # Calls that had no 202 response and were retried.
        self.refused: list[str] = []  # Responses after which no sender retries.
        self.open: set[str] = set()  # Deliveries that aren't known to be processed yet.
        self.standing: dict[str, Standing] = {}
        self.spans: list[array.array[float]] = [array.array("f")]  # Seconds until each acceptance, by interval.

    def begin_stretch(self) -> None:
        """Start a new interval. Later latencies are recorded separately from earlier ones."""
        self.spans.append(array.array("f"))

    def accept(self, alert: str, standing: Standing, delivery: str, seconds: float) -> None:
        """Record a delivery that was answered 202, and its latency in seconds."""
        self.accepted += 1
        self.open.add(delivery)
        self.standing[alert] = standing
        self.spans[-1].append(seconds)

    def firing(self) -> dict[str, set[str]]:
        """Return the firing alerts by incident key, including keys without firing alerts."""
        found: dict[str, set[str]] = {}
        for alert, standing in self.standing.items():
            held = found.setdefault(key_of(alert), set())
            if not standing.ends_at:
                held.add(alert)
        return found


def key_of(alert: str) -> str:
    """Return the incident key of an alert, such as ``k7`` of ``k7-1``."""
    return alert.partition("-")[0]


def alerts(incident_keys: int) -> list[str]:
    """Return the names of all alerts of a number of incident keys."""
    return [f"k{number}-{one}" for number in range(incident_keys) for one in range(ALERTS_A_KEY)]


class Sender:
    """Sends the states of its own alerts, one message after the other, each to a random webhook server."""

    def __init__(
        self,
        mine: Sequence[str],
        webs: Sequence[client.Client],
        ledger: Ledger,
        chance: Chance,
        *,
        path: str,
        clock: Callable[[], Timestamp],
        ticks: Callable[[], int],
    ) -> None:
        """Create a sender.

        ``clock`` returns microseconds since the epoch, ``ticks`` those of a clock that is never set back.
        """
        self._mine, self._webs, self._ledger, self._chance = mine, webs, ledger, chance
        self._path = path
        self._clock, self._ticks = clock, ticks

    async def send(self, rate: float, stop: asyncio.Event) -> None:
        """Send a number of messages per second until stopped. Requests in progress are finished."""
        now = asyncio.get_running_loop().time
        due = now() + self._chance.random() / rate
        while not stop.is_set():
            await wait(stop, due - now())
            alert = self._chance.choice(self._mine)
            await self._deliver(alert, self._next(alert))
            due = max(due + 1 / rate, now() - _BEHIND_SECONDS)

    def _next(self, alert: str) -> Standing:
        known = self._ledger.standing.get(alert)
        at = self._clock() // 1000
        if known is None:
            return Standing(at, 0)
        if self._chance.random() >= _TURNS:
            return known
        return Standing(at, 0) if known.ends_at else Standing(known.starts_at, at)

    async def _deliver(self, alert: str, standing: Standing) -> None:
        """Send a message until it is accepted, or refused with a response that forbids a retry."""
        deadline = self._ticks() + PATIENCE_MICROS
        body = message(alert, standing)
        while (began := self._ticks()) < deadline:
            try:
                answer = await self._chance.choice(self._webs).call("POST", self._path, json=body)
            except (errors.Permanent, errors.Denied) as error:
                self._ledger.refused.append(error.message)
                return
            except errors.Failure:
                self._ledger.repeats += 1
                await asyncio.sleep(_AGAIN_SECONDS)
            else:
                self._ledger.accept(alert, standing, answer.body["delivery"], (self._ticks() - began) / 1_000_000)
                return
        self._ledger.refused.append(f"{alert} was not accepted within {PATIENCE_MICROS // 1_000_000} s")


def message(alert: str, standing: Standing) -> dict[str, Any]:
    """Return one message in the format of a source of kind ``json``."""
    return {
        "title": f"{alert} fails",
        "status": "resolved" if standing.ends_at else "firing",
        "dedup_key": alert,
        "starts_at": standing.starts_at,
        "labels": {"env": "soak", "key": key_of(alert)},
        **({"ends_at": standing.ends_at} if standing.ends_at else {}),
    }


async def wait(stop: asyncio.Event, seconds: float) -> None:
    """Wait for a number of seconds, or until stopped."""
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), max(0.0, seconds))
