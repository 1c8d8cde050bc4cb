"""The router's metrics, read from its module and from the documentation."""

import re
from typing import Any, NamedTuple

from router.telemetry import metrics
from tests.structure import tree


class Collector(NamedTuple):
    """A metric: its Prometheus type, and its labels in order."""

    kind: str
    labels: tuple[str, ...]


def list_metrics() -> dict[str, Collector]:
    """Return every metric by its name, without the suffixes of its series."""
    found = {}
    for value in vars(metrics).values():
        if hasattr(value, "describe") and hasattr(value, "labels"):
            [family] = value.describe()
            found[family.name] = Collector(family.type, _labels(value))
    return found


def _labels(metric: Any) -> tuple[str, ...]:
    names = metric.labelnames if hasattr(metric, "labelnames") else metric._labelnames
    return tuple(names)


TABLES = {"web": "Webhook server", "worker": "Worker", "shared": "Every process"}


def list_documented_metrics() -> dict[str, dict[str, tuple[str, ...]]]:
    """Return the metrics in docs/reference/metrics.md by role: their names without suffixes, and their labels."""
    text = (tree.ROOT / "docs/reference/metrics.md").read_text()
    found = {}
    for role, heading in TABLES.items():
        table = text.partition(f"\n## {heading}\n")[2].partition("\n#")[0]
        rows = re.findall(r"^\| `(incident_router_\w+)` \|(.*?)\|", table, re.MULTILINE)
        found[role] = {name.removesuffix("_total"): tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    return found
