"""An account at incident.io: its client, and the format of its error envelopes."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from router.destinations import base
from router.destinations.incident_io import wire
from router.outbound import client

Answer = TypeVar(
    "Answer", wire.Pages, wire.Incidents, wire.Posts, wire.Options, wire.Windows, wire.Alerts, wire.EscalationPaths
)

_MAX_PAGES = 100  # Of 250 rows. An endless list is an error of the vendor; real lists are far shorter.


_KEY_LIMIT = 1200  # Calls per minute: the vendor's limit for a key on all endpoints together.


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
    # A body without these fields comes from a gateway or a proxy, and says nothing about the object.
    is_own = isinstance(envelope.get("type"), str) and isinstance(envelope.get("errors"), list)
    entries = [entry for entry in envelope.get("errors") or () if isinstance(entry, dict)]
    texts = [str(entry.get("message") or entry.get("code") or "") for entry in entries]
    sources = [entry["source"] for entry in entries if isinstance(entry.get("source"), dict)]
    fields = [str(source.get("field") or source.get("pointer") or "") for source in sources]
    stated = envelope.get("rate_limit")
    limit = stated if isinstance(stated, dict) else {}
    return client.VendorMessage(
        message="; ".join(text for text in texts if text) or str(envelope.get("type") or ""),
        field=next((field for field in fields if field), ""),
        request_id=str(envelope.get("request_id") or headers.get("x-request-id", "")),
        retry_after=str(limit.get("retry_after") or ""),
        limit=str(limit.get("name") or ""),
        is_account_wide=_is_account_wide(limit),
        is_own=is_own,
    )


async def list_pages(
    http: client.Client, path: str, shape: type[Answer], query: Mapping[str, str | int | list[str]]
) -> AsyncIterator[Answer]:
    """Yield the pages of a list. Stop at a cursor that was read before, and after ``_MAX_PAGES`` pages."""
    parameters: dict[str, str | int | list[str]] = dict(query)
    cursors = {""}
    for _ in range(_MAX_PAGES):
        answer = await http.read(path, shape, query=parameters)
        yield answer
        after = answer.pagination_meta.after if answer.pagination_meta else None
        if not after or after in cursors:
            return
        cursors.add(after)
        parameters["after"] = after


def _is_account_wide(limit: Mapping[str, Any]) -> bool:
    """Return whether a limit is the API key's. Lower limits of endpoints have other names."""
    allowed = limit.get("limit")
    of_key = isinstance(allowed, int | float) and allowed >= _KEY_LIMIT
    return str(limit.get("name") or "").startswith("api_key") or of_key
