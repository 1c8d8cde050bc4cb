"""How many deliveries the worker reads at once: more while the inbox is long, fewer where they are large.

What belongs to one incident is written once a batch, so larger batches cost the store less; what is read at once has
to fit into memory, and nothing else is done while it is folded in.
"""

from collections.abc import Sequence

from router.store import inbox

MOST_BYTES = 8 * 1024 * 1024


class BatchSizer:
    """Between ``least`` and ``most`` deliveries, and no more than about ``MOST_BYTES`` of them.

    Of large deliveries there are fewer than ``least``. The size of the next batch is judged by the one before.
    """

    def __init__(self, least: int, most: int) -> None:
        self._least = least
        self._most = most
        self.count = least

    def fed(self, entries: Sequence[inbox.InboxEntry]) -> None:
        """Learn from a batch that was read: as many as asked for means that more wait."""
        if not entries:
            return
        wanted = min(2 * self.count, self._most) if len(entries) >= self.count else self._least
        average = sum(entry.size for entry in entries) // len(entries)
        self.count = max(1, min(wanted, MOST_BYTES // max(1, average)))
