"""Traces continue the sender's trace, from the webhook through the fold to each vendor call."""

import contextlib
import random

import httpx
import msgspec
import pytest
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export, sampling
from opentelemetry.sdk.trace.export import in_memory_span_exporter

from router.domain import decisions, severities
from router.sources import registry
from router.store import codec, keys
from router.telemetry import otel, tracing
from router.web import webhooks
from tests.integration import vendor, workers

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = f"00-{TRACE}-b7ad6b7169203331-01"
UNSAMPLED = f"00-{TRACE}-b7ad6b7169203331-00"


class Traced:
    """A webhook server and a worker with tracing, and the ended spans."""

    def __init__(self, store, at: vendor.Vendor, traces: tracing.Traces | None, share: float = 1.0) -> None:
        self._kept = in_memory_span_exporter.InMemorySpanExporter()
        provider = sdk.TracerProvider(sampler=sampling.ParentBased(sampling.TraceIdRatioBased(share)))
        provider.add_span_processor(export.SimpleSpanProcessor(self._kept))
        traces = traces or otel.OtelTraces(provider)
        self.on = workers.WorkerHarness(store, vendor.on_call(at), traces=traces)
        web_server = webhooks.WebhookHandler(
            {"any": registry.build("any", registry.KINDS["json"].config(bearer=["token"]))},
            lambda *_: decisions.Decision("down", severities.Severity.MAJOR, workers.rule()),
            inbox=self.on.inbox,
            quarantine=store.quarantine,
            clock=self.on.redis_time,
            randomness=random.Random(3),
            traces=traces,
        )
        self._http = httpx.AsyncClient(transport=httpx.ASGITransport(web_server), base_url="http://web_server")

    async def send_alert(self, status: str = "firing", traceparent: str = SENDER, token: str = "token", **more) -> int:
        headers = {"authorization": f"Bearer {token}"} | ({"traceparent": traceparent} if traceparent else {})
        body = {"title": "private title", "status": status, "dedup_key": "a", **more}
        return (await self._http.post("/v1/webhooks/any", json=body, headers=headers)).status_code

    def spans(self, *names: str) -> list[sdk.ReadableSpan]:
        return [span for span in self._kept.get_finished_spans() if not names or span.name in names]

    def span_operations(self) -> list[tuple[str, str]]:
        return [(span.name, span.attributes.get("incident_router.operation", "")) for span in self.spans()]

    async def aclose(self) -> None:
        await self._http.aclose()


@pytest.fixture
def run_traced(with_redis):
    def run(play, at: vendor.Vendor | None = None, traces: tracing.Traces | None = None, share: float = 1.0) -> None:
        async def body(store):
            one = Traced(store, at or vendor.Vendor(), traces, share)
            try:
                await play(one)
            finally:
                await one.aclose()

        with_redis(body)

    return run


def format_hex(number: int, digits: int) -> str:
    return f"{number:0{digits}x}"


def test_delivery_is_one_trace_to_vendor_answer(run_traced):
    async def play(one):
        assert await one.send_alert(traceparent="") == 202
        await one.on.turn()
        assert one.span_operations() == [("webhook", ""), ("fold", ""), ("operation", "open")]
        webhook, fold, operation = one.spans()
        assert webhook.parent is None
        assert fold.parent.span_id == webhook.context.span_id
        assert operation.parent.span_id == fold.context.span_id
        assert {span.context.trace_id for span in one.spans()} == {webhook.context.trace_id}

    run_traced(play)


def test_trace_of_sender_continues(run_traced):
    async def play(one):
        await one.send_alert()
        await one.on.turn()
        webhook = one.spans("webhook")[0]
        assert format_hex(webhook.parent.span_id, 16) == "b7ad6b7169203331"
        assert {format_hex(span.context.trace_id, 32) for span in one.spans()} == {TRACE}

    run_traced(play)


@pytest.mark.parametrize("broken", ["", "nonsense", "00-0-0-01", f"00-{TRACE}-0000000000000000-01", "\xff" * 400])
def test_invalid_traceparent_starts_a_new_trace(run_traced, broken):
    async def play(one):
        assert await one.send_alert(traceparent=broken.encode("latin-1") if broken else "") == 202
        await one.on.turn()
        assert len(one.spans()) == 3
        assert one.spans("webhook")[0].parent is None

    run_traced(play)


def test_unsampled_trace_stays_unsampled(run_traced):
    async def play(one):
        await one.send_alert(traceparent=UNSAMPLED)
        await one.on.turn()
        assert one.spans() == []
        assert (await one.on.incident()).status == "open"

    run_traced(play)


