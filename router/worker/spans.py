"""Spans of vendor calls. They connect a webhook's trace with the incident at the destinations."""

from contextlib import AbstractContextManager

from router.domain import incidents, operations
from router.telemetry import tracing

_OPENING = frozenset({"adopt", "open", "publish"})


def operation_span(
    traces: tracing.Traces, incident: incidents.Incident, operation: operations.Operation
) -> AbstractContextManager[tracing.Span]:
    """Open a span for the duration of the call.

    Calls that first show the episode are part of the trace that opened it. Later calls, perhaps days after, have a
    trace of their own that follows from it. The trace of an earlier episode is no longer known.
    """
    trace = incident.trace if incident.episode == operation.episode else ""
    opens = operation.kind in _OPENING
    return traces.span(
        "operation",
        "client",
        parent=trace if opens else "",
        follows="" if opens else trace,
        destination=operation.destination,
        operation=operation.kind,
        reference=operation.reference,
        key=operation.key,
    )
