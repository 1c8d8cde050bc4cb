"""Errors of the store, by what the caller does next.

| error                  | meaning                                                                     |
| ---------------------- | --------------------------------------------------------------------------- |
| ``Unavailable``        | nothing was stored reliably: report it to the sender, and retry later       |
| ``WrongType``          | an ``Unavailable``: a key has a wrong type, and Redis doesn't say which     |
| ``DamagedKey``         | an ``Unavailable``: a key that can't be rebuilt has a wrong type            |
| ``SchemaTooNew``       | a newer version of the router wrote the data: exit                          |
| ``UnreadableDocument`` | this version can't decode an entry or a document: keep it, and report it    |
"""


class StoreError(Exception):
    """Base class of the store's errors."""


class Unavailable(StoreError):
    """The store can't be reached, is full, or is too busy. The caller may retry."""

    def __init__(self, reason: str, retry_after_seconds: int = 5) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class WrongType(Unavailable):
    """A key has a wrong type, and Redis doesn't say which. The worker's next sweep names it."""


class DamagedKey(Unavailable):
    """A key has a wrong type. Operations that need it fail until an operator has repaired it."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"the key {key} is damaged: {problem}", 30)
        self.key = key


class SchemaTooNew(StoreError):
    """The data were written by a newer version of the router; this version must not touch them."""

    def __init__(self, stored_version: int, known_version: int) -> None:
        super().__init__(
            f"the data in Redis has version {stored_version}, "
            f"and this version of incident-router supports {known_version}: "
            "start the version that wrote it, or a later one"
        )
        self.stored_version = stored_version


class UnreadableDocument(StoreError):
    """A document that this version can't decode; ``key`` is its Redis key, if known."""

    def __init__(self, problem: str, key: str = "") -> None:
        super().__init__(f"{key}: {problem}" if key else problem)
        self.problem = problem
        self.key = key
