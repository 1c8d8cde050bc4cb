"""Sends replies to the response URLs of interactions. A URL accepts up to 5 messages within 30 minutes."""

import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from router.domain.times import Timestamp
from router.outbound import client, errors
from router.telemetry import log

_HOOKS = ("https://hooks.slack.com", "https://hooks.slack-gov.com")
_log = log.get("management")


class ResponseUrls:
    """Sends replies only to Slack, or to the host of ``base_url``, such as the simulator."""

    def __init__(self, base_url: str, clock: Callable[[], Timestamp], *, timeout_seconds: float) -> None:
        self._origins = {*_HOOKS, _origin(base_url)}
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    async def send(self, url: str, body: Mapping[str, Any]) -> None:
        """Send a reply without retries. Only log a failure, because the action is already done or rejected."""
        origin, path = _origin(url), urllib.parse.urlsplit(url).path
        # A forged payload must not make the router send requests to a host of the sender's choice.
        if origin not in self._origins:
            _log.warning("slack_reply_failed", reason="the response URL isn't Slack's")
            return
        at = client.Client(
            name="slack-app",
            base_url=origin,
            headers={},
            timeout_seconds=self._timeout_seconds,
            now=self._clock,
            secrets=[path],  # Any client that has the URL can post there.
        )
        headers = {"content-type": "application/json"}
        try:
            content = client.RawBody(msgspec.json.encode(body), headers, is_answer_ignored=True)
            await at.call("POST", path, content=content)
        except errors.Failure as failure:
            _log.warning("slack_reply_failed", reason=failure.message)
        finally:
            await at.aclose()


def _origin(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
