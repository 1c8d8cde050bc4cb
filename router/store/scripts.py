"""Lua scripts by name; the files beside this one say how each is called. Sent as text once, then by their hash."""

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
    "record": (2, 2),
    "release": (3, 3),
    "bury": (2, 2),
    "done": (2, 2),
    "trim": (1, 1),
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
        least, most = _KEYS[name]
        if len(keys) < least or (most is not None and len(keys) > most):
            raise ValueError(f"{name}.lua takes {least} to {most} keys, not {len(keys)}")
        try:
            return await self._client.evalsha(script.sha, len(keys), *keys, *arguments)
        except exceptions.NoScriptError:
            await self._client.script_load(script.script)
            return await self._client.evalsha(script.sha, len(keys), *keys, *arguments)
