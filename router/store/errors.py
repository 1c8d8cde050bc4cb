"""What can go wrong with the store, said in terms of what the caller does next.

StoreError
├── Unavailable   nothing was written that the caller may rely on: say so to the sender, try again later
└── Unreadable    an entry or a document that this version cannot read: keep it, tell a person
"""


class StoreError(Exception):
    """The store could not do what was asked."""


class Unavailable(StoreError):
    """The store cannot be reached, is too full or is too busy; what was asked for may be tried again."""

    def __init__(self, reason: str, retry_after_seconds: int = 5) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Unreadable(StoreError):
    """Data in the store that this version cannot read."""
