"""Failures of vendor calls, by what happens next. The client and destinations raise them.

Failure
├── Temporary    not done: retry, after ``retry_after`` seconds at the earliest
│   ├── Denied       401, 403: a condition of the account, which a retry doesn't change
│   ├── Conflict     409: a condition of the object; its state decides what the response means
│   ├── Throttled    425, 429: the vendor limits calls
│   ├── Queued       the call was not made: the router's quota, or a pause that the vendor asked for
│   └── Stale        the vendor's response to a read predates the last change
├── Unanswered   the outcome is unknown: find out, then retry after ``retry_after`` seconds at the earliest
│   └── Pending      the vendor responded, but an earlier call may still be in progress: too early to tell
└── Permanent    refused: a dead letter, until an operator has changed something
    └── NotFound     404: the vendor has no such object; one response is no proof of that
"""


class Failure(Exception):
    """A failed call. ``message`` is for people and contains no secret.

    ``partial_state`` is what earlier calls of the same operation have changed at the vendor, as the destination
    describes it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.partial_state: object = None


class Temporary(Failure):
    """The call was not done: the vendor was not reached, or said that it is too busy.

    ``retry_after`` is the delay in seconds that the vendor asked for, if any.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class _Answered(Temporary):
    """A ``Temporary`` failure stated by the vendor, with its HTTP status and the request ID for its support."""

    def __init__(
        self, message: str, retry_after: float | None = None, *, status: int = 0, field: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, retry_after)
        self.status = status
        self.field = field
        self.request_id = request_id


class Denied(_Answered):
    """The vendor refuses the API key (401) or its permissions (403). Operations wait until the account works."""


class Conflict(_Answered):
    """The object isn't in the state that the call needs (409), or another request with the same key is in progress."""


class Throttled(Temporary):
    """The vendor limits calls.

    ``limit`` is the vendor's name for the limit, if it has one. ``is_account_wide`` says whether the limit applies to
    every call of the account, or only to the endpoint.
    """

    def __init__(
        self, message: str, retry_after: float | None = None, *, limit: str = "", is_account_wide: bool = True
    ) -> None:
        super().__init__(message, retry_after)
        self.limit = limit
        self.is_account_wide = is_account_wide


class Queued(Temporary):
    """The call was not made: the account's quota is used up, or a pause that the vendor requested is still active."""


class Stale(Temporary):
    """The vendor's response to a read predates our last change. Nothing is sent based on it."""


class Unanswered(Failure):
    """The outcome is unknown: no response arrived, or the response may come from a partial failure.

    ``retry_after`` is the delay in seconds that the vendor asked for, if any.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Pending(Unanswered):
    """The vendor has no result yet. The call in question may still be in progress."""


class Permanent(Failure):
    """The vendor refused the call, or it was invalid before it was made.

    ``status`` is the vendor's HTTP status, 0 if the call was not made. ``field`` is the field at fault and
    ``request_id`` the request ID for the vendor's support; both are empty if unknown.
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