def test_new_traces_are_sampled_by_ratio(run_traced):
    async def play(one):
        await one.send_alert(traceparent="")
        await one.on.turn()
        assert one.spans() == []
        await one.send_alert()
        assert len(one.spans("webhook")) == 1, "the sender makes it, so it goes on"

    run_traced(play, share=0.0)


def test_trace_is_stored_with_delivery_and_incident(run_traced):
    async def play(one):
        await one.send_alert()
        ((_, fields),) = await one.on.store.redis.xrange(keys.INBOX)
        webhook = one.spans("webhook")[0]
        assert codec.unpack_delivery(fields[b"h"]).trace == f"00-{TRACE}-{format_hex(webhook.context.span_id, 16)}-01"
        await one.on.turn()
        assert tracing.trace_id((await one.on.incident()).trace) == TRACE

    run_traced(play)


def test_later_operations_link_to_the_opening_trace(run_traced):
    async def play(one):
        await one.send_alert()
        await one.on.turn()
        await one.send_alert("resolved", traceparent="")
        await one.on.turn()
        (resolve,) = [span for span in one.spans("operation") if span.attributes["incident_router.operation"] != "open"]
        assert resolve.parent is None
        assert [format_hex(link.context.trace_id, 32) for link in resolve.links] == [TRACE]

    run_traced(play)


def test_failed_call_and_retry_are_separate_spans(run_traced):
    at = vendor.Vendor()
    at.before = [vendor.temporary(), None]

    async def play(one):
        await one.send_alert()
        await one.on.wait_until(lambda: at.states() == ["open"])
        first, second = one.spans("operation")
        assert (first.status.is_ok, first.status.description) == (False, "Temporary")
        assert second.status.is_ok
        assert first.parent == second.parent

    run_traced(play, at)


def test_unauthenticated_request_makes_no_span(run_traced):
    async def play(one):
        assert await one.send_alert(token="guessed") == 401
        assert one.spans() == []

    run_traced(play)


def test_spans_have_ids_but_no_sender_text(run_traced):
    async def play(one):
        await one.send_alert(labels={"service": "secret service"}, summary="secret summary")
        await one.on.turn()
        webhook, fold, operation = one.spans()
        assert webhook.attributes["incident_router.source"] == "any"
        assert webhook.attributes["incident_router.alerts"] == 1
        assert webhook.attributes["incident_router.delivery"] == fold.attributes["incident_router.delivery"]
        assert operation.attributes["incident_router.destination"] == "on-call"
        assert operation.attributes["incident_router.reference"].startswith("IR-")
        assert "private title" not in (told := "".join(span.to_json() for span in one.spans()))
        assert "secret" not in told

    run_traced(play)


def test_disabled_tracing_stores_no_trace(run_traced):
    async def play(one):
        await one.send_alert()
        ((_, fields),) = await one.on.store.redis.xrange(keys.INBOX)
        assert codec.unpack_delivery(fields[b"h"]).trace == ""
        await one.on.turn()
        assert (await one.on.incident()).trace == ""
        assert one.spans() == []

    run_traced(play, traces=tracing.OFF)


def test_worker_without_tracing_passes_traces_on(run_traced):
    """A call by another worker with tracing must belong to the same trace."""

    async def play(one):
        one.on.triage._traces = tracing.OFF
        await one.send_alert()
        await one.on.turn()
        webhook, operation = one.spans()
        assert operation.parent.span_id == webhook.context.span_id

    run_traced(play)


def test_delivery_without_trace_field_is_read():
    now = codec.pack_delivery(codec.deliveries.pack("d1", "am", 1, []))
    before = msgspec.msgpack.encode(msgspec.msgpack.decode(now)[:-1])
    assert codec.unpack_delivery(before) == codec.unpack_delivery(now)


def test_empty_trace_costs_one_byte():
    now = codec.pack_delivery(codec.deliveries.pack("d1", "am", 1, []))
    assert len(now) - len(msgspec.msgpack.encode(msgspec.msgpack.decode(now)[:-1])) == 1


def test_disabled_tracing_does_nothing():
    with tracing.OFF.span("webhook", "server", parent=SENDER, source="any") as span:
        span.set_attributes(delivery="d1")
        span.set_failed("Permanent")
        assert span.traceparent == ""
    tracing.OFF.close()
    assert not tracing.OFF.is_on


@pytest.mark.parametrize(("traceparent", "found"), [(SENDER, TRACE), ("", ""), ("nonsense", "")])
def test_traceparent_names_the_trace(traceparent, found):
    assert tracing.trace_id(traceparent) == found


def test_interrupted_span_records_only_error_type():
    exporter = in_memory_span_exporter.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    with contextlib.suppress(ValueError), otel.OtelTraces(provider).span("fold", "consumer"):
        raise ValueError("a secret of the body")
    (span,) = exporter.get_finished_spans()
    assert (span.status.description, span.events) == ("ValueError", ())
