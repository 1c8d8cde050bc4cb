"""A DevHelm account: its client, its error envelope, and its lists."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

from router.destinations import base, list_rows
from router.destinations.devhelm import wire
from router.destinations.devhelm.config import IncidentConfig, PostConfig
from router.outbound import client

_MAX_PAGES = 100  # Pages of 200 rows; a longer list means that the vendor never ends it.

Entry = TypeVar("Entry")


def connect(name: str, config: IncidentConfig | PostConfig, now: base.Clock) -> client.Client:
    """Create the client of the account of the destination ``name``."""
    key = config.api_key.get_secret_value()
    headers = {"authorization": f"Bearer {key}"}
    if config.org_id:
        headers["x-phelm-org-id"] = config.org_id
    if config.workspace_id:
        headers["x-phelm-workspace-id"] = config.workspace_id
    return client.Client(
        name=name,
        base_url=config.base_url,
        headers=headers,
        timeout_seconds=config.timeout_seconds,
        now=now,
        secrets=[key],
        read_error=read_error,
    )


def read_error(status: int, body: Any, headers: Mapping[str, str]) -> client.VendorMessage:  # noqa: ARG001 - a ReadError
    """Parse the error envelope: ``{status, code, message, requestId?, errors?: [{code, field, message}]}``."""
    envelope = body if isinstance(body, dict) else {}
    # A body without these fields comes from a gateway or a proxy, and says nothing about the object.
    is_own = isinstance(envelope.get("code"), str) and isinstance(envelope.get("message"), str)
    entries = [entry for entry in envelope.get("errors") or () if isinstance(entry, dict)]
    fields = [str(entry["field"]) for entry in entries if entry.get("field")]
    texts = [str(envelope.get("message") or envelope.get("code") or "")]
    texts += [str(entry.get("message") or entry.get("code") or "") for entry in entries]
    return client.VendorMessage(
        message="; ".join(dict.fromkeys(text for text in texts if text)),
        # One field is enough: if the vendor refuses another one too, the repeated call names it.
        field=next(iter(fields), ""),
        request_id=headers.get("x-request-id", "") or str(envelope.get("requestId") or ""),
        is_own=is_own,
    )


async def read_pages(
    http: client.Client,
    path: str,
    shape: type[Entry],
    query: Mapping[str, Any] | None = None,
    *,
    noun: str,
    vendor_id: str = "",
) -> AsyncIterator[list[Entry]]:
    """Read a list page by page. A page without new rows is the last, whatever the vendor says.

    ``noun`` names a row. Rows that can't be parsed are skipped, unless ``vendor_id`` is in one.
    """
    read_ids: set[str] = set()
    for page in range(_MAX_PAGES):
        answer = await http.read(path, wire.Listed, query={**(query or {}), "page": page, "size": wire.PAGE_SIZE})
        yield list_rows.parse_rows(answer.data, shape, noun, vendor_id=vendor_id)
        listed_now = {str(row.get("id")) for row in answer.data if isinstance(row, dict)}
        if not answer.has_next or listed_now <= read_ids:
            return
        read_ids |= listed_now
