"""What can go wrong with the store, said in terms of what the caller does next.

StoreError
├── Unavailable   nothing was written that the caller may rely on: say so to the sender, try again later
│   ├── WrongType a key has a wrong type, and Redis doesn't say which
│   └── Damaged   a key that nothing can take the place of has a wrong type
├── Newer         a later version of the router has written here: end, and let that one work
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


class WrongType(Unavailable):
    """A key has a wrong type, and Redis doesn't say which: the worker's next sweep names it."""


class DamagedKey(Unavailable):
    """A key has a wrong type: what needs it can't be done before an operator has looked at it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"the key {key} is damaged: {problem}", 30)
        self.key = key


class SchemaTooNew(StoreError):
    """The data in the store is of a later version of the router than this one; nothing here may touch it."""

    def __init__(self, held: int, known: int) -> None:
        super().__init__(
            f"the data in Redis has version {held}, and this version of incident-router works with {known}: "
            "start the one that has written it, or a later one"
        )
        self.held = held


class UnreadableDocument(StoreError):
    """Data in the store that this version cannot read; ``key`` is where it stands, if that is known."""

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.problem = problem
        self.key = key
