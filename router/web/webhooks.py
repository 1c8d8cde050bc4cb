"""``POST /v1/webhooks/{source}``: authenticate, parse, decide, and return 202 only after the delivery is in the inbox.

The handler is plain ASGI without a framework, because it is on the hot path of alert storms.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent import futures
from typing import Any, NamedTuple
from urllib import parse

import msgspec

from router.domain import alerts, decisions, deliveries, identity, notices
from router.domain.times import Timestamp
from router.rules import grouping_notices
from router.sources import base, calls, prometheus, registry, verifications
from router.store import errors
from router.telemetry import instruments, log, tracing
from router.web import (
    budget,
    client_addresses,
    cloudevents_handshake,
    placement_lookups,
    ports,
    problems,
    refusals,
    request_limits,
    requests,
    responses,
    source_endpoints,
    source_metrics,
)

PREFIX = "/v1/webhooks/"
ALERTS_V2 = prometheus.PATH

_log = log.get("web")
_UNAVAILABLE = 503
_GZIP = frozenset({b"gzip", b"x-gzip"})
_QUICK_TO_INFLATE = 4096  # Bytes; they inflate to at most 4 MiB. Larger bodies are inflated in a thread.
_UNREADABLE = frozenset({"too-large", "encoding"})  # Problems that a retry doesn't solve.

Scope = Mapping[str, Any]
Headers = Mapping[bytes, bytes]
_Decided = tuple[base.Parsed, list[tuple[alerts.Alert, decisions.Decision]]]


class _Request(NamedTuple):
    """An authentic delivery. ``called`` is the sender's ID of the delivery, empty without one."""

    endpoint: source_endpoints.SourceEndpoint
    headers: Headers
    body: bytes
    now: Timestamp
    called: str
    explain: bool
    client: str

    @property
    def is_dry_run(self) -> bool:
        """Return whether the sender requests a dry run, which stores nothing."""
        return self.headers.get(request_limits.TEST, b"").strip().lower() == b"dry-run"


