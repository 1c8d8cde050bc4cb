"""CloudEvents 1.0 over HTTP in all modes: a mapping sees each event as one object, whatever the mode.

The format is the CloudEvents specification's HTTP protocol binding and its JSON event format.
"""

import base64
import binascii
import re
import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec

from router.sources import base, body, forms, objects

_STRUCTURED = "application/cloudevents"
_FORMATS = {_STRUCTURED, f"{_STRUCTURED}+json", f"{_STRUCTURED}-batch", f"{_STRUCTURED}-batch+json"}
_REQUIRED = ("id", "source", "type")
_NO_ATTRIBUTES = {"data", "data_base64", "datacontenttype"}  # In binary mode, the body and its content type.
_ATTRIBUTE = re.compile(rb"ce-([a-z0-9]+)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_decode = msgspec.json.Decoder().decode


def is_event(headers: Mapping[bytes, bytes]) -> bool:
    """Return whether a request with these headers (lower-case names) carries an event or a batch of events."""
    return b"ce-specversion" in headers or forms.media_type(headers).startswith(_STRUCTURED)


def read(raw: bytes, headers: Mapping[bytes, bytes]) -> Any:
    """Return a request's event in the JSON format, whatever the mode; a list of events if it is a batch.

    The content isn't validated yet: see ``flatten``. Raises ``base.Unparsable`` if the request carries no readable
    event.
    """
    kind = forms.media_type(headers)
    if not kind.startswith(_STRUCTURED):
        return _binary(raw, headers, kind)
    if kind not in _FORMATS:
        raise base.Unparsable("", f"events in the format {kind[:80]!r} are not supported: send JSON")
    return body.decode(_decode, raw)


def flatten(event: Any) -> objects.Members:
    """Return an event as a mapping sees it.

    It has the event's attributes, ``data``, and beside the attributes the members of ``data``.

    An attribute takes precedence over a member of the same name, which stays available under ``data``. The event's
    ``time`` is used if ``data`` has no ``starts_at``. Raises ``base.Unparsable`` if it isn't an event of version 1.
    """
    members = objects.members(event, "")
    version = objects.scalar(members.get("specversion"))
    if not version.startswith("1."):
        raise base.Unparsable(
            "specversion", f"{version[:40]!r} is not 1.0: no other version of CloudEvents is supported"
        )
    for name in _REQUIRED:
        objects.require_text(members.get(name), name, "required in every event")
    # Binary data is encoded this way in JSON. The mapping sees the decoded data, as in binary mode.
    if "data_base64" in members:
        kind = objects.scalar(members.get("datacontenttype"))
        members = {**members, "data": _content(_from_base64(members["data_base64"]), {}, _essence(kind))}
    started = {"starts_at": members["time"]} if "time" in members else {}
    # The order is that of precedence: attributes, then members of the data, then the event's time.
    return {**started, **objects.optional(members.get("data")), **members}


def key(item: objects.Members) -> str:
    """Return the fingerprint for an event without one, its source and subject; empty if either is missing."""
    if "specversion" not in item:
        return ""
    source, subject = objects.scalar(item.get("source")), objects.scalar(item.get("subject"))
    # The source alone is the monitoring system, so without a subject all its alerts would be one.
    return f"{source} {subject}" if source and subject else ""


def _binary(raw: bytes, headers: Mapping[bytes, bytes], kind: str) -> objects.Members:
    event: objects.Members = {}
    for header, value in headers.items():
        match = _ATTRIBUTE.fullmatch(header)
        # A header `ce-data` must not replace the body.
        if match and (name := match[1].decode()) not in _NO_ATTRIBUTES:
            event[name] = _value(value, header.decode())
    if kind:
        event["datacontenttype"] = kind
    if raw:
        event["data"] = _content(raw, headers, kind)
    return event


def _value(value: bytes, header: str) -> str:
    """Decode an attribute from its header: it may be quoted; non-ASCII characters are percent-encoded once."""
    value = value.strip()
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    try:
        return urllib.parse.unquote_to_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise base.Unparsable(header, f"the header is not UTF-8: {error.reason}") from error


def _content(raw: bytes, headers: Mapping[bytes, bytes], kind: str) -> Any:
    """Decode an event's data by its media type. Without one, the data is JSON; with an unknown one, it is text."""
    if not kind or kind.endswith(("/json", "+json")):
        return body.decode(_decode, raw)
    if forms.is_form(kind):
        return forms.decode_fields(forms.fields(raw, headers))
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise base.Unparsable("data", f"the data is not UTF-8: {error.reason}") from error


def _from_base64(value: Any) -> bytes:
    try:
        return base64.b64decode(objects.scalar(value), validate=True)
    except (binascii.Error, ValueError) as error:
        raise base.Unparsable("data_base64", f"this is not Base64: {error}") from error


def _essence(kind: str) -> str:
    return kind.partition(";")[0].strip().lower()
