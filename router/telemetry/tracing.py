"""Traces: what a delivery went through, from the webhook over the fold to each call at a vendor.

Off unless an endpoint is set. Then nothing of OpenTelemetry is imported, and a span is an object that does nothing.
"""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Literal, Protocol, Self

Kind = Literal["server", "consumer", "client"]
Attribute = str | int | float | bool


class Missing(Exception):
    """Traces are wanted, and the extra that makes them is not installed."""


class Span(Protocol):
    """One thing that takes time. Texts that customers or senders wrote do not belong into it."""

    @property
    def traceparent(self) -> str:
        """Return the W3C trace context for the next process; empty if tracing is off."""
        ...

    def tell(self, **about: Attribute) -> None:
        """Add to what is known of it."""
        ...

    def failed(self, result: str, /) -> None:
        """Say that it failed, in one fixed word."""
        ...


class Traces(Protocol):
    """Where spans are made."""

    on: bool

    def span(
        self, name: str, kind: Kind, *, parent: str = "", follows: str = "", **about: Attribute
    ) -> AbstractContextManager[Span]:
        """A span for the length of the block.

        ``parent`` is the ``traceparent`` of what it is a part of, ``follows`` that of what it came of, perhaps days
        ago; what is not one is taken for none.
        """
        ...

    def close(self) -> None:
        """Send what has not been sent yet; this may take seconds."""
        ...


class _Off:
    """Traces that are off, and their only span."""

    on = False
    traceparent = ""

    def span(self, *_: object, **__: object) -> Self:
        """Nothing begins."""
        return self

    def tell(self, **_: object) -> None:
        """Do nothing: tracing is off."""

    def failed(self, _: str) -> None:
        """Do nothing: tracing is off."""

    def close(self) -> None:
        """There is nothing to send."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return


OFF: Traces = _Off()


def trace_id(traceparent: str) -> str:
    """The trace that a ``traceparent`` is of; empty where it is none."""
    return traceparent.split("-")[1] if traceparent.count("-") == 3 else ""
