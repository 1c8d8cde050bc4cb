"""The schema version of the stored data, checked before any access and at each heartbeat of a worker.

A process migrates older data by the steps below, and refuses newer data.
"""

from collections.abc import Awaitable, Callable, Mapping

from router.store import client, errors, keys, migrations
from router.store.connection import Connection

VERSION = 5
_STEP_SECONDS = 600.0  # Time limit of a migration step, which scans all keys.

Step = Callable[[Connection], Awaitable[None]]

# Steps from each version to the next. Processes may run a step concurrently or again after a crash, and older processes
# may still write until their next heartbeat. So a step adds what is missing and can be repeated.
STEPS: Mapping[int, Step] = {
    1: migrations.list_incidents_and_gather_homes,
    2: migrations.name_incidents,
    3: migrations.allow_compression,
    4: migrations.nest_incidents,
}


class Schema:
    """Compares the schema version of the data with the version of this program."""

    def __init__(self, connection: Connection, *, version: int = VERSION, steps: Mapping[int, Step] = STEPS) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._scripts = connection.scripts
        self._version = version
        self._steps = steps

    async def ensure(self) -> None:
        """Return when the data have this program's version. Raises ``SchemaTooNew`` and ``Unavailable``.

        Data without a version get this one; older data are migrated step by step. Raises ``Unavailable`` also while a
        backup is being restored, because the data are incomplete.
        """
        # A version would mark partial data as complete, so check this first.
        await self._ensure_not_restoring()
        version = await self._compare_and_set(0, self._version)
        while version < self._version:
            async with client.translate_errors(_STEP_SECONDS):
                await self._steps[version](self._connection)
            # Another process may have finished this step or later ones, so continue with the version that the data
            # have.
            version = await self._compare_and_set(version, version + 1)
        if version > self._version:
            raise errors.SchemaTooNew(version, self._version)

    async def read_version(self) -> int:
        """Return the version of the data, 0 if there is none. Raises ``Unavailable``, as ``ensure`` does."""
        await self._ensure_not_restoring()
        async with client.translate_errors():
            return int(await self._redis.get(keys.SCHEMA) or 0)

    async def begin_restore(self) -> None:
        """Prevent every process from using the data until ``end_restore``."""
        async with client.translate_errors():
            await self._redis.set(keys.RESTORING, 1)

    async def end_restore(self, version: int) -> None:
        """Record that the data are complete and have this version."""
        async with client.translate_errors():
            await self._redis.set(keys.SCHEMA, version)
            await self._redis.delete(keys.RESTORING)

    async def _ensure_not_restoring(self) -> None:
        async with client.translate_errors():
            if await self._redis.exists(keys.RESTORING):
                raise errors.Unavailable(
                    "a backup is being restored, or a restore was interrupted: wait for its end, or run "
                    "`incident-router restore --replace` again"
                )

    async def _compare_and_set(self, before: int, after: int) -> int:
        """Replace the version if it is ``before``, and return the version that the data have then."""
        async with client.translate_errors():
            return int(await self._scripts.run("bump_schema_version", [keys.SCHEMA], [before, after]))
