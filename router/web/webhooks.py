"""``POST /v1/webhooks/{source}``: authenticate, parse, decide, and answer 202 only once the inbox has the delivery.

It speaks ASGI without a framework in between: this is where every alert passes, and where a storm arrives.
"""

from collections.abc import Mapping
from typing import Any

from router.domain import alert as alerts
from router.domain import decision as decisions
from router.domain import delivery as deliveries
from router.domain import identity
from router.sources import base, registry
from router.store import errors
from router.telemetry import log
from router.web import answers, counts, ports, problems, requests

PREFIX = "/v1/webhooks/"
MAX_BODY_BYTES = 1024 * 1024

_log = log.get("web")
_UNKNOWN = 404
_UNAVAILABLE = 503

Scope = Mapping[str, Any]
Headers = Mapping[bytes, bytes]


class _Desk:
    """One source, with what the handler needs of it at hand."""

    __slots__ = (
        "accepts",
        "answer",
        "counts",
        "in_query",
        "name",
        "parse",
        "signature",
        "token",
        "unparsable_status",
        "verifier",
    )

    def __init__(self, endpoint: registry.Endpoint) -> None:
        self.name = endpoint.name
        self.unparsable_status = endpoint.kind.unparsable_status
        self.verifier = endpoint.verifier
        self.accepts = endpoint.verifier.accepts
        self.token = endpoint.token
        self.signature = endpoint.signature
        self.parse = endpoint.source.parse
        self.answer = endpoint.kind.answer
        self.in_query = endpoint.in_query
        self.counts = counts.Counts(endpoint.name)

    def let_in(self, headers: Headers, query: bytes) -> None:
        """Ask for credentials, before the body is read; a ``problems.Problem`` (401) where they are not right."""
        if not self.accepts(headers.get(b"authorization")):
            raise _unauthorized(self, headers)
        if self.token is not None and not self.token.accepts(headers, query):
            raise problems.Problem(401, "unauthorized", f"the {self.token.place} does not carry an accepted token")

    def shown(self, headers: Headers) -> dict[str, str]:
        """The headers that may be written down."""
        secret = self.token.header if self.token is not None else b""
        return requests.without_secrets({name: value for name, value in headers.items() if name != secret})

    def asks_by(self, method: str) -> None:
        """Look at the method; a ``problems.Problem`` (405) where it is not how this source delivers."""
        if method != "POST" and not (self.in_query and method == "GET"):
            allowed = b"GET, POST" if self.in_query else b"POST"
            raise problems.Problem(405, "method", "deliveries are sent with POST", headers=[(b"allow", allowed)])

    def said(self, body: bytes, query: bytes) -> bytes:
        """What is read and kept: the body, or the query in its place, without the token that it may carry."""
        if not self.in_query:
            return body
        return self.token.without(query) if self.token is not None else query

    def check_signature(self, headers: Headers, body: bytes, now: int) -> None:
        """Ask for a signature of the body; a ``problems.Problem`` (401) where it is not right."""
        wrong = self.signature.problem(headers, body, now) if self.signature is not None else ""
        if wrong:
            raise problems.Problem(401, "unauthorized", wrong)