class WebhookHandler:
    """Receives deliveries.

    ``decide`` and ``labels_named`` (the labels that rules name) may be replaced at any time, for example when rules are
    reloaded. One version of the rules decides each delivery as a whole. ``clock`` returns microseconds since the Unix
    epoch. ``seen`` stores senders' delivery IDs; without it, a repeated delivery is processed again, which changes
    nothing. ``placements`` find the incidents that hold the alerts, for responses that explain. ``public`` are the
    names of public destinations.
    """

    def __init__(
        self,
        endpoints: Mapping[str, registry.ConfiguredSource],
        decide: ports.Decide,
        *,
        inbox: ports.Inbox,
        quarantine: ports.Quarantine,
        clock: ports.Clock,
        randomness: identity.Randomness,
        seen: ports.DeliveryIdStore | None = None,
        placements: ports.Placements | None = None,
        limits: request_limits.RequestLimits | None = None,
        addresses: client_addresses.ClientAddresses | None = None,
        public: Collection[str] = (),
        traces: tracing.Traces = tracing.OFF,
    ) -> None:
        self.decide = decide
        self.labels_named: Callable[[], Collection[str]] = frozenset
        addresses = addresses or client_addresses.ClientAddresses()
        self._endpoints = {
            PREFIX + name: source_endpoints.SourceEndpoint(endpoint, addresses) for name, endpoint in endpoints.items()
        }
        for name, endpoint in endpoints.items():
            if endpoint.kind.path:
                self._endpoints[PREFIX + name + endpoint.kind.path] = self._endpoints[PREFIX + name]
        rulers = [name for name, endpoint in endpoints.items() if endpoint.kind.path == ALERTS_V2]
        # With several sources, the path of Prometheus doesn't say which of them is meant.
        if len(rulers) == 1:
            self._endpoints[ALERTS_V2] = self._endpoints[PREFIX + rulers[0]]
        self._inbox = inbox
        self._quarantine = quarantine
        self._clock = clock
        self._randomness = randomness
        self._seen = seen
        self._placements = placements
        self._log = _log.bind()  # Binding the log to each line would take longer than deciding an alert.
        self._public = frozenset(public)
        self._limits = limits or request_limits.RequestLimits()
        self._traces = traces
        self._refusals = refusals.Refusals()
        self._in_flight = 0
        self._budget = budget.Budget(self._limits.bytes_in_flight)
        # One thread each: two parsers can't run at the same time, and inflating must not wait for parsing.
        self._parser = futures.ThreadPoolExecutor(1, "parser")
        self._helper = futures.ThreadPoolExecutor(1, "helper")
        self._inflating = asyncio.Lock()

    async def __call__(self, scope: Scope, receive: requests.Receive, send: problems.Send) -> None:
        """Answer one request whose path begins with ``PREFIX`` or is ``ALERTS_V2``."""
        began = instruments.clock()
        endpoint, call = self._endpoints.get(scope["path"]), None
        if endpoint is None:
            endpoint, call = self._below(scope)
        if endpoint is None:
            await self._reject_unknown(scope, send, began)
            return
        status = await self._respond(endpoint, call, scope, receive, send)
        endpoint.counts.observe_duration(status, began)

    async def _respond(
        self,
        endpoint: source_endpoints.SourceEndpoint,
        call: calls.Call | None,
        scope: Scope,
        receive: requests.Receive,
        send: problems.Send,
    ) -> int:
        """Respond to one request, and return the status: 200 for every success, 0 if the sender has disconnected."""
        try:
            self._limit_requests()
            await self._handle(endpoint, call, scope, receive, send)
        except problems.Problem as problem:
            # The traceback refers to the body, which would stay in memory until the next garbage collection.
            problems.release(problem)
            return await self._reject(endpoint, problem, scope, send)
        except errors.Unavailable as error:
            return await self._reject(
                endpoint, problems.unavailable(error.reason, error.retry_after_seconds), scope, send
            )
        except requests.Disconnected:
            endpoint.counts.count_outcome("disconnected")
            _log.info("delivery_broken_off", source=endpoint.name)
            return 0
        except Exception:  # noqa: BLE001 - logged; the response tells the sender only to retry
            _log.exception("delivery_failed", source=endpoint.name)
            failure = problems.Problem(500, "internal", "the router failed and stored nothing; see its log")
            return await self._reject(endpoint, failure, scope, send)
        return 200

    def _below(self, scope: Scope) -> tuple[source_endpoints.SourceEndpoint | None, calls.Call | None]:
        """Return the source whose kind serves paths below its URL, and the call to it."""
        path: bytes = scope["raw_path"]  # In the decoded path, a slash within an identifier looks like a separator.
        name, slash, rest = path.decode("latin-1").removeprefix(PREFIX).partition("/")
        endpoint = self._endpoints.get(PREFIX + parse.unquote(name))
        if not slash or endpoint is None or not endpoint.has_api:
            return None, None
        return endpoint, calls.Call(scope["method"], slash + rest, scope["query_string"].decode("latin-1"))

    def _limit_requests(self) -> None:
        if self._in_flight >= self._limits.in_flight:
            raise problems.unavailable("too many requests are in flight (web.max_in_flight)", 1)

    async def _handle(
        self,
        endpoint: source_endpoints.SourceEndpoint,
        call: calls.Call | None,
        scope: Scope,
        receive: requests.Receive,
        send: problems.Send,
    ) -> None:
        """Handle one request. Raises ``problems.Problem`` if it is refused."""
        headers: Headers = dict(scope["headers"])
        origin = (
            cloudevents_handshake.origin(headers)
            if endpoint.has_handshake and scope["method"] == cloudevents_handshake.METHOD
            else b""
        )
        if not origin and call is None:
            endpoint.check_method(scope["method"])
        endpoint.authenticate(scope, headers)
        # The handshake is answered only after authentication: it permits its sender to deliver.
        if origin:
            _log.info("deliveries_permitted", source=endpoint.name, origin=origin.decode())
            await cloudevents_handshake.permit(send, origin)
            return
        if call is not None and (reply := endpoint.reply(call)) is not None:
            await responses.send_reply(send, reply.body, reply.status)
            return
        # Unauthenticated requests may use only half of the budget, so that they can't keep authenticated senders out.
        with self._budget.share(is_proven=endpoint.proof == "headers" and not endpoint.is_open) as share:
            now, body = await self._read(endpoint, headers, receive, share)
            body = endpoint.payload(endpoint.verify_body_token(body), scope["query_string"], call)
            headers = endpoint.with_query(headers, scope["query_string"])
            request = _Request(
                endpoint,
                headers,
                body,
                now,
                endpoint.delivery_id(headers, body),
                _wants_explanation(scope, headers),
                endpoint.client(scope, headers),
            )
            # Only now: a request that is still being received counts as a connection, which has a separate limit.
            self._limit_requests()
            self._in_flight += 1
            try:
                await self._verify(request, share, send)
            finally:
                self._in_flight -= 1

    async def _verify(self, request: _Request, share: budget.Share, send: problems.Send) -> None:
        """Verify a delivery that its vendor signed, and check whether it was accepted before."""
        endpoint, headers, body, _, delivery_id, *_ = request
        if endpoint.verification is not None:
            verified = await _verify_by_vendor(endpoint.verification, request)
            if verified.subscription:
                _log.warning("subscription_confirmed", source=endpoint.name, topic=verified.subscription)
                await responses.send_confirmation(send, verified.subscription)
                return
            delivery_id = verified.delivery_id
        # The signature is verified, so the body no longer counts as unauthenticated.
        if not endpoint.is_open:
            share.prove()
        # The sender has missed an earlier 202. Storing the delivery again would only repeat the work.
        if delivery_id and self._seen is not None and (earlier := await self._seen.find(endpoint.name, delivery_id)):
            endpoint.counts.count_outcome("duplicate")
            _log.info("delivery_repeated", source=endpoint.name, delivery=earlier)
            await responses.send_duplicate(send, earlier)
            return
        if delivery_id != request.called:
            request = request._replace(called=delivery_id)
        # Large bodies have their own queue, so that they don't delay small ones.
        turns = self._budget.turns(len(body))
        # Counting the values of a body takes as long as decoding it, so count only if there is too little room.
        size = budget.largest_parsed_size(len(body))
        if not turns.try_begin(size):
            size = budget.parsed_size(len(body), await self._count_values(body))
            await turns.begin(size)
        try:
            # Only after authentication, so that unauthenticated clients can neither create spans nor join a trace.
            before = headers.get(b"traceparent", b"").decode("latin-1")
            with self._traces.span("webhook", "server", parent=before, source=endpoint.name) as span:
                await self._accept(request, send, span)
        finally:
            turns.end(size)

    async def _read(
        self,
        endpoint: source_endpoints.SourceEndpoint,
        headers: Headers,
        receive: requests.Receive,
        share: budget.Share,
    ) -> tuple[Timestamp, bytes]:
        """Return when the delivery was received, and its body without ``Content-Encoding``."""
        is_authentic = endpoint.proof == "headers"
        try:
            body = await requests.read(receive, headers, self._limits.body_bytes, share)
            now = self._clock()
            # Vendors sign the bytes that they send, so the signature is verified before inflating.
            endpoint.verify_signature(headers, body, now)
            is_authentic = endpoint.proof != "text"
            if encoding := headers.get(b"content-encoding"):
                body = await self._inflate(body, encoding.strip().lower(), share)
        except problems.Problem as problem:
            problems.release(problem)
            if is_authentic and problem.name in _UNREADABLE:
                # The delivery may report an outage, and its sender may give up, so it is counted for the operator.
                with contextlib.suppress(errors.Unavailable):
                    await self._quarantine.count_refused(endpoint.name, problem.detail, self._clock())
            raise
        return now, body

    async def _count_values(self, body: bytes) -> int:
        """Count the JSON values of a body, in a thread if the body is large: counting takes milliseconds per MiB."""
        if len(body) <= budget.LARGE_BYTES:
            return request_limits.count_values(body)
        return await asyncio.get_running_loop().run_in_executor(self._helper, request_limits.count_values, body)

    async def _inflate(self, body: bytes, encoding: bytes, share: budget.Share) -> bytes:
        """Undo the content encoding within the request's share of the budget, and release the received body."""
        limit = self._limits.body_bytes
        # The last member of a gzip body states its size, so most bodies that don't fit are refused without inflating.
        size = int.from_bytes(body[-4:], "little") if encoding in _GZIP else 0
        if len(body) < size <= limit:
            share.require(size)
        is_slow = len(body) > _QUICK_TO_INFLATE or size > budget.LARGE_BYTES
        # One at a time: the budget counts a body once it is inflated, so the next one needs the remaining budget.
        async with self._inflating if is_slow else contextlib.nullcontext():
            room = share.room
            arguments = (body, encoding, min(limit, room))
            try:
                if is_slow:
                    loop = asyncio.get_running_loop()
                    inflated = await loop.run_in_executor(self._helper, request_limits.inflate, *arguments)
                else:
                    inflated = request_limits.inflate(*arguments)
            except problems.Problem as problem:
                # The body may be small enough for the settings, and only the budget is used up: the sender should
                # retry.
                if problem.name == "too-large" and room < limit:
                    raise budget.full() from problem
                raise
            share.take(len(inflated))
        share.give_back(len(body))
        return inflated

    async def _accept(self, request: _Request, send: problems.Send, span: tracing.Span) -> None:
        """Decide an authentic delivery, store it, and only then respond."""
        endpoint = request.endpoint
        try:
            parsed, routed = await self._decide_in_turn(request)
        except base.Unparsable as error:
            problems.release(error)
            await self._handle_unreadable(request, error, send)
            return
        delivery_id = identity.new_delivery_id(request.now, self._randomness)
        delivery = deliveries.pack(
            delivery_id,
            endpoint.name,
            request.now,
            routed,
            trace=span.traceparent,
            notices=parsed.notices,
            retry_window=endpoint.retry_window,
        )
        span.set_attributes(delivery=delivery_id, alerts=len(routed))
        if request.is_dry_run:
            await self._answer_dry_run(request, delivery, parsed, send)
            return
        placements: Sequence[ports.Placement] = ()
        if routed:
            finding = self._start_lookup(request, delivery)
            await self._inbox.accept(delivery, request.body)
            placements = await finding()
        endpoint.counts.count_accepted(delivery, parsed.truncated)
        if parsed.truncated:
            _log.warning("alerts_left_out", source=endpoint.name, delivery=delivery.id, truncated=parsed.truncated)
        quarantine_id = ""
        if parsed.rejected is not None:
            # Only after the inbox: if the quarantine fails, the sender repeats the delivery, which is harmless.
            problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
            quarantine_id = await self._store_quarantined(request, parsed.rejected.body, problem)
        # Only after the inbox has accepted it: a remembered delivery that wasn't stored would be lost.
        if request.called and self._seen is not None:
            await self._seen.save(endpoint.name, request.called, delivery.id)
        self._log_accepted(request, delivery, tracing.trace_id(delivery.trace))
        if endpoint.kind.answer is None or request.explain:
            explanation = self._explanation_level(request)
            await responses.send_accepted(
                send, delivery, parsed, explain=explanation, quarantine_id=quarantine_id, placements=placements
            )
        else:
            await responses.send_reply(send, endpoint.kind.answer(parsed, delivery.id))

    async def _handle_unreadable(self, request: _Request, error: base.Unparsable, send: problems.Send) -> None:
        """Quarantine an unreadable body and respond. A dry run stores nothing."""
        if request.is_dry_run:
            raise problems.Problem(422, "unparsable", str(error), where=error.where, problem=error.problem) from error
        quarantine_id = await self._store_quarantined(request, request.body, str(error))
        request.endpoint.counts.count_outcome("quarantined")
        await responses.send_unparsable(send, request.endpoint.kind, error, quarantine_id)

    def _explanation_level(self, request: _Request) -> responses.Explained | None:
        return responses.Explained(self._public, is_dry_run=request.is_dry_run) if request.explain else None

    async def _answer_dry_run(
        self, request: _Request, delivery: deliveries.Delivery, parsed: base.Parsed, send: problems.Send
    ) -> None:
        """Respond to a dry run with the decisions, and store nothing."""
        request.endpoint.counts.count_outcome("dry_run")
        _log.info("delivery_tried", source=request.endpoint.name, alerts=len(delivery.rows))
        placements = await self._start_lookup(request, delivery)()
        await responses.send_accepted(
            send, delivery, parsed, explain=self._explanation_level(request), placements=placements
        )

    def _start_lookup(self, request: _Request, delivery: deliveries.Delivery) -> placement_lookups.Find:
        # Monitoring systems discard the response, and a look-up takes longer than deciding.
        if self._placements is None or not request.explain:
            return placement_lookups.nothing
        return placement_lookups.start(self._placements, delivery, request.now)

    def _log_accepted(self, request: _Request, delivery: deliveries.Delivery, trace: str) -> None:
        if not self._log.is_enabled_for(logging.INFO):
            return
        ignored = sum(row.response < 0 for row in delivery.rows)
        self._log.info(
            "delivery_accepted",
            source=delivery.source,
            delivery=delivery.id,
            alerts=len(delivery.rows),
            ignored=ignored,
            milliseconds=(self._clock() - request.now) / 1000,
            **({"trace": trace} if trace else {}),
            **({"notices": sum(notice.count for notice in delivery.notices)} if delivery.notices else {}),
        )

    async def _decide_in_turn(self, request: _Request) -> _Decided:
        """Parse and decide a delivery. If the router fails on it, quarantine it and raise ``problems.Problem``."""
        try:
            # Parsing a large body would block the event loop for all other requests.
            if len(request.body) > budget.LARGE_BYTES:
                return await asyncio.get_running_loop().run_in_executor(self._parser, self._decide, request)
            return self._decide(request)
        except base.Unparsable:
            raise
        # A failure of the router is no reason to lose the delivery: it is quarantined, and the sender retries.
        except Exception as error:
            _log.exception("delivery_undecided", source=request.endpoint.name)
            problem = f"the router failed: {type(error).__name__}"
            quarantine_id = await self._store_quarantined(request, request.body, problem)
            request.endpoint.counts.count_outcome("quarantined")
            detail = f"the router failed on this delivery and quarantined it as {quarantine_id}"
            raise problems.Problem(500, "internal", detail, quarantined=quarantine_id) from error

    def _decide(self, request: _Request) -> _Decided:
        parsed = request.endpoint.read(request.body, request.headers, request.now, self._limits, self.labels_named)
        # Read once: a reload between two alerts must not decide one delivery by two versions of the rules.
        decide = self.decide
        routed = [(alert, decide(alert, request.now)) for alert in parsed.alerts]
        all_notices = grouping_notices.notices(routed)
        if all_notices:
            parsed = msgspec.structs.replace(parsed, notices=notices.limit([*parsed.notices, *all_notices]))
        return parsed, routed

    async def _store_quarantined(self, request: _Request, body: bytes, problem: str) -> str:
        """Quarantine a body from an authentic sender, and return its quarantine ID."""
        name = request.endpoint.name
        quarantine_id = await self._quarantine.add(
            name, body, request.endpoint.loggable_headers(request.headers), problem, request.now
        )
        request.endpoint.counts.count_quarantined()
        # The problem may quote the body, so it is stored with the body and not logged.
        _log.warning("delivery_quarantined", source=name, quarantined=quarantine_id)
        return quarantine_id

    async def _reject(
        self, endpoint: source_endpoints.SourceEndpoint, problem: problems.Problem, scope: Scope, send: problems.Send
    ) -> int:
        # The detail of a quarantined delivery may quote its body, so the log has only the ID.
        quotes = "quarantined" in problem.extras
        if not quotes:
            endpoint.counts.count_outcome(problem.name.replace("-", "_"))
        reason = {"quarantined": problem.extras["quarantined"]} if quotes else {"problem": problem.detail}
        is_warning = problem.status == _UNAVAILABLE
        self._refusals.log(endpoint.name, self._clock(), is_warning=is_warning, status=problem.status, **reason)
        await problems.answer(send, problem, scope)
        return problem.status

    async def _reject_unknown(self, scope: Scope, send: problems.Send, began: float) -> None:
        problem = problems.Problem(404, "unknown-source", "no source of this name is configured here")
        self._refusals.log("", self._clock(), is_warning=False, status=problem.status, problem=problem.detail)
        await problems.answer(send, problem, scope)
        source_metrics.unknown_source("unknown_source", problem.status, began)


async def _verify_by_vendor(verifies: verifications.Verification, request: _Request) -> verifications.Verified:
    """Verify a delivery.

    Raises ``problems.Problem``: 403, after which the vendor gives up, or 503, after which the vendor retries.
    """
    try:
        return await verifies.verify(request.body, request.now, request.client)
    except verifications.RejectedError as error:
        raise problems.Problem(403, "forbidden", str(error)) from error
    except verifications.UnavailableError as error:
        raise problems.unavailable(f"the delivery can't be verified now: {error}", 5) from error


def _wants_explanation(scope: Scope, headers: Headers) -> bool:
    if request_limits.is_test(headers):
        return True  # A test shows the decisions, whatever response the kind's clients expect.
    query: bytes = scope["query_string"]
    return bool(query) and b"explain=true" in query.split(b"&")
