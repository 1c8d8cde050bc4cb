"""Runs the Lua scripts in ``scripts/`` by name. A script is sent once and then called by its hash."""

import asyncio
import functools
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from importlib import resources
from typing import Any, TypeVar

import redis.asyncio
from redis import exceptions
from redis.commands.core import AsyncScript

from router.store import cluster, damage, full_memory, replica_acks

# Number of keys of each script; the minimum if keys of incidents of a shard follow.
_KEYS: dict[str, tuple[int, int | None]] = {
    "append_deliveries": (1, 1),
    "read_incidents": (1, 1),
    "read_snapshot": (2, None),
    "claim_owners": (3, 3),
    "move_owner": (3, 3),
    "list_incidents": (1, 2),
    "find_incidents": (2, 2),
    "commit_incidents": (4, 4),
    "claim_leases": (2, 2),
    "record_publications": (3, 3),
    "release_lease": (4, 4),
    "wake_incidents": (1, 1),
    "recheck_publications": (1, 1),
    "move_to_dead_letters": (2, 2),
    "acknowledge": (2, 2),
    "trim_archive": (1, 1),
    "read_page": (1, 1),
    "evict_entries": (1, 1),
    "count_auto_post": (3, 3),
    "redrive": (2, 2),
    "record_redelivery": (2, 2),
    "take_quota_token": (1, 1),
    "pause_account": (1, 1),
    "list_pauses": (1, 1),
    "lift_pauses": (1, 1),
    "await_destination": (2, 2),
    "resume_destination": (2, 2),
    "set_component_statuses": (1, 1),
    "reserve_update": (1, 1),
    "bump_schema_version": (1, 1),
    "check_data_set": (3, 3),
    "end_reconciliation": (1, 1),
    "admit_episode": (2, 2),
    "storm_state": (3, 3),
    "oldest_entry": (1, 1),
    "retire_consumers": (1, 1),
    "sweep": (4, 4),
    "copy_incident": (3, 3),
    "append_events": (3, 3),
    "claim_deliveries": (1, 1),
    "record_delivery": (2, 2),
    "rewind_delivery": (2, 2),
    "resume_publishing": (3, 3),
}


_REFUSED_WHEN_FULL = {"append_deliveries"}
_NEEDS_MEMORY = re.compile(r"redis\.call\('(HSET|HSETNX|SADD|SET|XADD|ZADD)'")

# The headers are part of the program: the prologue checks the key types that they declare.
_TYPED = re.compile(r"^-- KEYS\[(\d+)\] +(hash|zset|set|stream) ", re.MULTILINE)
_MAX_KEYS = 8  # Keys of a wrong type that one call may move aside.
_CHECKS = """local function refused(key, kind)
  local found = redis.call('TYPE', key).ok
  if found ~= 'none' and found ~= kind then
    return redis.error_reply('WRONGTYPE ' .. key .. ' is a ' .. found .. ' and not a ' .. kind)
  end
end
for number, kind in pairs(kinds) do
  local wrong = KEYS[number] and refused(KEYS[number], kind)
  if wrong then
    return wrong
  end
end
"""
_Answer = TypeVar("_Answer")


class _Registered(dict[str, AsyncScript]):
    """The scripts by name, each registered at its first use: a hash of every text would take a millisecond."""

    def __init__(self, client: "redis.asyncio.Redis", texts: Mapping[str, str]) -> None:
        super().__init__()
        self._client = client
        self._texts = texts

    def __missing__(self, name: str) -> AsyncScript:
        self[name] = registered = self._client.register_script(self._texts[name])
        return registered


