"""The error responses of the simulated DevHelm. All of them have the same envelope."""

import math
from typing import Any

import pydantic

_CODES = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    409: "CONFLICT",
    429: "RATE_LIMITED",
    502: "BAD_GATEWAY",
    503: "SERVICE_UNAVAILABLE",
}
_CALLS_A_MINUTE = 100


class Refusal(Exception):
    """An error response to a call, with its status, message, and entries (code, field, message)."""

    def __init__(self, status: int, message: str, entries: list[dict[str, Any]] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.entries = entries


def invalid(field: str, message: str) -> Refusal:
    """Return a 400 about one field."""
    return Refusal(400, "Validation failed", [{"code": "INVALID", "field": field, "message": message}])


def from_validation_error(error: pydantic.ValidationError) -> Refusal:
    """Return a 400 about all errors of a body or a query."""
    entries = [
        {
            # DevHelm reports all invalid fields of a request together, each as its own entry.
            "code": "REQUIRED" if detail["type"] == "missing" else "INVALID",
            "field": ".".join(str(part) for part in detail["loc"]) or None,
            "message": detail["msg"],
        }
        for detail in error.errors(include_url=False)
    ]
    return Refusal(400, "Validation failed", entries)


def envelope(refusal: Refusal, now: int, request_id: str) -> dict[str, Any]:
    """Return ``ErrorResponse``. ``now`` is microseconds since the epoch; the response has milliseconds."""
    return {
        "status": refusal.status,
        "code": _CODES.get(refusal.status, "INTERNAL_ERROR"),
        "message": refusal.message,
        "timestamp": now // 1000,
        "requestId": request_id,
        "errors": refusal.entries,
    }


def rate_limit(now: int, retry_after_seconds: float) -> dict[str, str]:
    """Return the headers of a 429. The delay is in whole seconds, rounded up."""
    return {
        # The delay is rounded up, so that a client that waits exactly that long doesn't retry too early.
        "retry-after": str(math.ceil(retry_after_seconds)),
        "x-ratelimit-limit": str(_CALLS_A_MINUTE),
        "x-ratelimit-remaining": "0",
        # This is in seconds since the epoch, unlike `retry-after`, which is a duration.
        "x-ratelimit-reset": str(math.ceil(now / 1_000_000 + retry_after_seconds)),
    }
