"""An account at incident.io: the client that calls it, and how its error envelopes read."""

from collections.abc import Mapping
from typing import Any

from router.destinations import base
from router.outbound import client


def connect(name: str, config: base.Config, now: base.Clock) -> client.Client:
    """Make the client for the account of the destination ``name``."""
    key = config.api_key.get_secret_value()
    return client.Client(
        name=name,
        base_url=config.base_url,
        headers={"authorization": f"Bearer {key}"},
        timeout_seconds=config.timeout_seconds,
        now=now,
        secrets=[key],
        read_error=read_error,
    )


def read_error(status: int, body: Any, headers: Mapping[str, str]) -> client.VendorMessage:  # noqa: ARG001 - a ReadError
    """Read the error envelope: ``{type, status, request_id, errors: [{code, message, source}], rate_limit}``."""
    envelope = body if isinstance(body, dict) else {}
    is_own = isinstance(envelope.get("type"), str) and isinstance(envelope.get("errors"), list)
    entries = [entry for entry in envelope.get("errors") or () if isinstance(entry, dict)]
    texts = [str(entry.get("message") or entry.get("code") or "") for entry in entries]
    sources = [entry["source"] for entry in entries if isinstance(entry.get("source"), dict)]
    fields = [str(source.get("field") or source.get("pointer") or "") for source in sources]
    limit = envelope.get("rate_limit")
    return client.VendorMessage(
        message="; ".join(text for text in texts if text) or str(envelope.get("type") or ""),
        field=next((field for field in fields if field), ""),
        request_id=str(envelope.get("request_id") or headers.get("x-request-id", "")),
        retry_after=str(limit.get("retry_after") or "") if isinstance(limit, dict) else "",
        is_own=is_own,
    )
