"""Forms, for senders that wrap their JSON in one: a body's fields as texts, by the content type of the request."""

import urllib.parse
from collections.abc import Mapping
from typing import Any

import msgspec
import python_multipart
from python_multipart import exceptions, multipart

from router.domain.undecodable import Undecodable
from router.sources import base

MAX_FIELDS = 100

_FORMS = {"application/x-www-form-urlencoded", "multipart/form-data"}

_decode = msgspec.json.Decoder().decode


def is_json(body: bytes) -> bool:
    """Return whether to read a body as JSON.

    Its first character decides, since senders declare any type. An empty body is JSON.
    """
    return body.lstrip()[:1] in {b"{", b"[", b""}


def media_type(headers: Mapping[bytes, bytes]) -> str:
    """Return the content type of a request in lower case, without its parameters; empty if there is none."""
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower().decode("latin-1")


def is_form(kind: str) -> bool:
    """Return whether a media type is that of a form."""
    return kind in _FORMS


def decode_fields(texts: Mapping[str, str]) -> dict[str, Any]:
    """Decode the fields that contain a JSON object or list. Other fields stay texts."""
    return {name: _object_or_text(text) for name, text in texts.items()}


def _object_or_text(text: str) -> Any:
    # Numbers and words stay texts, because the fields of a form have no types.
    if text.lstrip()[:1] not in {"{", "["}:
        return text
    try:
        return _decode(text.encode())
    except (UnicodeEncodeError, *Undecodable):
        return text


def fields(body: bytes, headers: Mapping[bytes, bytes]) -> dict[str, str]:
    """Return the fields of a multipart or urlencoded form; of several with the same name, the last.

    ``headers`` have lower-case names. Raises ``base.Unparsable`` if the body isn't a form or has too many fields.
    """
    kind, options = multipart.parse_options_header(headers.get(b"content-type", b""))
    if kind == b"multipart/form-data":
        return _multipart(body, options.get(b"boundary", b""))
    return parse_urlencoded(body)


def parse_urlencoded(raw: bytes) -> dict[str, str]:
    """Return the fields of an urlencoded form or of a URL's query; of several with the same name, the last."""
    try:
        return dict(
            # An empty field is kept, so that a mapping can distinguish it from a missing one.
            urllib.parse.parse_qsl(raw.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
        )
    except UnicodeDecodeError as error:
        raise base.Unparsable("", f"the form is not UTF-8: {error.reason}") from error
    except ValueError as error:
        raise base.Unparsable("", f"the form has more than {MAX_FIELDS} fields") from error


class _Parts:
    """Collects the parts of a multipart body as the parser finds them, in memory only."""

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}
        self._header = bytearray()
        self._value = bytearray()
        self._name: bytes | None = None
        self._data = bytearray()

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def on_header_end(self) -> None:
        # The parser passes headers in pieces, so a header is complete only at its end.
        if self._header.lower() == b"content-disposition":
            self._name = multipart.parse_options_header(bytes(self._value))[1].get(b"name")
        self._header.clear()
        self._value.clear()

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        self._data += data[start:end]

    def on_part_end(self) -> None:
        # A part without a name has no place in a mapping.
        if self._name is not None:
            self.fields[self._name] = bytes(self._data)
        self._name = None
        self._data.clear()
        # The limit applies while parsing, so that a body of millions of parts uses no memory for them.
        if len(self.fields) > MAX_FIELDS:
            raise base.Unparsable("", f"the form has more than {MAX_FIELDS} fields")


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
        return {name.decode(): value.decode() for name, value in parts.fields.items()}
    except exceptions.FormParserError as error:
        raise base.Unparsable("", f"the form is malformed: {error}") from error
    except UnicodeDecodeError as error:
        raise base.Unparsable("", f"the form is not UTF-8: {error.reason}") from error
