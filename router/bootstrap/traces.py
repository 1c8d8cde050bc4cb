"""Builds the traces of a process: off, or by OpenTelemetry, which is imported only if traces are enabled."""

from importlib import util

from router.configuration import sections
from router.telemetry import tracing


def start(config: sections.Tracing) -> tracing.Traces:
    """Return traces for the configured collector, or disabled ones. Raises ``tracing.ExtraNotInstalled``."""
    if not config.endpoint:
        return tracing.OFF
    if message := problem(config):
        raise tracing.ExtraNotInstalled(message)
    # OpenTelemetry is an optional extra, and takes time to import.
    from router.telemetry import otel

    return otel.create_traces(config.endpoint, config.service_name, config.sample_ratio)


def problem(config: sections.Tracing) -> str:
    """Return why traces can't be sent as configured; empty if they can."""
    if config.endpoint and (util.find_spec("opentelemetry") is None or util.find_spec("opentelemetry.sdk") is None):
        return "tracing.endpoint is set, but OpenTelemetry is not installed: install incident-router[otel]"
    return ""
