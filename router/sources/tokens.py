"""Static tokens, for senders that can set neither a bearer token nor a signature.

A token is in a header, in the URL, in a field of a form, or, like PagerDuty's routing keys, in the JSON body.
"""

import hmac
from collections.abc import Iterator, Mapping
from typing import Self
from urllib import parse

import msgspec
import pydantic

_MASK = b"***"
_MAX_LENGTH = 16 * 1024  # Bytes of a token as written.
_MAX_FIELDS = 100  # Of a form or a query: the same limit as for parsing.


class Config(pydantic.BaseModel):
    """A source's ``token``: one of four places, and the accepted ``values``.

    ``header``, ``query`` parameter, ``form`` field, or ``member`` of a JSON object.
    """

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    values: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)
    header: str = ""
    query: str = ""
    form: str = ""
    member: str = ""

    @pydantic.model_validator(mode="after")
    def _check_place(self) -> Self:
        if sum(map(bool, (self.header, self.query, self.form, self.member))) != 1:
            raise ValueError("a token has one place: name a header, query, form, or member")
        if not all(value.get_secret_value().strip() for value in self.values):
            raise ValueError("a token is empty")
        return self


class Token:
    """Verifies the tokens that a source accepts. Each is compared in constant time."""

    __slots__ = ("_accepted_values", "_config", "_decode", "_header")

    def __init__(self, config: Config) -> None:
        """Initialize from validated settings."""
        self._accepted_values = tuple(value.get_secret_value().strip().encode() for value in config.values)
        self._header = config.header.lower().encode()
        self._config = config
        # Only the token is decoded: senders that aren't authenticated yet may add any other members.
        shape = msgspec.defstruct("Holder", [("token", str)], rename={"token": config.member or "token"})
        self._decode = msgspec.json.Decoder(shape).decode

    def __repr__(self) -> str:
        return f"Token({self.place}, {len(self._accepted_values)} secrets)"

    @property
    def header(self) -> bytes:
        """Return the header that carries the token, in lower case; empty if the token is elsewhere."""
        return self._header

    @property
    def in_body(self) -> bool:
        """Return whether the token is in the body."""
        return bool(self._config.form or self._config.member)

    @property
    def place(self) -> str:
        """Return the place of the token in words."""
        config = self._config
        if config.header:
            return f"header {self._header.decode()}"
        if config.member:
            return f"member {config.member} of the body"
        return f"form field {config.form}" if config.form else f"query parameter {config.query}"

    def without(self, query: bytes) -> bytes:
        """Return a query string without the token's parameter, for parsing and logs."""
        name = self._config.query
        if not name:
            return query
        parts = query.split(b"&")
        return b"&".join(part for part in parts if parse.unquote_plus(part.decode("latin-1").partition("=")[0]) != name)

    def accepts(self, headers: Mapping[bytes, bytes], query: bytes) -> bool:
        """Return whether a request with these headers and this query is authenticated; not for a token in the body."""
        if self._header:
            # A missing header is compared like a wrong token. No accepted token is empty.
            return self._matches_any([headers.get(self._header, b"")])
        return self._matches_any(_find_values(query, self._config.query))

    def accepts_body(self, body: bytes) -> bool:
        """Return whether a request with this body is authenticated."""
        if self._config.form:
            return self._matches_any(_find_values(body, self._config.form))
        try:
            return self._matches_any([self._decode(body).token.encode()])  # type: ignore[attr-defined]
        # An unreadable body carries no token. The response must not reveal more.
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            return False

    def mask(self, body: bytes) -> bytes:
        """Return the body for storage, with the token masked in every spelling that is accepted.

        The result is still a valid form or JSON, because the source reads it.
        """
        # Every token is compared, so that the response time doesn't reveal a partial match.
        for accepted in self._accepted_values:
            in_json = msgspec.json.encode(accepted.decode())[1:-1]
            # These are the usual spellings. Unusual ones are found below, by decoding each value.
            for token in {accepted, in_json, parse.quote_plus(accepted).encode()}:
                body = body.replace(token, _MASK)
        if self._config.form:
            return b"&".join(self._mask_pair(part) for part in body.split(b"&"))
        return b"".join(map(self._mask_string, _texts(body))) if b"\\" in body else body

    def _mask_pair(self, pair: bytes) -> bytes:
        """Mask the token in one pair of a form, whose value may be percent-encoded in many ways."""
        name, equals, value = pair.partition(b"=")
        # Without percent-encoding, the value was masked above.
        if len(value) > _MAX_LENGTH or not (b"%" in value or b"+" in value):
            return pair
        read = parse.unquote_plus(value.decode("latin-1")).encode()
        return name + equals + _MASK if any(accepted in read for accepted in self._accepted_values) else pair

    def _mask_string(self, token: bytes) -> bytes:
        """Mask the token in one part of a JSON body. The characters of a string may be escaped in many ways."""
        # Without an escape, the text was masked above.
        if b"\\" not in token or not token.startswith(b'"'):
            return token
        try:
            read = msgspec.json.decode(token, type=str).encode()
        except (msgspec.MsgspecError, UnicodeError):
            return token
        return b'"' + _MASK + b'"' if any(accepted in read for accepted in self._accepted_values) else token

    def _matches_any(self, offered: list[bytes]) -> bool:
        holds = False
        for candidate in offered:
            for accepted in self._accepted_values:
                holds |= hmac.compare_digest(candidate, accepted)
        return holds


def _texts(body: bytes) -> Iterator[bytes]:
    """Yield the strings of a JSON body, with their quotes, and the parts between them, in linear time."""
    at = 0
    while (start := body.find(b'"', at)) >= 0:
        yield body[at:start]
        end = body.find(b'"', start + 1)
        # A quote after an escaped backslash ends the string, and a quote after a backslash doesn't.
        while end >= 0 and _is_escaped(body, end):
            end = body.find(b'"', end + 1)
        at = end + 1 if end >= 0 else len(body)
        yield body[start:at]
    yield body[at:]


def _is_escaped(body: bytes, at: int) -> bool:
    """Return whether an odd number of backslashes precedes a quote."""
    first = at
    while body[first - 1 : first] == b"\\":
        first -= 1
    return (at - first) % 2 == 1


def _find_values(text: bytes, query_name: str) -> list[bytes]:
    """Return the values of a field. Other fields aren't decoded, because the sender isn't authenticated yet."""
    # The sender isn't authenticated yet, so the work for it is limited.
    if text.count(b"&") >= _MAX_FIELDS:
        return []
    longest = 3 * len(query_name.encode())  # Each byte may be written as %XX.
    pairs = (part.partition(b"=") for part in text.split(b"&"))
    return [
        parse.unquote_plus(value.decode("latin-1")).encode()
        for name, _, value in pairs
        # The length is compared first, so that long names of a hostile request aren't decoded.
        if len(name) <= longest
        and len(value) <= _MAX_LENGTH
        and parse.unquote_plus(name.decode("latin-1")) == query_name
    ]
