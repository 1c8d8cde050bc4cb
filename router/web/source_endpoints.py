"""One source at the webhook server: how its senders are authenticated, and how its deliveries are read."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, Literal

from router.domain.times import Duration, Timestamp
from router.sources import base, calls, registry, tokens, verifications
from router.web import client_addresses, problems, request_limits, requests, source_metrics

Headers = Mapping[bytes, bytes]


class SourceEndpoint:
    """One source, with the data for handling its requests."""

    __slots__ = ("_addresses", "_signature", "_source", "_token", "counts", "is_open", "name", "proof")

    def __init__(self, source: registry.ConfiguredSource, addresses: client_addresses.ClientAddresses) -> None:
        self.name = source.name
        self.counts = source_metrics.SourceMetrics(source.name)
        proofs = (source.token, source.signature, source.verification)
        self.is_open = source.verifier.is_open and all(proof is None for proof in proofs)
        """Whether the source requires no authentication (``auth: none``)."""
        self.proof = _proof(source)
        """What authenticates a sender: headers, a signature of the body as received, or the text of the body."""
        self._source = source
        self._addresses = addresses
        self._signature = source.signature
        self._token = source.token

    @property
    def kind(self) -> base.Kind:
        """Return the kind of the source."""
        return self._source.kind

    @property
    def verification(self) -> verifications.Verification | None:
        """Return the verification of deliveries that the vendor signs; None if there is none."""
        return self._source.verification

    @property
    def retry_window(self) -> Duration | None:
        """Return how long the source may repeat a message, in microseconds; None if unknown."""
        return self._source.retry_window

    @property
    def has_handshake(self) -> bool:
        """Return whether senders may ask for permission first, as CloudEvents specifies."""
        return self._source.kind.events and not self._source.in_query

    def check_method(self, method: str) -> None:
        """Check the method. Raises ``problems.Problem`` (405) if this source doesn't deliver with it."""
        if method != "POST" and not (self._source.in_query and method == "GET"):
            allowed = b"GET, POST" if self._source.in_query else b"POST"
            raise problems.Problem(405, "method", "send deliveries with POST", headers=[(b"allow", allowed)])

    @property
    def has_api(self) -> bool:
        """Return whether the kind serves paths below the URL of this source."""
        return self._source.reply is not None

    def reply(self, call: calls.Call) -> calls.Reply | None:
        """Return the response to a call without alerts, or None. Raises ``problems.Problem`` (404) if unknown."""
        if self._source.reply is None:
            return None
        try:
            return self._source.reply(call)
        except calls.UnknownCall as error:
            raise problems.Problem(404, "unknown-call", str(error)) from error

    def authenticate(self, scope: Mapping[str, Any], headers: Headers) -> None:
        """Authenticate a request by its headers and address. Raises ``problems.Problem`` (401, 403)."""
        if self._source.allow_from and not self._addresses.is_allowed(
            self._addresses.address(scope, headers), self._source.allow_from
        ):
            raise problems.Problem(
                403, "forbidden", "this source doesn't allow requests from this address (allow_from)"
            )
        if not self._source.verifier.accepts(headers.get(b"authorization")):
            raise _unauthorized(self._source.verifier.challenge, headers)
        token = self._token
        if token is not None and not token.in_body and not token.accepts(headers, scope["query_string"]):
            raise _no_token(token)

    def client(self, scope: Mapping[str, Any], headers: Headers) -> str:
        """Return the sender's address, if the verification of the source needs it; empty otherwise."""
        return self._addresses.address(scope, headers) if self.verification is not None else ""

    def verify_signature(self, headers: Headers, body: bytes, now: Timestamp) -> None:
        """Verify the signature of the body as received. Raises ``problems.Problem`` (401)."""
        wrong = self._signature.problem(headers, body, now) if self._signature is not None else ""
        if wrong:
            raise problems.Problem(401, "unauthorized", wrong)

    def verify_body_token(self, body: bytes) -> bytes:
        """Verify the token in the body, and return the body with it masked. Raises ``problems.Problem`` (401)."""
        token = self._token
        if token is None or not token.in_body:
            return body
        if not token.accepts_body(body):
            raise _no_token(token)
        return token.mask(body)

    def payload(self, body: bytes, query: bytes, call: calls.Call | None) -> bytes:
        """Return the data to parse and store: the body, or the query instead of it, without a token.

        A call below the source's URL is stored with its request line.
        """
        if call is not None:
            return calls.wrap(call._replace(query=self._without_token(call.query.encode()).decode()), body)
        return self._without_token(query) if self._source.in_query else body

    def _without_token(self, query: bytes) -> bytes:
        return self._token.without(query) if self._token is not None else query

    def with_query(self, headers: Headers, query: bytes) -> Headers:
        """Add the query to the headers if the source reads it, so that it is stored with the body."""
        if not self._source.reads_query or not query:
            return headers
        return {**headers, base.QUERY: self._without_token(query)}

    def delivery_id(self, headers: Headers, body: bytes) -> str:
        """Return the sender's ID of this delivery, the same for each retry; empty without one."""
        if self._signature is not None and (signed_id := self._signature.delivery_id(headers)):
            return signed_id
        return self._source.kind.delivery_id(headers, body) if self._source.kind.delivery_id is not None else ""

    def read(
        self,
        body: bytes,
        headers: Headers,
        now: Timestamp,
        limits: request_limits.RequestLimits,
        labels_named: Callable[[], Collection[str]],
    ) -> base.Parsed:
        """Parse a body, as ``request_limits.read`` does."""
        return request_limits.read(self._source, body, headers, now, bounds=limits, labels_named=labels_named)

    def loggable_headers(self, headers: Headers) -> dict[str, str]:
        """Return the headers to store with a body, which contain no secret."""
        secret = self._token.header if self._token is not None else b""
        loggable_names = self._source.named_headers - {secret, b"authorization", b"cookie"}
        return requests.to_keep({name: value for name, value in headers.items() if name != secret}, loggable_names)


def _proof(source: registry.ConfiguredSource) -> Literal["headers", "bytes", "text"]:
    if source.verification is not None or (source.token is not None and source.token.in_body):
        return "text"
    return "headers" if source.signature is None else "bytes"


def _no_token(token: tokens.Token) -> problems.Problem:
    return problems.Problem(401, "unauthorized", f"missing or invalid token in the {token.place}")


def _unauthorized(challenge: bytes, headers: Headers) -> problems.Problem:
    detail = (
        "invalid credentials in the Authorization header"
        if b"authorization" in headers
        else "missing Authorization header; WWW-Authenticate lists the accepted schemes"
    )
    return problems.Problem(401, "unauthorized", detail, headers=[(b"www-authenticate", challenge)])
