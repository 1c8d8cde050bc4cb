"""The structured log: one line per event, as JSON or as readable text, to standard error.

Event names are fixed words, and all variable data is in fields, so that a log can be searched and counted.
"""

import logging
import sys
import threading
import types
from collections.abc import Mapping
from typing import Literal, TextIO

import msgspec
import structlog
from structlog import typing as structlog_typing

Format = Literal["json", "console"]


def configure(format: Format = "json", level: str = "info", stream: TextIO | None = None) -> None:  # noqa: A002
    """Set up the log of the whole process, including the log of libraries that use ``logging``.

    ``level`` is ``debug``, ``info``, ``warning`` or ``error``. Any other value raises ``ValueError``. ``stream`` is
    standard error by default. The function may be called again; the last call counts.
    """
    threshold = logging.getLevelNamesMapping().get(level.upper())
    if threshold is None:
        raise ValueError(f"log level {level!r} is not one of debug, info, warning, error")
    target = stream or sys.stderr
    shared = _make_processors()
    renderer = _make_json_renderer() if format == "json" else _make_console_renderer(target)
    structlog.configure(
        processors=[*shared, *renderer],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.WriteLoggerFactory(target),
        # A cached logger would keep the settings of its first line, and modules create loggers before `configure` is
        # called.
        cache_logger_on_first_use=False,
    )
    _adopt_library_logs(threshold, target, shared, renderer)


def catch_uncaught() -> None:
    """Log Python's warnings and unhandled exceptions for the rest of the process."""
    # All lines of the process have one format, so that a log collector can parse each of them.
    logging.captureWarnings(True)
    sys.excepthook = _log_uncaught
    sys.unraisablehook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)
    threading.excepthook = lambda raised: _log_uncaught(raised.exc_type, raised.exc_value, raised.exc_traceback)


def _log_uncaught(kind: type[BaseException], error: BaseException | None, trace: types.TracebackType | None) -> None:
    # Ctrl-C isn't a failure of the router.
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error or kind(), trace)
        return
    get("process").critical("uncaught_exception", exc_info=(kind, error, trace))


def get(name: str) -> structlog_typing.FilteringBoundLogger:
    """Return the log of one part of the router. ``name`` becomes the field ``part`` of its lines.

    Callers may call it before ``configure``: the settings are looked up when a line is written.
    """
    logger: structlog_typing.FilteringBoundLogger = structlog.get_logger(part=name)
    return logger


def _make_processors() -> list[structlog_typing.Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _make_json_renderer() -> list[structlog_typing.Processor]:
    # Stack traces omit local variables, which contain bodies and secrets.
    traceback = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
    return [structlog.processors.ExceptionRenderer(traceback), structlog.processors.JSONRenderer(default=_to_text)]


def _make_console_renderer(target: TextIO) -> list[structlog_typing.Processor]:
    return [
        _convert_fields,
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback),
    ]


def _to_text(value: object) -> str:
    """Return a value as text, unless its type contains texts of senders or customers: bodies, alerts, posts."""
    if isinstance(value, bytes | bytearray | memoryview | msgspec.Struct):
        return f"({type(value).__name__}, not shown)"
    return str(value)


def _convert_fields(
    _logger: structlog_typing.WrappedLogger, _name: str, event: structlog_typing.EventDict
) -> structlog_typing.EventDict:
    """Apply ``_to_text`` to each field for the readable format, whose renderer would show any value.

    The JSON renderer calls ``_to_text`` for unknown types.
    """
    return {name: value if name == "exc_info" else _to_readable(value) for name, value in event.items()}


def _to_readable(value: object) -> object:
    # The renderer writes these values as they are. Everything else is converted, because an item may be a body or an
    # alert.
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, Mapping):
        return {name: _to_readable(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_to_readable(item) for item in value]
    return _to_text(value)


def _adopt_library_logs(
    threshold: int, target: TextIO, shared: list[structlog_typing.Processor], renderer: list[structlog_typing.Processor]
) -> None:
    """Format libraries' own log lines in the same way. They begin at warning, regardless of the level."""
    formatter = structlog.stdlib.ProcessorFormatter(
        # Only lines of libraries pass through this chain. It adds what structlog has added to the router's own lines.
        foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderer],
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    # Replace the handlers, so that a second call doesn't write each line twice.
    root.handlers[:] = [handler]
    # Libraries log each request at info, with its URL. The router logs each operation itself, without texts and
    # secrets.
    root.setLevel(max(threshold, logging.WARNING))
