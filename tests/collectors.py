"""The metrics that the router defines, as the tests read them from its module."""

from typing import Any, NamedTuple

from router.telemetry import metrics


class Collector(NamedTuple):
    """One metric: its type in Prometheus' words, and its labels in their order."""

    kind: str
    labels: tuple[str, ...]


def defined() -> dict[str, Collector]:
    """Every metric by its name, without the suffixes of its series."""
    found = {}
    for value in vars(metrics).values():
        if hasattr(value, "describe") and hasattr(value, "labels"):
            [family] = value.describe()
            found[family.name] = Collector(family.type, _labels(value))
    return found


def _labels(metric: Any) -> tuple[str, ...]:
    names = metric.labelnames if hasattr(metric, "labelnames") else metric._labelnames
    return tuple(names)
