"""Traces by the OpenTelemetry library, which is imported only if traces are enabled (see ``tracing``)."""

from types import TracebackType
from typing import Self

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http import trace_exporter
from opentelemetry.sdk import resources
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.trace import export, sampling
from opentelemetry.trace.propagation import tracecontext

from router.telemetry import tracing

_EXPORT_SECONDS = 5.0  # Limits how long an unreachable collector delays the end of a process.
_KINDS = {
    "server": trace.SpanKind.SERVER,
    "consumer": trace.SpanKind.CONSUMER,
    "client": trace.SpanKind.CLIENT,
}
_format = tracecontext.TraceContextTextMapPropagator()


def create_traces(endpoint: str, service: str, share: float) -> tracing.Traces:
    """Return traces that a separate thread sends in batches. Traces that can't be sent are logged and dropped."""
    provider = sdk.TracerProvider(
        resource=resources.Resource.create({"service.name": service}),
        # A span follows the decision of its parent, so a trace is exported as a whole or not at all.
        sampler=sampling.ParentBased(sampling.TraceIdRatioBased(share)),
    )
    # The exporter appends the path only to an endpoint of the environment, not to an argument.
    url = f"{endpoint.rstrip('/')}/v1/traces"
    provider.add_span_processor(
        export.BatchSpanProcessor(trace_exporter.OTLPSpanExporter(url, timeout=_EXPORT_SECONDS))
    )
    return OtelTraces(provider)


class OtelTraces:
    """The traces of one OpenTelemetry provider."""

    is_on = True

    def __init__(self, provider: sdk.TracerProvider) -> None:
        self._provider = provider
        self._tracer = provider.get_tracer("incident-router")

    def span(
        self, name: str, kind: tracing.Kind, *, parent: str = "", follows: str = "", **attributes: tracing.Attribute
    ) -> "OtelSpan":
        """Open a span for the length of the block (see ``tracing.Traces``)."""
        # The cause may have ended days ago, so it is linked instead of being the parent.
        before = trace.get_current_span(_context(follows)).get_span_context()
        begun = self._tracer.start_span(
            name,
            # An empty context, unlike None, keeps the current span of the task from becoming the parent.
            context=_context(parent),
            kind=_KINDS[kind],
            links=[trace.Link(before)] if before.is_valid else [],
        )
        span = OtelSpan(begun)
        span.set_attributes(**attributes)
        return span

    def close(self) -> None:
        """Send the remaining spans."""
        self._provider.shutdown()


class OtelSpan:
    """A span that has begun. It ends with its block."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str:
        """Return the trace context for the next process."""
        carrier: dict[str, str] = {}
        # The context is explicit, because the span isn't the current one of the task.
        _format.inject(carrier, trace.set_span_in_context(self._span, context.Context()))
        return carrier.get("traceparent", "")

    def set_attributes(self, **attributes: tracing.Attribute) -> None:
        """Add attributes to the span."""
        # The prefix keeps these names apart from OpenTelemetry's conventions.
        self._span.set_attributes({f"incident_router.{name}": value for name, value in attributes.items()})

    def set_failed(self, result: str, /) -> None:
        """Mark the span as failed, with one fixed word as the reason."""
        self._span.set_status(trace.Status(trace.StatusCode.ERROR, result))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_back: TracebackType | None
    ) -> None:
        # Record only the type of an exception: its message may contain text from a body.
        if kind is not None:
            self.set_failed(kind.__name__)
        self._span.end()


def _context(traceparent: str) -> context.Context:
    """Parse a ``traceparent``. Return an empty context if it is invalid."""
    return _format.extract({"traceparent": traceparent}, context.Context())
