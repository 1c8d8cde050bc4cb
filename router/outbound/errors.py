"""What can go wrong with a call to a vendor, named by what has to happen next; raised by the client and destinations.

Failure
├── Temporary    surely not done: try again, not before ``retry_after`` seconds
│   ├── Denied       401, 403: a condition of the account, which no repeated call changes
│   ├── Conflict     409: a condition of the object or of the moment; its state decides what it means
│   ├── Throttled    425, 429: the vendor limits how often it is called
│   ├── Queued       the call was not made: the router's own quota, or a pause that the vendor asked for
│   └── Stale        the vendor answered a read with what was before our last change
├── Unanswered   nobody knows whether it was done: find out, then try again, not before ``retry_after`` seconds
│   └── Pending      the vendor answered, but an earlier call may still be under way: too early to tell
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


class _Answered(Temporary):
    """A ``Temporary`` failure that the vendor stated itself, with its HTTP status and the ID its support asks for."""

    def __init__(
        self, message: str, retry_after: float | None = None, *, status: int = 0, field: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, retry_after)
        self.status = status
        self.field = field
        self.request_id = request_id


class Denied(_Answered):
    """The vendor refuses the API key (401) or what the key may do (403). Operations wait until the account works."""


class Conflict(_Answered):
    """The object isn't in the state that the call needs (409), or another request with the same key is in progress."""


class Throttled(Temporary):
    """The vendor limits calls.

    ``limit`` is the vendor's name for the limit, empty if the vendor names none. ``is_account_wide`` says whether the
    limit holds for every call of the account, or only for the endpoint that was called.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, limit: str = "", is_account_wide: bool = True
    ) -> None:
        super().__init__(message, retry_after)
        self.limit = limit
        self.is_account_wide = is_account_wide


class Queued(Temporary):
    """The call was not made: the account's quota is used up, or a pause that the vendor asked for isn't over."""


class Stale(Temporary):
    """The vendor answered a read with what was before our last change. Nothing is sent on the ground of that."""


class Unanswered(Failure):
    """Nobody knows whether it was done: the answer never came, or it can't be told from a failure half-way.

    ``retry_after`` is how many seconds the vendor asked to be left alone; None where it asked for nothing.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Pending(Unanswered):
    """The vendor was asked and has nothing yet. The call that is looked for may still be under way."""


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
