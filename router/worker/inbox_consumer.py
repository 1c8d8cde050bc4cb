"""Consumes the inbox in batches: folds one batch, reads the next, and acknowledges the previous one at the same time.

A batch is acknowledged only after its changes are committed. A failed batch stays pending until a worker claims it.
"""

import asyncio

from router.store import inbox
from router.worker import aggregator, batch_size


class InboxConsumer:
    """Consumes the inbox turn by turn. The caller must call ``finish`` at the end."""

    def __init__(
        self, reader: inbox.InboxReader, stage: aggregator.Aggregator, batch_sizer: batch_size.BatchSizer, block_ms: int
    ) -> None:
        """Set up. ``block_ms`` is how long a turn waits for a first delivery."""
        self._reader = reader
        self._triage = stage
        self._batch_sizer = batch_sizer
        self._block_ms = block_ms
        self._ahead: asyncio.Task[list[inbox.InboxEntry]] | None = None
        self._acknowledging: asyncio.Task[None] | None = None

    async def turn(self) -> None:
        """Fold a batch. Raises ``Unavailable`` for this batch, the one read ahead, or the previous one."""
        entries = await self._read_ahead() or await self._reader.read(self._batch_sizer.count, self._block_ms)
        more = len(entries) >= self._batch_sizer.count
        self._batch_sizer.adapt(entries)
        # A full batch means that more deliveries wait, so Redis sends them while this batch is folded.
        if more:
            self._ahead = asyncio.create_task(self._reader.read(self._batch_sizer.count, None))
        await self._fold(entries)
        # No delivery waits, so the pause costs nothing, and a failed acknowledgement is raised in the turn that caused
        # it.
        if not more:
            await self._finish_acknowledging()

    async def finish(self) -> None:
        """Fold the batch that was read ahead, and wait until all batches are acknowledged."""
        await self._fold(await self._read_ahead())
        await self._finish_acknowledging()

    async def _read_ahead(self) -> list[inbox.InboxEntry]:
        # Forget the task before it is awaited. If it fails, the next turn reads again instead of raising the old error.
        ahead, self._ahead = self._ahead, None
        return await ahead if ahead is not None else []

    async def _fold(self, entries: list[inbox.InboxEntry]) -> None:
        folded = await self._triage.fold(entries) if entries else []
        # Only one acknowledgement is under way at a time, so that no failure is lost.
        await self._finish_acknowledging()
        if folded:
            self._acknowledging = asyncio.create_task(self._reader.acknowledge(folded))

    async def _finish_acknowledging(self) -> None:
        behind, self._acknowledging = self._acknowledging, None
        if behind is not None:
            await behind
