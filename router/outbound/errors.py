"""What can go wrong with a call to a vendor, named by what has to happen next; raised by the client and destinations.

Failure
├── Temporary    surely not done: try again, not before ``retry_after`` seconds
├── Unanswered   nobody knows whether it was done: find out, then try again, not before ``retry_after`` seconds
└── Permanent    refused for good: a dead letter, until a person has changed something
    └── NotFound     404: the vendor says that there is no such thing; one answer is no proof of it
"""


class Failure(Exception):
    """A call that did not end well. ``message`` is for people and holds no secret."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Temporary(Failure):
    """Surely not done: the vendor was not reached, or said that it is too busy.

    ``retry_after`` is how many seconds the vendor asked to be left alone; None where it asked for nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Unanswered(Failure):
    """Nobody knows whether it was done: the answer never came, or it can't be told from a failure half-way.

    ``retry_after`` is how many seconds the vendor asked to be left alone; None where it asked for nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Permanent(Failure):
    """Refused for good, by the vendor or before it was ever asked.

    ``status`` is the vendor's HTTP status, 0 where the call was never made. ``field`` is the field at fault and
    ``request_id`` what the vendor's support asks for; both are empty where they are not known.
    """

    def __init__(self, message: str, *, status: int = 0, field: str = "", request_id: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.field = field
        self.request_id = request_id


class NotFound(Permanent):
    """404 in the vendor's own error format.

    A read that lags behind a write, a key that lost a permission, and a deleted object all look like this.
    ``worker.missing`` decides when to believe it.
    """
