"""The inbox in batches: while one is folded in, the next one is read and the one before is acknowledged.

Each is acknowledged only after what was made of it is committed; what fails stays pending, for whoever takes it over.
"""

import asyncio

from router.store import inbox
from router.worker import aggregator, batch_size


class InboxConsumer:
    """Takes the inbox in, turn by turn. At the end of it all ``finish`` has to be called."""

    def __init__(
        self, reader: inbox.InboxReader, stage: aggregator.Aggregator, hunger: batch_size.BatchSizer, block_ms: int
    ) -> None:
        """``block_ms`` is how long a turn waits for a first delivery."""
        self._reader = reader
        self._triage = stage
        self._appetite = hunger
        self._block_ms = block_ms
        self._ahead: asyncio.Task[list[inbox.InboxEntry]] | None = None
        self._behind: asyncio.Task[None] | None = None

    async def turn(self) -> None:
        """Fold a batch in; ``Unavailable`` of this batch, of the one read ahead or of the one before."""
        entries = await self._read_ahead() or await self._reader.read(self._appetite.count, self._block_ms)
        more = len(entries) >= self._appetite.count
        self._appetite.fed(entries)
        if more:
            self._ahead = asyncio.create_task(self._reader.read(self._appetite.count, None))
        await self._fold(entries)
        if not more:
            await self._acknowledged()

    async def finish(self) -> None:
        """Fold in what was read ahead, and wait until all is acknowledged."""
        await self._fold(await self._read_ahead())
        await self._acknowledged()

    async def _read_ahead(self) -> list[inbox.InboxEntry]:
        ahead, self._ahead = self._ahead, None
        return await ahead if ahead is not None else []

    async def _fold(self, entries: list[inbox.InboxEntry]) -> None:
        folded = await self._triage.fold(entries) if entries else []
        await self._acknowledged()
        if folded:
            self._behind = asyncio.create_task(self._reader.acknowledge(folded))

    async def _acknowledged(self) -> None:
        behind, self._behind = self._behind, None
        if behind is not None:
            await behind
