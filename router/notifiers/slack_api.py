"""Calls Slack's Web API and maps its errors. For most errors, Slack responds with status 200 and ``ok`` false."""

from collections.abc import Callable, Mapping
from typing import Any

from router.domain.times import Timestamp
from router.outbound import call_policy, client, errors

# Errors that an operator has to fix at Slack or in the configuration, and errors that a retry may fix.
_DENIED = frozenset(
    {
        "not_authed",
        "invalid_auth",
        "account_inactive",
        "token_revoked",
        "token_expired",
        "missing_scope",
        "not_in_channel",
        "channel_not_found",
        "is_archived",
        "restricted_action",
    }
)
_NO_ERROR = "no_error_code"  # Not Slack's response: an intermediary answered, so the outcome is unknown.
_MOMENTARY = frozenset({"internal_error", "fatal_error", "service_unavailable", "request_timeout", _NO_ERROR})
_LIMITED = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
_RETRY_SECONDS = 5.0


class MessageGoneError(errors.Permanent):
    """The message to update no longer exists."""


class WebApi:
    """A client of the Web API for one workspace and one bot."""

    def __init__(
        self,
        name: str,
        base_url: str,
        token: str,
        clock: Callable[[], Timestamp],
        *,
        timeout_seconds: float,
        quota: call_policy.Quota | None = None,
    ) -> None:
        """Defer connecting to the first call. ``name`` labels messages and metrics."""
        self._name = name
        self._client = client.Client(
            name=name,
            base_url=base_url,
            headers={"authorization": f"Bearer {token}"},
            timeout_seconds=timeout_seconds,
            now=clock,
            secrets=[token],
        )
        self._client.quota = quota

    async def call(self, method: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Call a method, such as ``chat.update``, with a JSON body. Raises one of ``outbound.errors``."""
        return self._read("POST", method, await self._client.call("POST", f"/{method}", json=body))

    async def read(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        """Call a read method with a query, because it accepts no JSON. Raises one of ``outbound.errors``."""
        return self._read("GET", method, await self._client.call("GET", f"/{method}", query=query))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _read(self, verb: str, method: str, answer: client.VendorResponse) -> dict[str, Any]:
        read = answer.body if isinstance(answer.body, dict) else {}
        if read.get("ok") is True:
            return read
        error = str(read.get("error", _NO_ERROR))
        raise _failure(f"{self._name}: {verb} /{method}: {error}", error)


def _failure(message: str, error: str) -> errors.Failure:
    # The message was deleted in Slack, so a retry can't succeed, and the caller posts it again.
    if error == "message_not_found":
        return MessageGoneError(message)
    # A response with status 200 has no `Retry-After`, so the delay is fixed.
    if error in _LIMITED:
        return errors.Throttled(message, _RETRY_SECONDS)
    if error in _DENIED:
        # An operator has to act, so the call is repeated later and not given up.
        return errors.Denied(message)
    if error in _MOMENTARY:
        # Slack may have posted the message before its internal error.
        return errors.Unanswered(message)
    return errors.Permanent(message)
