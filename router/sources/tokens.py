"""Static tokens where a sender can set neither a bearer token nor a signature.

They stand in a header, in the address, in a field of a form, or, as PagerDuty's routing keys do, in the JSON itself.
"""

import hmac
from collections.abc import Iterator, Mapping
from typing import Self
from urllib import parse

import msgspec
import pydantic

_MASK = b"***"
_LONGEST = 16 * 1024  # Bytes of a token as it is written.
_MOST_FIELDS = 100  # Of a form or a query: as many as are read of one.


class Config(pydantic.BaseModel):
    """A source's ``token``: where it stands, one of four, and the ``values`` that are accepted.

    ``header``, ``query`` parameter, ``form`` field, or ``member`` of a JSON object.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    values: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)
    header: str = ""
    query: str = ""
    form: str = ""
    member: str = ""

    @pydantic.model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(map(bool, (self.header, self.query, self.form, self.member))) != 1:
            raise ValueError("a token stands in one place: name a header, or query, or form, or member")
        if not all(value.get_secret_value().strip() for value in self.values):
            raise ValueError("a token is empty")
        return self


class Token:
    """Knows the tokens that a source accepts; compared in constant time, all of them."""

    __slots__ = ("_accepted", "_config", "_decode", "_header")

    def __init__(self, config: Config) -> None:
        """Take checked settings."""
        self._accepted = tuple(value.get_secret_value().strip().encode() for value in config.values)
        self._header = config.header.lower().encode()
        self._config = config
        # Only the token is built: senders that aren't authenticated yet send what they like beside it.
        shape = msgspec.defstruct("Holder", [("token", str)], rename={"token": config.member or "token"})
        self._decode = msgspec.json.Decoder(shape).decode

    def __repr__(self) -> str:
        return f"Token({self.place}, {len(self._accepted)} secrets)"

    @property
    def header(self) -> bytes:
        """The header that carries the token, in lower case; empty where it stands elsewhere."""
        return self._header

    @property
    def in_body(self) -> bool:
        """Whether the body has to be read to find it."""
        return bool(self._config.form or self._config.member)

    @property
    def place(self) -> str:
        """Where the token is looked for, in words."""
        config = self._config
        if config.header:
            return f"header {self._header.decode()}"
        if config.member:
            return f"member {config.member} of the body"
        return f"form field {config.form}" if config.form else f"query parameter {config.query}"

    def without(self, query: bytes) -> bytes:
        """A query string without the parameter that carries the token, for what is read and written down."""
        wanted = self._config.query
        if not wanted:
            return query
        parts = query.split(b"&")
        return b"&".join(
            part for part in parts if parse.unquote_plus(part.decode("latin-1").partition("=")[0]) != wanted
        )

    def accepts(self, headers: Mapping[bytes, bytes], query: bytes) -> bool:
        """Whether a request with these headers and this query string may post; not for a token in the body."""
        if self._header:
            return self._holds([headers.get(self._header, b"")])
        return self._holds(_of_pairs(query, self._config.query))

    def accepts_body(self, body: bytes) -> bool:
        """Whether a request with this body may post."""
        if self._config.form:
            return self._holds(_of_pairs(body, self._config.form))
        try:
            return self._holds([self._decode(body).token.encode()])  # type: ignore[attr-defined]
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

    def masked(self, body: bytes) -> bytes:
        """The body as it may be written down: a token in it is no longer there, in whatever spelling it was accepted.

        What is left is as valid as before, a form or JSON, since it is what the source reads.
        """
        for accepted in self._accepted:
            in_json = msgspec.json.encode(accepted.decode())[1:-1]
            for written in {accepted, in_json, parse.quote_plus(accepted).encode()}:
                body = body.replace(written, _MASK)
        if self._config.form:
            return b"&".join(self._without_value(part) for part in body.split(b"&"))
        return b"".join(map(self._without_text, _texts(body))) if b"\\" in body else body

    def _without_value(self, pair: bytes) -> bytes:
        """One pair of a form; its value may be percent-encoded in many ways."""
        name, equals, value = pair.partition(b"=")
        if len(value) > _LONGEST or not (b"%" in value or b"+" in value):
            return pair
        read = parse.unquote_plus(value.decode("latin-1")).encode()
        return name + equals + _MASK if any(accepted in read for accepted in self._accepted) else pair

    def _without_text(self, written: bytes) -> bytes:
        """One text of a JSON body, or what stands between two; a text's characters may be escaped in many ways."""
        if b"\\" not in written or not written.startswith(b'"'):
            return written
        try:
            read = msgspec.json.decode(written, type=str).encode()
        except (msgspec.MsgspecError, UnicodeError):
            return written
        return b'"' + _MASK + b'"' if any(accepted in read for accepted in self._accepted) else written

    def _holds(self, offered: list[bytes]) -> bool:
        found = False
        for one in offered:
            for accepted in self._accepted:
                found |= hmac.compare_digest(one, accepted)
        return found


def _texts(body: bytes) -> Iterator[bytes]:
    """A JSON body cut into its texts, with their quotes, and what stands between them; in linear time."""
    at = 0
    while (start := body.find(b'"', at)) >= 0:
        yield body[at:start]
        end = body.find(b'"', start + 1)
        while end >= 0 and _is_escaped(body, end):
            end = body.find(b'"', end + 1)
        at = end + 1 if end >= 0 else len(body)
        yield body[start:at]
    yield body[at:]


def _is_escaped(body: bytes, at: int) -> bool:
    """Whether an odd number of backslashes stands before a quote."""
    first = at
    while body[first - 1 : first] == b"\\":
        first -= 1
    return (at - first) % 2 == 1


def _of_pairs(text: bytes, wanted: str) -> list[bytes]:
    """The values of a field; only those are decoded, since the sender of the others isn't authenticated yet."""
    if text.count(b"&") >= _MOST_FIELDS:
        return []
    longest = 3 * len(wanted.encode())  # Each byte may be written as %XX.
    pairs = (part.partition(b"=") for part in text.split(b"&"))
    return [
        parse.unquote_plus(value.decode("latin-1")).encode()
        for name, _, value in pairs
        if len(name) <= longest and len(value) <= _LONGEST and parse.unquote_plus(name.decode("latin-1")) == wanted
    ]
