"""CloudEvents 1.0 over HTTP, in each of their modes: whatever the mode, a mapping sees the event as one object.

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
_NO_ATTRIBUTES = {"data", "data_base64", "datacontenttype"}  # In the binary mode these are the body and its type.
_ATTRIBUTE = re.compile(rb"ce-([a-z0-9]+)")
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)

_decode = msgspec.json.Decoder().decode


def is_event(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a request with these headers (their names in lower case) carries an event, or a batch of them."""
    return b"ce-specversion" in headers or forms.media_type(headers).startswith(_STRUCTURED)


def read(raw: bytes, headers: Mapping[bytes, bytes]) -> Any:
    """The event that a request carries in the JSON format, whatever its mode; a list of them where it is a batch.

    What is inside is not looked at yet: see ``opened``. ``base.Unparsable`` where there is no such thing.
    """
    kind = forms.media_type(headers)
    if not kind.startswith(_STRUCTURED):
        return _binary(raw, headers, kind)
    if kind not in _FORMATS:
        raise base.Unparsable("", f"events in the format {kind[:80]!r} cannot be read: send them as JSON")
    return body.decode(_decode, raw)


def opened(event: Any) -> objects.Members:
    """An event as a mapping sees it: its attributes, ``data``, and the members of that beside the attributes.

    An attribute wins over a member of the same name, which is found under ``data`` all the same. Where ``data`` does
    not say ``starts_at``, the event's ``time`` does. ``base.Unparsable`` where it is no event of version 1.
    """
    members = objects.members(event, "")
    version = objects.scalar(members.get("specversion"))
    if not version.startswith("1."):
        raise base.Unparsable("specversion", f"{version[:40]!r} is not 1.0: other CloudEvents are not read")
    for name in _REQUIRED:
        objects.required(members.get(name), name, "every event has one")
    if "data_base64" in members:
        kind = objects.scalar(members.get("datacontenttype"))
        members = {**members, "data": _content(_from_base64(members["data_base64"]), {}, _essence(kind))}
    started = {"starts_at": members["time"]} if "time" in members else {}
    return {**started, **objects.optional(members.get("data")), **members}


def key(item: objects.Members) -> str:
    """A fingerprint for an event in which there is none: its source and subject; empty where it is no such thing."""
    if "specversion" not in item:
        return ""
    source, subject = objects.scalar(item.get("source")), objects.scalar(item.get("subject"))
    return f"{source} {subject}" if source and subject else ""


def _binary(raw: bytes, headers: Mapping[bytes, bytes], kind: str) -> objects.Members:
    event: objects.Members = {}
    for header, value in headers.items():
        found = _ATTRIBUTE.fullmatch(header)
        if found and (name := found[1].decode()) not in _NO_ATTRIBUTES:
            event[name] = _value(value, header.decode())
    if kind:
        event["datacontenttype"] = kind
    if raw:
        event["data"] = _content(raw, headers, kind)
    return event


def _value(value: bytes, header: str) -> str:
    """The text of an attribute: it may be quoted, and whatever is no plain ASCII is percent-encoded, once."""
    value = value.strip()
    if len(value) > 1 and value[:1] == value[-1:] == b'"':
        value = _ESCAPED.sub(rb"\1", value[1:-1])
    try:
        return urllib.parse.unquote_to_bytes(value).decode()
    except UnicodeDecodeError as error:
        raise base.Unparsable(header, f"the header is not UTF-8: {error.reason}") from error


def _content(raw: bytes, headers: Mapping[bytes, bytes], kind: str) -> Any:
    """The data of an event by its media type; what has none is JSON, and what is nothing known is text."""
    if not kind or kind.endswith(("/json", "+json")):
        return body.decode(_decode, raw)
    if forms.is_form(kind):
        return forms.opened(forms.fields(raw, headers))
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
