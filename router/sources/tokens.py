"""Static tokens where a sender can set neither a bearer token nor a signature: in a header, or in the address."""

import hmac
from collections.abc import Mapping
from typing import Self
from urllib import parse

import pydantic


class Config(pydantic.BaseModel):
    """A source's ``token``: the ``header`` or the ``query`` parameter that carries it, and the ``values`` accepted."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    values: tuple[pydantic.SecretStr, ...] = pydantic.Field(min_length=1)
    header: str = ""
    query: str = ""

    @pydantic.model_validator(mode="after")
    def _one_place(self) -> Self:
        if bool(self.header) == bool(self.query):
            raise ValueError("a token stands in a header or in the query: name one of the two")
        if not all(value.get_secret_value().strip() for value in self.values):
            raise ValueError("a token is empty")
        return self


class Token:
    """Knows the tokens that a source accepts; compared in constant time, all of them."""

    __slots__ = ("_accepted", "_header", "_query")

    def __init__(self, config: Config) -> None:
        """Take checked settings."""
        self._accepted = tuple(value.get_secret_value().strip().encode() for value in config.values)
        self._header = config.header.lower().encode()
        self._query = config.query

    def __repr__(self) -> str:
        return f"Token({self.place}, {len(self._accepted)} secrets)"

    @property
    def header(self) -> bytes:
        """The header that carries the token, in lower case; empty where it stands in the query."""
        return self._header

    @property
    def place(self) -> str:
        """Where the token is looked for, in words."""
        return f"header {self._header.decode()}" if self._header else f"query parameter {self._query}"

    def without(self, query: bytes) -> bytes:
        """A query string without the parameter that carries the token, for what is read and written down."""
        if self._header:
            return query
        parts = query.split(b"&")
        return b"&".join(
            part for part in parts if parse.unquote_plus(part.decode("latin-1").partition("=")[0]) != self._query
        )

    def accepts(self, headers: Mapping[bytes, bytes], query: bytes) -> bool:
        """Whether a request with these headers and this query string may post."""
        if self._header:
            offered = [headers.get(self._header, b"")]
        else:
            pairs = parse.parse_qsl(query.decode("latin-1"), keep_blank_values=True)
            offered = [value.encode() for name, value in pairs if name == self._query]
        found = False
        for one in offered:
            for accepted in self._accepted:
                found |= hmac.compare_digest(one, accepted)
        return found
