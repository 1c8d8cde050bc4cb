"""The homes of alerts: which incident holds each of them, and how an alert moves to another one.

An alert fires in one incident, though two webs with different rules may name two. These registers, in the shard of the
alert, and the versions of the incidents' documents, in the shards of the incidents, hold that together; ``routing`` in
the worker has the protocol.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, Protocol

from router.store import client, codec, keys


class Runner(Protocol):
    """Runs a script once for each of several keys and arguments, as ``scripts.Scripts`` does."""

    async def run_all(self, name: str, calls: list[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run it."""
        ...

    async def run_all_confirmed(self, name: str, calls: list[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run it, and have what it writes confirmed."""
        ...


class Claim(NamedTuple):
    """The incident that an alert gets for its home if it has none (empty: it gets none).

    ``fires`` if the message is a firing one: other firing messages then join the incident for an hour.
    """

    key: str
    fires: bool = False


class Move(NamedTuple):
    """An alert that is to leave an incident for another one.

    ``state`` stands for what the document of ``origin`` said of the alert when the move was decided: if it says
    something else by now, the move is aborted. ``token`` is unlike that of any other move.
    """

    alert: str
    origin: str
    target: str
    state: str
    token: str

    @property
    def written(self) -> str:
        """The move as it stands in the store."""
        return f"{self.token} {self.state} {self.target}"


class Owner(NamedTuple):
    """The incident that holds an alert.

    ``claimed_at`` is when it became that, in microseconds; 0 if that is more than an hour ago. ``move`` is the move
    that is under way.
    """

    key: str
    claimed_at: int
    move: Move | None


class AlertOwners:
    """The homes of all alerts, in shards."""

    def __init__(self, runner: Callable[[], Runner]) -> None:
        self._runner = runner

    async def claim(self, claims: Mapping[str, Claim]) -> dict[str, Owner]:
        """Return the homes of alerts, by identity; an alert without one gets the one it claims.

        Of two workers that claim at once, the later one finds the home that the earlier one has set.
        """
        if not claims:
            return {}
        return await self._claim(claims, writes=True)

    async def find(self, alerts: Iterable[str]) -> dict[str, str]:
        """Return which incident holds each of these alerts, by identity; nothing is written."""
        found = await self._claim(dict.fromkeys(alerts, Claim("")), writes=False)
        return {alert: home.key for alert, home in found.items()}

    async def begin_moves(self, moves: Iterable[Move]) -> None:
        """Write moves down: until each is finished or aborted, nobody may place its alert anywhere."""
        await self._move("begin", moves)

    async def finish_moves(self, moves: Iterable[Move]) -> None:
        """Give the alerts their new homes, as far as these moves are still under way."""
        await self._move("finish", moves)

    async def abort_moves(self, moves: Iterable[Move]) -> None:
        """Leave the alerts their homes."""
        await self._move("abort", moves)

    async def _claim(self, claims: Mapping[str, Claim], *, writes: bool) -> dict[str, Owner]:
        calls: list[tuple[list[str], list[Any]]] = []
        for number, names in keys.by_shard(claims).items():
            asked = [value for name in names for value in (name, claims[name].key, claims[name].fires)]
            calls.append((_keys(number), [keys.HOME_LIFE_MS, 0 if writes else 1, codec.pack_arguments(asked)]))
        runner = self._runner()
        run = runner.run_all_confirmed if writes else runner.run_all
        found: dict[str, Owner] = {}
        async with client.translate_errors(client.command_timeout(len(claims))):
            for answer in await run("homes", calls) if calls else ():
                texts = [text.decode(errors="replace") for text in answer]
                for alert, key, since, move in zip(texts[::4], texts[1::4], texts[2::4], texts[3::4], strict=True):
                    found[alert] = Owner(key, int(since), _read(alert, key, move))
        return found

    async def _move(self, what: str, moves: Iterable[Move]) -> None:
        by_alert = {move.alert: move for move in moves}
        if not by_alert:
            return
        calls: list[tuple[list[str], list[Any]]] = []
        for number, names in keys.by_shard(by_alert).items():
            told = [text for one in map(by_alert.get, names) if one for text in (*one[:3], one.written)]
            calls.append((_keys(number), [what, keys.HOME_LIFE_MS, codec.pack_arguments(told)]))
        async with client.translate_errors(client.command_timeout(len(by_alert))):
            await self._runner().run_all_confirmed("move", calls)


def _keys(number: int) -> list[str]:
    return [keys.homes(number), keys.claims(number), keys.moves(number)]


def _read(alert: str, origin: str, written: str) -> Move | None:
    parts = written.split(" ", 2)
    if len(parts) < len(("token", "state", "target")):
        return None
    token, state, target = parts
    return Move(alert, origin, target, state, token)
