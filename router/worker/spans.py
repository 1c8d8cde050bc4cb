"""The span of a call at a vendor: by it a trace that began with a webhook ends where the incident is to be seen."""

from contextlib import AbstractContextManager

from router.domain import incidents, operations
from router.telemetry import tracing

_OPENING = frozenset({"adopt", "open", "publish"})


def operation_span(
    traces: tracing.Traces, incident: incidents.Incident, operation: operations.Operation
) -> AbstractContextManager[tracing.Span]:
    """A span for the length of the call.

    What shows the episode is part of the trace that opened it. What comes later, perhaps days after, is a trace of its
    own that follows from it. An episode before the incident's current one is known to no trace any more.
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