class Scripts:
    """The scripts, ready to run on one connection pool."""

    def __init__(
        self, client: "redis.asyncio.Redis", topology: cluster.Topology, writer: replica_acks.DurableWriter
    ) -> None:
        self._client = client
        self._topology = topology
        self._writer = writer
        self._texts = _texts()
        self._scripts = _Registered(client, self._texts)

    async def run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script. Raises ``ValueError`` if the number of keys is wrong."""
        _check_keys(name, keys)
        return await self._run_and_repair(lambda: self._run(name, keys, arguments))

    async def _run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        try:
            return await self._client.evalsha(self._scripts[name].sha, len(keys), *keys, *arguments)
        # A server forgets its scripts when it restarts, and a promoted replica may not have them.
        except exceptions.NoScriptError:
            return await self._client.eval(self._texts[name], len(keys), *keys, *arguments)

    async def _run_and_repair(self, run: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Run a call; if a key has a wrong type, move it aside and repeat the call, or raise ``DamagedKey``.

        A script checks the types of its keys before it writes.
        """
        for _ in range(_MAX_KEYS):
            try:
                return await run()
            except exceptions.ResponseError as error:
                await self._move_aside(error)
        return await run()

    async def _move_aside(self, error: exceptions.ResponseError) -> None:
        wrong_type = damage.parse_wrong_type(error)
        if wrong_type is None:
            raise error
        await damage.move_aside(self._client, *wrong_type)

    async def remove_member(self, key: str, member: bytes) -> None:
        """Remove a member of a sorted set."""
        await self._client.zrem(key, member)

    async def run_all(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run a script once for each call, in one round trip. Return the responses in order."""
        if len(calls) == 1:
            return [await self.run(name, *calls[0])]
        if self._topology.is_cluster:
            return await self._run_each(name, calls)
        script = self._scripts[name]
        pipeline = self._client.pipeline(transaction=False)
        for keys, arguments in calls:
            _check_keys(name, keys)
            pipeline.evalsha(script.sha, len(keys), *keys, *arguments)
        answers = await pipeline.execute(raise_on_error=False)
        for position, answer in enumerate(answers):
            # The other calls have been done. Repeat only this one.
            if isinstance(answer, exceptions.NoScriptError) or _is_wrong_type(answer):
                answers[position] = await self.run(name, *calls[position])
            elif isinstance(answer, Exception):
                raise answer
        return list(answers)

    async def _run_each(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run the calls concurrently, each on the server that holds its keys, following redirects."""
        return await _gather(self.run(name, *call) for call in calls)

    async def run_all_confirmed(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run a script once for each call. Raises ``Unavailable`` if too few replicas acknowledge the writes.

        WAIT applies to one server: a single server gets one, a cluster one per call.
        """
        if not self._writer.is_required:
            return await self.run_all(name, calls)
        if self._topology.is_cluster:
            return await _gather(self.run_confirmed(name, *call) for call in calls)
        return await self._run_on_one_server(name, calls)

    async def run_confirmed(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script. Raises ``Unavailable`` if too few replicas acknowledge its writes."""
        if not self._writer.is_required:
            return await self.run(name, keys, arguments)
        return (await self._run_on_one_server(name, [(keys, arguments)]))[0]

    async def _run_on_one_server(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run calls on one server in one round trip, followed by one WAIT."""
        commands = []
        for keys, arguments in calls:
            _check_keys(name, keys)
            commands.append((len(keys), *keys, *arguments))
        return await self._run_and_repair(lambda: self._write(name, calls[0][0][0], commands))

    async def _write(self, name: str, first: str, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        sha = self._scripts[name].sha
        try:
            return await self._writer.write(first, [("EVALSHA", sha, *command) for command in commands])
        except exceptions.NoScriptError:
            return await self._writer.write(first, [("EVAL", self._texts[name], *command) for command in commands])


def _is_wrong_type(answer: Any) -> bool:
    return isinstance(answer, exceptions.ResponseError) and damage.parse_wrong_type(answer) is not None


async def _gather(runs: Iterable[Awaitable[Any]]) -> list[Any]:
    """Wait for all calls, then return their responses or raise the first error."""
    # Wait for all calls even if one fails: a call must not write after its caller has given up.
    answers = await asyncio.gather(*runs, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return answers


@functools.cache
def _texts() -> Mapping[str, str]:
    folder = resources.files("router.store") / "scripts"
    return {name: _with_prologue(name, (folder / f"{name}.lua").read_text(encoding="utf-8")) for name in _KEYS}


def _with_prologue(name: str, text: str) -> str:
    """Return the script with a prologue that checks the key types in its header, so that it never stops halfway."""
    kinds = ", ".join(f"[{number}]='{kind}'" for number, kind in _TYPED.findall(text))
    # Redis never refuses a script without such commands, so it needs no first write.
    writes_when_full = name not in _REFUSED_WHEN_FULL and _NEEDS_MEMORY.search(text)
    first = full_memory.FIRST_WRITE if writes_when_full else ""
    return f"local kinds = {{{kinds}}}\n{_CHECKS}{first}{text}"


def _check_keys(name: str, keys: list[str]) -> None:
    min_keys, max_keys = _KEYS[name]
    if len(keys) < min_keys or (max_keys is not None and len(keys) > max_keys):
        raise ValueError(f"{name}.lua takes {min_keys} to {max_keys} keys, not {len(keys)}")
