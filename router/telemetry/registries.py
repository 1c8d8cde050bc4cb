"""Registries by role: a process exports only what it measures.

A webhook server that exported the worker's gauges would show zeros for values that only a worker knows.
"""

import functools
from collections.abc import Collection
from typing import Literal

import prometheus_client
from prometheus_client import exposition

# A gauge for the creation time of each counter would double the number of stored series, and no alert or panel reads
# it.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]

Role = Literal["web", "worker"]
ROLES: frozenset[Role] = frozenset({"web", "worker"})

WEB = prometheus_client.CollectorRegistry(auto_describe=True)
WORKER = prometheus_client.CollectorRegistry(auto_describe=True)
SHARED = prometheus_client.CollectorRegistry(auto_describe=True)
"""What every process measures, whatever its role."""

PROCESS = prometheus_client.CollectorRegistry(auto_describe=True)
"""The client library's own metrics of the process: CPU, memory, file descriptors, start time, garbage collection."""
prometheus_client.ProcessCollector(registry=PROCESS)
prometheus_client.PlatformCollector(registry=PROCESS)
prometheus_client.GCCollector(registry=PROCESS)

_OF_ROLE: dict[Role, prometheus_client.CollectorRegistry] = {"web": WEB, "worker": WORKER}


@functools.cache
def combine(roles: frozenset[Role]) -> prometheus_client.CollectorRegistry:
    """Return a registry of the router's metrics in a process with these roles."""
    registry = prometheus_client.CollectorRegistry()
    registry.register(SHARED)
    # Sorted, so that each scrape lists the metrics in the same order.
    for role in sorted(roles):
        registry.register(_OF_ROLE[role])
    return registry


@functools.cache
def _combine_with_process(roles: frozenset[Role]) -> prometheus_client.CollectorRegistry:
    registry = prometheus_client.CollectorRegistry()
    registry.register(combine(roles))
    registry.register(PROCESS)
    return registry


def render(accept: str = "", roles: Collection[Role] = ROLES) -> tuple[bytes, str]:
    """Render the metrics of a process with these roles, and name their content type.

    The format is OpenMetrics, with exemplars, if the header ``Accept`` asks for it, and the Prometheus text format
    otherwise.
    """
    encoder, content_type = exposition.choose_encoder(accept)
    return encoder(_combine_with_process(frozenset(roles))), content_type
