"""Alert owners: which incident owns each alert, and how an alert moves to another incident.

An alert belongs to one incident, even if two webhook servers with different rules name two. The owner index in the
shard of the alert and the versions of the incident documents in the shards of the incidents ensure this together. The
protocol is described in ``worker/routing.py``.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from router.domain.times import Timestamp
from router.store import client, codec, keys
from router.store.connection import Connection


class Claim(NamedTuple):
    """The incident that becomes the owner of an alert that has none. If ``key`` is empty, the alert gets no owner.

    ``fires`` is set if the message is a firing one: for an hour, other firing messages then join the same incident.
    """

    key: str
    fires: bool = False


class Move(NamedTuple):
    """A move of an alert from one incident to another.

    ``state`` identifies what the document of ``origin`` held of the alert when the move was planned. If the document
    has changed by then, the move is aborted. ``token`` is unique to the move.
    """

    alert: str
    origin: str
    target: str
    state: str
    token: str

    @property
    def stored_text(self) -> str:
        """Return the move as it is stored."""
        # Scripts compare this text as a whole, which the token makes unique. The target is last, because an incident
        # key may contain spaces.
        return f"{self.token} {self.state} {self.target}"


class Owner(NamedTuple):
    """The incident that owns an alert.

    ``claimed_at`` is when it became the owner (microseconds; 0 if more than an hour ago). ``move`` is the pending move,
    if any.
    """

    key: str
    claimed_at: Timestamp
    move: Move | None


class AlertOwners:
    """The owners of all alerts, in shards."""

    def __init__(self, connection: Connection) -> None:
        self._scripts = connection.scripts

    async def claim(self, claims: Mapping[str, Claim]) -> dict[str, Owner]:
        """Return the owners of alerts by identity. An alert without an owner gets the one in its claim.

        If two workers claim an alert at the same time, both get the owner that was set first.
        """
        if not claims:
            return {}
        return await self._claim(claims, writes=True)

    async def find(self, alerts: Iterable[str]) -> dict[str, str]:
        """Return the incident key that owns each alert, by identity, without writing anything."""
        owners = await self._claim(dict.fromkeys(alerts, Claim("")), writes=False)
        return {alert: home.key for alert, home in owners.items()}

    async def begin_moves(self, moves: Iterable[Move]) -> None:
        """Store moves. Until a move is finished or aborted, no worker may add its alert to an incident."""
        await self._move("begin", moves)

    async def finish_moves(self, moves: Iterable[Move]) -> None:
        """Set the new owners of those moves that are still pending."""
        await self._move("finish", moves)

    async def abort_moves(self, moves: Iterable[Move]) -> None:
        """Delete moves; the alerts keep their owners."""
        await self._move("abort", moves)

    async def _claim(self, claims: Mapping[str, Claim], *, writes: bool) -> dict[str, Owner]:
        calls: list[tuple[list[str], list[Any]]] = []
        shards = keys.by_shard(claims)
        for number, names in shards.items():
            arguments = [value for name in names for value in (name, *claims[name])]
            calls.append((_keys(number), [keys.HOME_LIFE_MS, 0 if writes else 1, codec.pack_arguments(arguments)]))
        # An owner that a failover loses would let two incidents open for one alert, so replicas acknowledge each claim.
        run = self._scripts.run_all_confirmed if writes else self._scripts.run_all
        owners: dict[str, Owner] = {}
        async with client.translate_errors(client.command_timeout(len(claims))):
            answers = await run("claim_owners", calls) if calls else []
        for names, (time, *answer) in zip(shards.values(), answers, strict=True):
            now = Timestamp(int(time))
            # The script returns only alerts that had an owner. In a storm nearly all alerts are new, which keeps its
            # response short.
            if writes:
                for name in names:
                    key, fires = claims[name]
                    if key:
                        owners[name] = Owner(key, now if fires else Timestamp(0), None)
            for number, key, since, move in zip(answer[::4], answer[1::4], answer[2::4], answer[3::4], strict=True):
                name, home = names[number], key.decode(errors="replace")
                owners[name] = Owner(home, Timestamp(int(since)), _read(name, home, move.decode(errors="replace")))
        return owners

    async def _move(self, script: str, moves: Iterable[Move]) -> None:
        by_alert = {move.alert: move for move in moves}
        if not by_alert:
            return
        calls: list[tuple[list[str], list[Any]]] = []
        for number, names in keys.by_shard(by_alert).items():
            arguments = [text for move in map(by_alert.get, names) if move for text in (*move[:3], move.stored_text)]
            calls.append((_keys(number), [script, keys.HOME_LIFE_MS, codec.pack_arguments(arguments)]))
        async with client.translate_errors(client.command_timeout(len(by_alert))):
            await self._scripts.run_all_confirmed("move_owner", calls)


def _keys(number: int) -> list[str]:
    return [keys.homes(number), keys.claims(number), keys.moves(number)]


def _read(alert: str, origin: str, value: str) -> Move | None:
    parts = value.split(" ", 2)
    # A damaged move counts as none, here and in move_owner.lua. Otherwise, no worker could place its alert.
    if len(parts) < len(("token", "state", "target")):
        return None
    token, state, target = parts
    return Move(alert, origin, target, state, token)
