"""One source as the door sees it: who may post to it, and how what they post is read."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from router.sources import base, calls, registry, tokens
from router.web import bounds, counts, problems, requests, senders

Headers = Mapping[bytes, bytes]


class Desk:
    """One source, with what the handler needs of it at hand."""

    __slots__ = (
        "_accepts",
        "_allow_from",
        "_challenge",
        "_endpoint",
        "_in_query",
        "_is_open",
        "_reads_query",
        "_reply",
        "_senders",
        "_signature",
        "_token",
        "answer",
        "counts",
        "events",
        "name",
        "retry_window",
        "unparsable_status",
        "verification",
    )

    def __init__(self, endpoint: registry.Endpoint, known: senders.Senders) -> None:
        self.name = endpoint.name
        self.retry_window = endpoint.retry_window
        self.unparsable_status = endpoint.kind.unparsable_status
        self.answer = endpoint.kind.answer
        self.counts = counts.Counts(endpoint.name)
        self.events = endpoint.kind.events and not endpoint.in_query
        self.verification = endpoint.verification
        self._endpoint = endpoint
        self._in_query = endpoint.in_query
        self._reads_query = endpoint.reads_query
        self._accepts = endpoint.verifier.accepts
        self._challenge = endpoint.verifier.challenge
        self._allow_from = endpoint.allow_from
        proofs = (endpoint.token, endpoint.signature, endpoint.verification)
        self._is_open = endpoint.verifier.is_open and all(proof is None for proof in proofs)
        self._senders = known
        self._token = endpoint.token
        self._signature = endpoint.signature
        self._reply = endpoint.reply

    def asks_by(self, method: str) -> None:
        """Look at the method; a ``problems.Problem`` (405) where it is not how this source delivers."""
        if method != "POST" and not (self._in_query and method == "GET"):
            allowed = b"GET, POST" if self._in_query else b"POST"
            raise problems.Problem(405, "method", "deliveries are sent with POST", headers=[(b"allow", allowed)])

    @property
    def has_api(self) -> bool:
        """Whether the kind serves paths below the address of this source."""
        return self._reply is not None

    def reply(self, call: calls.Call) -> calls.Reply | None:
        """The response to a call that delivers nothing; a ``problems.Problem`` (404) if the kind doesn't serve it."""
        if self._reply is None:
            return None
        try:
            return self._reply(call)
        except calls.UnknownCall as error:
            raise problems.Problem(404, "unknown-call", str(error)) from error

    def let_in(self, scope: Mapping[str, Any], headers: Headers) -> None:
        """Ask who it is, before the body is read; a ``problems.Problem`` (401, 403) where that is not right."""
        if self._allow_from and not self._senders.allowed(self._senders.address(scope, headers), self._allow_from):
            raise problems.Problem(403, "forbidden", "this source takes nothing from this address (allow_from)")
        if not self._accepts(headers.get(b"authorization")):
            raise _unauthorized(self._challenge, headers)
        token = self._token
        if token is not None and not token.in_body and not token.accepts(headers, scope["query_string"]):
            raise _no_token(token)

    @property
    def proof(self) -> Literal["headers", "bytes", "text"]:
        """What authenticates a sender: its headers, a signature of the body as received, or the body's own text."""
        if self.verification is not None or (self._token is not None and self._token.in_body):
            return "text"
        return "headers" if self._signature is None else "bytes"

    @property
    def is_open(self) -> bool:
        """Whether anyone may post (``auth: none``)."""
        return self._is_open

    def prove(self, headers: Headers, body: bytes, now: int) -> None:
        """Ask for a signature of the bytes as they came; a ``problems.Problem`` (401) where it is not right."""
        wrong = self._signature.problem(headers, body, now) if self._signature is not None else ""
        if wrong:
            raise problems.Problem(401, "unauthorized", wrong)

    def unlock(self, body: bytes) -> bytes:
        """The body without the token that it has to hold; a ``problems.Problem`` (401) where that is not right."""
        token = self._token
        if token is None or not token.in_body:
            return body
        if not token.accepts_body(body):
            raise _no_token(token)
        return token.masked(body)

    def said(self, body: bytes, query: bytes, call: calls.Call | None) -> bytes:
        """What is read and kept: the body, or the query in its place, without the token that it may carry.

        Of a call below the source's address, its request line is kept with its body.
        """
        if call is not None:
            return calls.wrap(call._replace(query=self._without_token(call.query.encode()).decode()), body)
        return self._without_token(query) if self._in_query else body

    def _without_token(self, query: bytes) -> bytes:
        return self._token.without(query) if self._token is not None else query

    def with_query(self, headers: Headers, query: bytes) -> Headers:
        """The headers, with the query among them if the source reads it: kept with a body, it can be read again."""
        if not self._reads_query or not query:
            return headers
        return {**headers, base.QUERY: self._without_token(query)}

    def delivery_id(self, headers: Headers, body: bytes) -> str:
        """What the sender calls this delivery, the same each time it sends it; empty where it calls it nothing."""
        if self._signature is not None and (named := self._signature.delivery_id(headers)):
            return named
        return self._endpoint.kind.delivery_id(headers, body) if self._endpoint.kind.delivery_id is not None else ""

    def read(
        self, body: bytes, headers: Headers, now: int, limits: bounds.Bounds, named: Callable[[], Collection[str]]
    ) -> base.Parsed:
        """As ``bounds.read``."""
        return bounds.read(self._endpoint, body, headers, now, bounds=limits, named=named)

    def shown(self, headers: Headers) -> dict[str, str]:
        """The headers that may be written down."""
        secret = self._token.header if self._token is not None else b""
        named = self._endpoint.named_headers - {secret, b"authorization", b"cookie"}
        return requests.to_keep({name: value for name, value in headers.items() if name != secret}, named)


def _no_token(token: tokens.Token) -> problems.Problem:
    return problems.Problem(401, "unauthorized", f"the {token.place} does not carry an accepted token")


def _unauthorized(challenge: bytes, headers: Headers) -> problems.Problem:
    detail = (
        "the credentials in the Authorization header are not accepted"
        if b"authorization" in headers
        else "there is no Authorization header; WWW-Authenticate says what is accepted"
    )
    return problems.Problem(401, "unauthorized", detail, headers=[(b"www-authenticate", challenge)])
