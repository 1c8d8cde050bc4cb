"""The number of deliveries that the worker reads at a time: more if the inbox is long, fewer if they are large.

Each incident is written once per batch, so larger batches cost the store less. A batch has to fit into memory, and the
worker does nothing else while it folds the batch.
"""

from collections.abc import Sequence

from router.store import inbox

MAX_BYTES = 8 * 1024 * 1024


class BatchSizer:
    """A size between ``least`` and ``most`` deliveries, and of about ``MAX_BYTES`` at most.

    Batches of large deliveries have fewer than ``least``. The size of the next batch depends on the previous one.
    """

    def __init__(self, min_count: int, max_count: int) -> None:
        self._min_count = min_count
        self._max_count = max_count
        self.count = min_count

    def adapt(self, entries: Sequence[inbox.InboxEntry]) -> None:
        """Adapt to a batch that was read: if it is full, more deliveries wait."""
        if not entries:
            return
        # A full batch shows a backlog. Otherwise, a small batch lets the worker turn to other work sooner.
        next_count = min(2 * self.count, self._max_count) if len(entries) >= self.count else self._min_count
        average = sum(entry.size for entry in entries) // len(entries)
        # Deliveries differ in size, so the last batch's average keeps the next one within the memory limit.
        self.count = max(1, min(next_count, MAX_BYTES // max(1, average)))
