"""``POST /v1/webhooks/{source}``: authenticate, parse, decide, and answer 202 only once the inbox has the delivery.

It speaks ASGI without a framework in between: this is where every alert passes, and where a storm arrives.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from concurrent import futures
from typing import Any, NamedTuple
from urllib import parse

import msgspec

from router.domain import alerts, decisions, deliveries, identity
from router.domain import notices as noticing
from router.rules import grouping_notices
from router.sources import base, calls, prometheus, registry, verifications
from router.store import errors
from router.telemetry import instruments, log, tracing
from router.web import answers, bounds, budget, counts, desks, handshakes, ports, problems, refusals, requests, senders

PREFIX = "/v1/webhooks/"
ALERTS_V2 = prometheus.PATH

_log = log.get("web")
_UNAVAILABLE = 503
_GZIP = frozenset({b"gzip", b"x-gzip"})
_QUICK_TO_INFLATE = 4096  # Bytes; they inflate to at most 4 MiB. Larger ones are inflated in a thread.
_UNREADABLE = frozenset({"too-large", "encoding"})  # Problems of a body that its sender can't solve by repeating it.
PLACEMENT_SECONDS = 0.5  # The answer doesn't wait longer for what it may leave out.

Scope = Mapping[str, Any]
Headers = Mapping[bytes, bytes]


class _Request(NamedTuple):
    """One authentic delivery. ``called`` is what its sender calls it, if anything."""

    desk: desks.Desk
    headers: Headers
    body: bytes
    now: int
    called: str
    explain: bool

    @property
    def is_dry_run(self) -> bool:
        """Whether the sender only asks what would happen: nothing is kept."""
        return self.headers.get(bounds.TEST, b"").strip().lower() == b"dry-run"


class Door:
    """Takes deliveries in.

    ``decide`` may be replaced at any time, for example by reloaded rules, and with it ``labels_named``, the labels that
    rules name: each delivery is decided as a whole by what they were when the delivery was read. ``clock`` gives
    microseconds since the epoch. ``seen`` remembers what senders call their deliveries; without it, one that is sent
    again is folded in again, which changes nothing. ``placements`` find the incidents that really hold the alerts.
    ``public`` are the names of public destinations.
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
        seen: ports.Seen | None = None,
        placements: ports.Placements | None = None,
        limits: bounds.Bounds | None = None,
        known: senders.Senders | None = None,
        public: Collection[str] = (),
        traces: tracing.Traces = tracing.OFF,
    ) -> None:
        self.decide = decide
        self.labels_named: Callable[[], Collection[str]] = frozenset
        known = known or senders.Senders()
        self._desks = {PREFIX + name: desks.Desk(endpoint, known) for name, endpoint in endpoints.items()}
        for name, endpoint in endpoints.items():
            if endpoint.kind.path:
                self._desks[PREFIX + name + endpoint.kind.path] = self._desks[PREFIX + name]
        rulers = [name for name, endpoint in endpoints.items() if endpoint.kind.path == ALERTS_V2]
        if len(rulers) == 1:
            self._desks[ALERTS_V2] = self._desks[PREFIX + rulers[0]]
        self._inbox = inbox
        self._quarantine = quarantine
        self._clock = clock
        self._randomness = randomness
        self._seen = seen
        self._placements = placements
        self._public = frozenset(public)
        self._limits = limits or bounds.Bounds()
        self._traces = traces
        self._refusals = refusals.Refusals()
        self._in_flight = 0
        self._budget = budget.Budget(self._limits.bytes_in_flight)
        # One thread each: of two parsers only one would run at a time, and inflating must not wait for parsing.
        self._parser = futures.ThreadPoolExecutor(1, "parser")
        self._helper = futures.ThreadPoolExecutor(1, "helper")

    async def __call__(self, scope: Scope, receive: requests.Receive, send: problems.Send) -> None:
        """Answer one request whose path begins with ``PREFIX``, or is ``ALERTS_V2``."""
        began = instruments.clock()
        desk, call = self._desks.get(scope["path"]), None
        if desk is None:
            desk, call = self._below(scope)
        if desk is None:
            await self._refuse_unknown(scope, send, began)
            return
        status = await self._respond(desk, call, scope, receive, send)
        desk.counts.took(status, began)

    async def _respond(
        self, desk: desks.Desk, call: calls.Call | None, scope: Scope, receive: requests.Receive, send: problems.Send
    ) -> int:
        """Respond to one request, and return the status; 0 if the sender has hung up. A success counts as 200."""
        try:
            self._limit_requests()
            await self._take(desk, call, scope, receive, send)
        except problems.Problem as problem:
            return await self._refuse(desk, problem, scope, send)
        except errors.Unavailable as error:
            return await self._refuse(desk, problems.unavailable(error.reason, error.retry_after_seconds), scope, send)
        except requests.Disconnected:
            desk.counts.outcome("disconnected")
            _log.info("delivery_broken_off", source=desk.name)
            return 0
        except Exception:  # noqa: BLE001 - logged; the sender must learn that it has to send again, and nothing else
            _log.exception("delivery_failed", source=desk.name)
            failure = problems.Problem(500, "internal", "the router failed and accepted nothing; its log says why")
            return await self._refuse(desk, failure, scope, send)
        return 200

    def _below(self, scope: Scope) -> tuple[desks.Desk | None, calls.Call | None]:
        """Find the source whose kind serves the path, and what is called there."""
        path: bytes = scope["raw_path"]  # The decoded path can't tell a slash within an identifier from one around it.
        name, slash, rest = path.decode("latin-1").removeprefix(PREFIX).partition("/")
        desk = self._desks.get(PREFIX + parse.unquote(name))
        if not slash or desk is None or not desk.has_api:
            return None, None
        return desk, calls.Call(scope["method"], slash + rest, scope["query_string"].decode("latin-1"))

    def _limit_requests(self) -> None:
        if self._in_flight >= self._limits.in_flight:
            raise problems.unavailable("too many requests are in flight (web.max_in_flight)", 1)

    async def _take(
        self, desk: desks.Desk, call: calls.Call | None, scope: Scope, receive: requests.Receive, send: problems.Send
    ) -> None:
        """The way of a delivery, whose failures are raised."""
        headers: Headers = dict(scope["headers"])
        asker = handshakes.origin(headers) if desk.events and scope["method"] == handshakes.METHOD else b""
        if not asker and call is None:
            desk.asks_by(scope["method"])
        desk.let_in(scope, headers)
        if asker:
            _log.info("deliveries_permitted", source=desk.name, origin=asker.decode())
            await handshakes.permit(send, asker)
            return
        if call is not None and (reply := desk.reply(call)) is not None:
            await answers.as_the_kind_has_it(send, reply.body, reply.status)
            return
        with self._budget.share(is_proven=desk.proof == "headers" and not desk.is_open) as share:
            now, body = await self._read(desk, headers, receive, share)
            body = desk.said(desk.unlock(body), scope["query_string"], call)
            headers = desk.with_query(headers, scope["query_string"])
            one = _Request(
                desk, headers, body, now, desk.delivery_id(headers, body), _wants_explanation(scope, headers)
            )
            # Only now: a request that is still being received costs a connection, and those have a limit of their own.
            self._limit_requests()
            self._in_flight += 1
            try:
                await self._prove(one, share, send)
            finally:
                self._in_flight -= 1

    async def _prove(self, one: _Request, share: budget.Share, send: problems.Send) -> None:
        """Verify a delivery that its vendor signed, and check whether it was accepted before."""
        desk, headers, body, now, called, _ = one
        if desk.verification is not None:
            verified = await _verified(desk.verification, body, now)
            if verified.subscription:
                _log.warning("subscription_confirmed", source=desk.name, topic=verified.subscription)
                await answers.confirmed(send, verified.subscription)
                return
            called = verified.delivery_id
        if not desk.is_open:
            share.prove()
        if called and self._seen is not None and (earlier := await self._seen.find(desk.name, called)):
            desk.counts.outcome("duplicate")
            _log.info("delivery_repeated", source=desk.name, delivery=earlier)
            await answers.duplicate(send, earlier)
            return
        one = one._replace(called=called)
        turns = self._budget.turns(len(body))
        size = budget.parsed_size(len(body), await self._count_values(body))
        await turns.begin(size)
        try:
            # Only here: a stranger neither makes a span nor goes on with anybody's trace.
            before = headers.get(b"traceparent", b"").decode("latin-1")
            with self._traces.span("webhook", "server", parent=before, source=desk.name) as span:
                await self._enter(one, send, span)
        finally:
            turns.end(size)

    async def _read(
        self, desk: desks.Desk, headers: Headers, receive: requests.Receive, share: budget.Share
    ) -> tuple[int, bytes]:
        """When a delivery was received, and its body as it was before ``Content-Encoding``."""
        is_authentic = desk.proof == "headers"
        try:
            body = await requests.read(receive, headers, self._limits.body_bytes, share)
            now = self._clock()
            desk.prove(headers, body, now)
            is_authentic = desk.proof != "text"
            if encoding := headers.get(b"content-encoding"):
                body = await self._inflate(body, encoding.strip().lower(), share)
        except problems.Problem as problem:
            if is_authentic and problem.name in _UNREADABLE:
                # What the delivery tells of is unknown, and its sender may give up: somebody has to look.
                with contextlib.suppress(errors.Unavailable):
                    await self._quarantine.count_refused(desk.name, problem.detail, self._clock())
            raise
        return now, body

    async def _count_values(self, body: bytes) -> int:
        """Count the JSON values of a body; of a large one in a thread, since that takes milliseconds per MiB."""
        if len(body) <= budget.LARGE_BYTES:
            return bounds.count_values(body)
        return await asyncio.get_running_loop().run_in_executor(self._helper, bounds.count_values, body)

    async def _inflate(self, body: bytes, encoding: bytes, share: budget.Share) -> bytes:
        """Undo the content encoding within the request's share of the budget, and release the received body."""
        limit = self._limits.body_bytes
        # The last member of a gzip body states its size, so most bodies that don't fit are refused without inflating.
        size = int.from_bytes(body[-4:], "little") if encoding in _GZIP else 0
        if len(body) < size <= limit:
            share.require(size)
        room = share.room
        most = min(limit, room)
        try:
            if len(body) > _QUICK_TO_INFLATE or size > budget.LARGE_BYTES:
                loop = asyncio.get_running_loop()
                whole = await loop.run_in_executor(self._helper, bounds.inflated, body, encoding, most)
            else:
                whole = bounds.inflated(body, encoding, most)
        except problems.Problem as problem:
            if problem.name == "too-large" and room < limit:
                raise budget.full() from problem
            raise
        share.take(len(whole))
        share.give_back(len(body))
        return whole

    async def _enter(self, one: _Request, send: problems.Send, span: tracing.Span) -> None:
        """Decide an authentic delivery, keep it, and only then answer it."""
        desk = one.desk
        try:
            if len(one.body) > budget.LARGE_BYTES:
                parsed, routed = await asyncio.get_running_loop().run_in_executor(self._parser, self._decide, one)
            else:
                parsed, routed = self._decide(one)
        except base.Unparsable as error:
            await self._unreadable(one, error, send)
            return
        except Exception as error:
            _log.exception("delivery_undecided", source=desk.name)
            kept = await self._set_aside(one, one.body, f"the router failed: {type(error).__name__}")
            desk.counts.outcome("quarantined")
            raise problems.Problem(
                500, "internal", f"the router failed on this delivery and kept it as {kept}", quarantined=kept
            ) from error
        named = identity.new_delivery_id(one.now, self._randomness)
        delivery = deliveries.pack(
            named,
            desk.name,
            one.now,
            routed,
            trace=span.traceparent,
            notices=parsed.notices,
            retry_window=desk.retry_window,
        )
        span.tell(delivery=named, alerts=len(routed))
        if one.is_dry_run:
            await self._answer_only(one, delivery, parsed, send)
            return
        placements: Sequence[ports.Placement] = ()
        if routed:
            finding = self._begin_to_find(one, delivery)
            await self._inbox.accept(delivery, one.body)
            placements = await finding()
        desk.counts.accepted(delivery, parsed.truncated)
        if parsed.truncated:
            _log.warning("alerts_left_out", source=desk.name, delivery=delivery.id, truncated=parsed.truncated)
        kept = ""
        if parsed.rejected is not None:
            # Only now: were the quarantine not to take it, the sender would send all of it again, which is harmless.
            problem = f"{parsed.rejected.where}: {parsed.rejected.problem}"
            kept = await self._set_aside(one, parsed.rejected.body, problem)
        if one.called and self._seen is not None:
            await self._seen.remember(desk.name, one.called, delivery.id)
        self._tell(one, delivery, tracing.trace_id(delivery.trace))
        if desk.answer is None or one.explain:
            told = self._explained(one)
            await answers.accepted(send, delivery, parsed, explain=told, kept=kept, placements=placements)
        else:
            await answers.as_the_kind_has_it(send, desk.answer(parsed, delivery.id))

    async def _unreadable(self, one: _Request, error: base.Unparsable, send: problems.Send) -> None:
        """Keep a body that can't be read, and answer its sender; of a dry run, nothing is kept."""
        if one.is_dry_run:
            raise problems.Problem(422, "unparsable", str(error), where=error.where, problem=error.problem) from error
        kept = await self._set_aside(one, one.body, str(error))
        one.desk.counts.outcome("quarantined")
        await _answer_unparsable(one.desk, error, kept, send)

    def _explained(self, one: _Request) -> answers.Explained | None:
        return answers.Explained(self._public, is_dry_run=one.is_dry_run) if one.explain else None

    async def _answer_only(
        self, one: _Request, delivery: deliveries.Delivery, parsed: base.Parsed, send: problems.Send
    ) -> None:
        """Answer what would happen to a delivery, and keep nothing of it."""
        one.desk.counts.outcome("dry_run")
        _log.info("delivery_tried", source=one.desk.name, alerts=len(delivery.rows))
        placements = await self._begin_to_find(one, delivery)()
        await answers.accepted(send, delivery, parsed, explain=self._explained(one), placements=placements)

    def _begin_to_find(
        self, one: _Request, delivery: deliveries.Delivery
    ) -> Callable[[], Awaitable[Sequence[ports.Placement]]]:
        """Begin to look up which incidents hold the alerts, while the delivery is written; return what waits for it.

        Nothing is found if that takes too long: the delivery is accepted anyway.
        """
        placements = self._placements
        if placements is None or (one.desk.answer is not None and not one.explain):
            return _nothing
        routed = deliveries.routed(delivery)
        lookup = placements.look_up(routed)

        async def found() -> Sequence[ports.Placement]:
            try:
                async with asyncio.timeout(PLACEMENT_SECONDS):
                    return await placements.find(routed, one.now, lookup)
            except (TimeoutError, errors.StoreError):
                return ()

        return found

    def _tell(self, one: _Request, delivery: deliveries.Delivery, trace: str) -> None:
        ignored = sum(row.response < 0 for row in delivery.rows)
        _log.info(
            "delivery_accepted",
            source=delivery.source,
            delivery=delivery.id,
            alerts=len(delivery.rows),
            ignored=ignored,
            milliseconds=(self._clock() - one.now) / 1000,
            **({"trace": trace} if trace else {}),
            **({"notices": sum(notice.count for notice in delivery.notices)} if delivery.notices else {}),
        )

    def _decide(self, one: _Request) -> tuple[base.Parsed, list[tuple[alerts.Alert, decisions.Decision]]]:
        parsed = one.desk.read(one.body, one.headers, one.now, self._limits, self.labels_named)
        decide = self.decide
        routed = [(alert, decide(alert, one.now)) for alert in parsed.alerts]
        found = grouping_notices.notices(routed)
        if found:
            parsed = msgspec.structs.replace(parsed, notices=noticing.bounded([*parsed.notices, *found]))
        return parsed, routed

    async def _set_aside(self, one: _Request, body: bytes, problem: str) -> str:
        """Keep a body that an authentic sender sent, and return what it is called in the quarantine."""
        name = one.desk.name
        kept = await self._quarantine.add(name, body, one.desk.shown(one.headers), problem, one.now)
        one.desk.counts.quarantined()
        # What is wrong with it may quote it: that stands beside the body, and not in the log.
        _log.warning("delivery_quarantined", source=name, quarantined=kept)
        return kept

    async def _refuse(self, desk: desks.Desk, problem: problems.Problem, scope: Scope, send: problems.Send) -> int:
        quotes = "quarantined" in problem.extras
        if not quotes:
            desk.counts.outcome(problem.name.replace("-", "_"))
        reason = {"quarantined": problem.extras["quarantined"]} if quotes else {"problem": problem.detail}
        is_warning = problem.status == _UNAVAILABLE
        self._refusals.log(desk.name, self._clock(), is_warning=is_warning, status=problem.status, **reason)
        await problems.answer(send, problem, scope)
        return problem.status

    async def _refuse_unknown(self, scope: Scope, send: problems.Send, began: float) -> None:
        problem = problems.Problem(404, "unknown-source", "no source of this name is configured here")
        self._refusals.log("", self._clock(), is_warning=False, status=problem.status, problem=problem.detail)
        await problems.answer(send, problem, scope)
        counts.unknown_source("unknown_source", problem.status, began)


async def _answer_unparsable(desk: desks.Desk, error: base.Unparsable, kept: str, send: problems.Send) -> None:
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


async def _verified(verifies: verifications.Verification, body: bytes, now: int) -> verifications.Verified:
    """Verify a delivery; a ``problems.Problem``: 403, at which the vendor gives up, or 503, at which it retries."""
    try:
        return await verifies.verify(body, now)
    except verifications.RejectedError as error:
        raise problems.Problem(403, "forbidden", str(error)) from error
    except verifications.UnavailableError as error:
        raise problems.unavailable(f"the delivery can't be verified now: {error}", 5) from error


def _wants_explanation(scope: Scope, headers: Headers) -> bool:
    if bounds.is_test(headers):
        return True  # Who tests wants to see what follows, whatever the kind's clients look for.
    query: bytes = scope["query_string"]
    return bool(query) and b"explain=true" in query.split(b"&")


async def _nothing() -> Sequence[ports.Placement]:
    return ()
