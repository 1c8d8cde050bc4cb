"""Traces of a delivery, from the webhook over the fold to each call to a vendor.

Off unless an endpoint is set. Then no OpenTelemetry module is imported, and a span is an object that does nothing.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["server", "consumer", "client"]
Attribute = str | int | float | bool


class ExtraNotInstalled(Exception):
    """Traces are enabled, but the extra that creates them is not installed."""


class Span(Protocol):
    """A timed part of a trace. It must not contain texts of customers or senders."""

    @property
    def traceparent(self) -> str:
        """Return the W3C trace context for the next process; empty if tracing is off."""
        ...

    def set_attributes(self, **attributes: Attribute) -> None:
        """Add attributes to the span."""
        ...

    def set_failed(self, result: str, /) -> None:
        """Mark the span as failed, with one fixed word as the reason."""
        ...


class Traces(Protocol):
    """Creates spans."""

    is_on: bool

    def span(
        self, name: str, kind: Kind, *, parent: str = "", follows: str = "", **attributes: Attribute
    ) -> AbstractContextManager[Span]:
        """Open a span for the length of the block.

        ``parent`` is the ``traceparent`` of the enclosing span, ``follows`` that of the span that caused this one,
        perhaps days ago. An invalid ``traceparent`` is ignored.
        """
        ...

    def close(self) -> None:
        """Send the remaining spans. This may take seconds."""
        ...


class _Off:
    """Traces that are off, and their only span."""

    is_on = False
    traceparent = ""

    def span(self, *_: object, **__: object) -> Self:
        """Return the span that does nothing."""
        return self

    def set_attributes(self, **_: object) -> None:
        """Do nothing: tracing is off."""

    def set_failed(self, _: str) -> None:
        """Do nothing: tracing is off."""

    def close(self) -> None:
        """Do nothing: there are no spans to send."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


OFF: Traces = _Off()


def trace_id(traceparent: str) -> str:
    """Return the trace ID of a ``traceparent``; empty if it is invalid."""
    # The format is VERSION-TRACE-SPAN-FLAGS.
    return traceparent.split("-")[1] if traceparent.count("-") == 3 else ""