class Door:
    """Takes deliveries in.

    ``decide`` may be replaced at any time, for example by reloaded rules: each delivery is decided as a whole by
    what it was when the delivery was read. ``clock`` gives microseconds since the epoch.
    """

    def __init__(
        self,
        endpoints: Mapping[str, registry.Endpoint],
        decide: ports.Decide,
        *,
        inbox: ports.Inbox,
        quarantine: ports.Quarantine,
        clock: ports.Clock,
        randomness: identity.Randomness,
        max_body_bytes: int = MAX_BODY_BYTES,
    ) -> None:
        self.decide = decide
        self._desks = {name: _Desk(endpoint) for name, endpoint in endpoints.items()}
        self._strangers = counts.Counts("")
        self._inbox = inbox
        self._quarantine = quarantine
        self._clock = clock
        self._randomness = randomness
        self._limit = max_body_bytes

    async def __call__(self, scope: Scope, receive: requests.Receive, send: problems.Send) -> None:
        """Answer one request whose path begins with ``PREFIX``."""
        desk = self._desks.get(scope["path"][len(PREFIX) :])
        if desk is None:
            problem = problems.Problem(_UNKNOWN, "unknown-source", "no source of this name is configured here")
            await self._refuse(None, problem, scope, send)
            return
        try:
            await self._take(desk, scope, receive, send)
        except problems.Problem as problem:
            await self._refuse(desk, problem, scope, send)
        except errors.Unavailable as error:
            await self._refuse(desk, problems.unavailable(error.reason, error.retry_after_seconds), scope, send)
        except requests.Disconnected:
            desk.counts.outcome("disconnected")
        except Exception:  # noqa: BLE001 - logged; the sender must learn that it has to send again, and nothing else
            _log.exception("delivery_failed", source=desk.name)
            failure = problems.Problem(500, "internal", "the router failed and accepted nothing; its log says why")
            await self._refuse(desk, failure, scope, send)

    async def _take(self, desk: _Desk, scope: Scope, receive: requests.Receive, send: problems.Send) -> None:
        """The way of a delivery, whose failures are raised."""
        desk.asks_by(scope["method"])
        headers = dict(scope["headers"])
        desk.let_in(headers, scope["query_string"])
        body = await requests.read(receive, headers, self._limit)
        now = self._clock()
        if desk.signature is not None:
            desk.check_signature(headers, body, now)
        body = desk.said(body, scope["query_string"])
        try:
            parsed, routed = self._decide(desk, body, headers, now)
        except base.Unparsable as error:
            kept = await self._set_aside(desk, body, headers, str(error), now)
            desk.counts.outcome("quarantined")
            await _answer_unparsable(desk, error, kept, send)
            return
        except Exception as error:
            _log.exception("delivery_undecided", source=desk.name)
            kept = await self._set_aside(desk, body, headers, f"the router failed: {type(error).__name__}", now)
            desk.counts.outcome("quarantined")
            raise problems.Problem(
                500, "internal", f"the router failed on this delivery and kept it as {kept}", quarantined=kept
            ) from error
        delivery = deliveries.pack(identity.new_delivery_id(now, self._randomness), desk.name, now, routed)
        if routed:
            await self._inbox.accept(delivery, body)
        desk.counts.accepted(delivery, parsed.truncated)
        if parsed.truncated:
            _log.warning("alerts_left_out", source=desk.name, delivery=delivery.id, truncated=parsed.truncated)
        kept = ""
        if parsed.rejected is not None:
            # Only now: were the quarantine not to take it, the sender would send all of it again, which is harmless.
            problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
            kept = await self._set_aside(desk, parsed.rejected.body, headers, problem, now)
        explain = _wants_explanation(scope)
        if desk.answer is None or explain:
            await answers.accepted(send, delivery, parsed, explain=explain, kept=kept)
        else:
            await answers.as_the_kind_has_it(send, desk.answer(parsed))

    def _decide(
        self, desk: _Desk, body: bytes, headers: Headers, now: int
    ) -> tuple[base.Parsed, list[tuple[alerts.Alert, decisions.Decision]]]:
        parsed = desk.parse(body, headers, now)
        decide = self.decide
        return parsed, [(alert, decide(alert, now)) for alert in parsed.alerts]

    async def _set_aside(self, desk: _Desk, body: bytes, headers: Headers, problem: str, now: int) -> str:
        """Keep a body that an authentic sender sent, and return what it is called in the quarantine."""
        kept = await self._quarantine.keep(desk.name, body, desk.shown(headers), problem, now)
        desk.counts.quarantined()
        _log.warning("delivery_quarantined", source=desk.name, quarantined=kept, problem=problem)
        return kept

    async def _refuse(self, desk: _Desk | None, problem: problems.Problem, scope: Scope, send: problems.Send) -> None:
        if "quarantined" not in problem.extras:
            counted = desk.counts if desk is not None else self._strangers
            counted.outcome(problem.name.replace("-", "_"))
        level = _log.warning if problem.status == _UNAVAILABLE else _log.info
        level("delivery_refused", source=desk.name if desk else "", status=problem.status, problem=problem.detail)
        await problems.answer(send, problem, scope)


async def _answer_unparsable(desk: _Desk, error: base.Unparsable, kept: str, send: problems.Send) -> None:
    if desk.unparsable_status == answers.STATUS:
        await answers.quarantined(send, kept, error)
        return
    raise problems.Problem(
        desk.unparsable_status,
        "unparsable",
        f"{error}. The body is kept as {kept} and can be run again after a fix",
        where=error.where,
        problem=error.problem,
        quarantined=kept,
    )


def _unauthorized(desk: _Desk, headers: Headers) -> problems.Problem:
    detail = (
        "the credentials in the Authorization header are not accepted"
        if b"authorization" in headers
        else "there is no Authorization header; WWW-Authenticate says what is accepted"
    )
    return problems.Problem(401, "unauthorized", detail, headers=[(b"www-authenticate", desk.verifier.challenge)])


def _wants_explanation(scope: Scope) -> bool:
    query: bytes = scope["query_string"]
    return bool(query) and b"explain=true" in query.split(b"&")
