"""Which version the data in the store has: asked before anything is read or written, and at each heartbeat of a worker.

A process takes older data further by the steps below, and leaves newer data alone.
"""

from collections.abc import Awaitable, Callable, Mapping

import redis.asyncio

from router.store import client, errors, keys, migrations, scripts

VERSION = 3
_STEP_SECONDS = 600.0  # How long a step may take: it looks at every key.

Step = Callable[["redis.asyncio.Redis"], Awaitable[None]]

# From each version to the next. Processes may run a step at the same time or again after a crash, and older ones may
# still write until they notice, within a heartbeat: a step adds what is missing, and can be repeated.
STEPS: Mapping[int, Step] = {
    1: migrations.list_incidents_and_gather_homes,
    2: migrations.name_incidents,
}


class Schema:
    """The version of the data behind one connection, against the one that this program works with."""

    def __init__(
        self, connection: "redis.asyncio.Redis", *, version: int = VERSION, steps: Mapping[int, Step] = STEPS
    ) -> None:
        self._connection = connection
        self._scripts = scripts.Scripts(connection)
        self._version = version
        self._steps = steps

    async def ensure(self) -> None:
        """Return once the data has this program's version; ``Newer`` where it has a later one, ``Unavailable``.

        Data without a version gets this one; older data is migrated, step by step. ``Unavailable`` while a backup is
        restored, too: a part of the data is not the data.
        """
        await self._ensure_not_restoring()
        held = await self._compare_and_set(0, self._version)
        while held < self._version:
            async with client.translate_errors(_STEP_SECONDS):
                await self._steps[held](self._connection)
            held = await self._compare_and_set(held, held + 1)
        if held > self._version:
            raise errors.SchemaTooNew(held, self._version)

    async def read_version(self) -> int:
        """Return the version of the data, 0 for none; ``Unavailable`` as ``agree``."""
        await self._ensure_not_restoring()
        async with client.translate_errors():
            return int(await self._connection.get(keys.SCHEMA) or 0)

    async def begin_restore(self) -> None:
        """Keep every process from using the data until ``end_restore``."""
        async with client.translate_errors():
            await self._connection.set(keys.RESTORING, 1)

    async def end_restore(self, version: int) -> None:
        """Say that the data is complete and has this version."""
        async with client.translate_errors():
            await self._connection.set(keys.SCHEMA, version)
            await self._connection.delete(keys.RESTORING)

    async def _ensure_not_restoring(self) -> None:
        async with client.translate_errors():
            if await self._connection.exists(keys.RESTORING):
                raise errors.Unavailable(
                    "a backup is being restored, or a restore was broken off: wait for its end, or run "
                    "`incident-router restore --replace` again"
                )

    async def _compare_and_set(self, before: int, after: int) -> int:
        """Put another version in the place of this one; the version that the data has then."""
        async with client.translate_errors():
            return int(await self._scripts.run("raise", [keys.SCHEMA], [before, after]))
