"""Lua scripts by name; the files beside this one say how each is called. Sent as text once, then by their hash."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

import redis.asyncio
from redis import exceptions

# How many keys each script takes: exactly, or at least where a shard's incidents follow.
_KEYS: dict[str, tuple[int, int | None]] = {
    "accept": (1, 1),
    "read": (1, None),
    "homes": (1, None),
    "commit": (2, None),
    "claim": (1, 1),
    "record": (3, 3),
    "release": (3, 3),
    "bury": (2, 2),
    "done": (2, 2),
    "trim": (1, 1),
    "count": (3, 3),
    "exhume": (2, 2),
    "suspect": (2, 2),
    "take": (1, 1),
    "share": (1, 1),
}


class Scripts:
    """The scripts, ready to run on one connection pool."""

    def __init__(self, client: "redis.asyncio.Redis") -> None:
        self._client = client
        folder = resources.files("router.store") / "scripts"
        self._scripts = {
            name: client.register_script((folder / f"{name}.lua").read_text(encoding="utf-8")) for name in _KEYS
        }

    async def run(self, name: str, keys: list[str], arguments: list[Any]) -> Any:
        """Run a script; ``ValueError`` where the number of keys does not fit it."""
        script = self._scripts[name]
        _check(name, keys)
        try:
            return await self._client.evalsha(script.sha, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            await self._client.script_load(script.script)
            return await self._client.evalsha(script.sha, len(keys), *keys, *arguments)

    async def run_all(self, name: str, calls: Sequence[tuple[list[str], list[Any]]]) -> list[Any]:
        """Run a script once for each of several keys and arguments, in one round trip; the answers in their order."""
        if len(calls) == 1:
            return [await self.run(name, *calls[0])]
        script = self._scripts[name]
        pipeline = self._client.pipeline(transaction=False)
        for keys, arguments in calls:
            _check(name, keys)
            pipeline.evalsha(script.sha, len(keys), *keys, *arguments)
        answers = await pipeline.execute(raise_on_error=False)
        for position, answer in enumerate(answers):
            if isinstance(answer, exceptions.NoScriptError):
                answers[position] = await self.run(name, *calls[position])
            elif isinstance(answer, Exception):
                raise answer
        return list(answers)


def _check(name: str, keys: list[str]) -> None:
    least, most = _KEYS[name]
    if len(keys) < least or (most is not None and len(keys) > most):
        raise ValueError(f"{name}.lua takes {least} to {most} keys, not {len(keys)}")
