"""Builds the traces of a process: off, or by OpenTelemetry, which is imported only if traces are enabled."""

from importlib import util

from router.configuration import sections
from router.telemetry import tracing


def start(wanted: sections.Tracing) -> tracing.Traces:
    """Return traces that are sent to the configured collector; off if none is set. Raises ``tracing.Missing``."""
    if not wanted.endpoint:
        return tracing.OFF
    if message := problem(wanted):
        raise tracing.Missing(message)
    from router.telemetry import otel

    return otel.exporting(wanted.endpoint, wanted.service_name, wanted.sample_ratio)


def problem(wanted: sections.Tracing) -> str:
    """Return why traces can't be sent as configured; empty if they can."""
    if wanted.endpoint and (util.find_spec("opentelemetry") is None or util.find_spec("opentelemetry.sdk") is None):
        return "tracing.endpoint is set, but OpenTelemetry is not installed: install incident-router[otel]"
    return ""
