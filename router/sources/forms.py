"""Forms, for senders that wrap their JSON in one: the fields of a body as texts, by the content type of the request."""

import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
import python_multipart
from python_multipart import exceptions, multipart

from router.domain.undecodable import Undecodable
from router.sources import base

MOST_FIELDS = 100

_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

_decode = msgspec.json.Decoder().decode


def is_json(body: bytes) -> bool:
    """Whether a body is to be read as JSON: by what it begins with, for senders name any type; an empty one is."""
    return body.lstrip()[:1] in {b"{", b"[", b""}


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """The content type of a request in lower case, without its parameters; empty where there is none."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")


def is_form(kind: str) -> bool:
    """Whether a media type is that of a form."""
    return kind in _FORMS


def opened(found: Mapping[str, str]) -> dict[str, Any]:
    """Fields with what they hold: one that is a JSON object or list becomes that, any other stays the text it is."""
    return {name: _object_or_text(text) for name, text in found.items()}


def _object_or_text(text: str) -> Any:
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return _decode(text.encode())
    except (UnicodeEncodeError, *Undecodable):
        return text


def fields(body: bytes, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """The fields of a multipart or an urlencoded form, the last of each name.

    ``headers`` have lower-case names. ``base.Unparsable`` where the body is no form, or has too many fields.
    """
    kind, options = multipart.parse_options_header(headers.get(b"content-type", b""))
    if kind == b"multipart/form-data":
        return _multipart(body, options.get(b"boundary", b""))
    return urlencoded(body)


def urlencoded(raw: bytes) -> dict[str, str]:
    """The fields of an urlencoded form, or of the query of a URL, the last of each name."""
    try:
        return dict(
            urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
        )
    except UnicodeDecodeError as error:
        raise base.Unparsable("", f"the form is not UTF-8: {error.reason}") from error
    except ValueError as error:
        raise base.Unparsable("", f"the form has more than {MOST_FIELDS} fields") from error


class _Parts:
    """Collects the parts of a multipart body as its parser finds them; nothing is written anywhere."""

    def __init__(self) -> None:
        self.found: dict[bytes, bytes] = {}
        self._header = bytearray()
        self._value = bytearray()
        self._name: bytes | None = None
        self._data = bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            self._name = multipart.parse_options_header(bytes(self._value))[1].get(b"name")
        self._header.clear()
        self._value.clear()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def on_part_end(self) -> None:
        if self._name is not None:
            self.found[self._name] = bytes(self._data)
        self._name = None
        self._data.clear()
        if len(self.found) > MOST_FIELDS:
            raise base.Unparsable("", f"the form has more than {MOST_FIELDS} fields")


def _multipart(body: bytes, boundary: bytes) -> dict[str, str]:
    if not boundary:
        raise base.Unparsable("", "the content type of the form names no boundary")
    parts = _Parts()
    parser = python_multipart.MultipartParser(
        boundary,
        callbacks={
            "on_header_field": parts.on_header_field,
            "on_header_value": parts.on_header_value,
            "on_header_end": parts.on_header_end,
            "on_part_data": parts.on_part_data,
            "on_part_end": parts.on_part_end,
        },
    )
    try:
        parser.write(body)
        parser.finalize()
        return {name.decode(): value.decode() for name, value in parts.found.items()}
    except exceptions.FormParserError as error:
        raise base.Unparsable("", f"the form is malformed: {error}") from error
    except UnicodeDecodeError as error:
        raise base.Unparsable("", f"the form is not UTF-8: {error.reason}") from error
