"""The PromQL of the chart's alerts and dashboard, checked against the router's metrics and labels."""

import json
import re
from collections.abc import Iterator
from typing import Any

import promql_parser

from tests import collectors
from tests.chart import helm
from tests.structure import tree

ALERTS = helm.CHART / "files/alerts.yaml"
DASHBOARD = helm.CHART / "files/dashboard.json"
# The labels that Prometheus and Kubernetes' service discovery add to every series.
SCRAPED = {"job", "instance", "namespace"}
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_sum", "_count"]}
# The client library's process metrics that the dashboard uses.
PROCESS = {f"process_{name}": SCRAPED for name in ("resident_memory_bytes", "cpu_seconds_total", "open_fds")}
CHILDREN = ("expr", "lhs", "rhs", "vector_selector", "param")
GRAFANA = {"$__rate_interval": "5m"}


def alerts() -> dict[str, helm.Object]:
    """Return the chart's alerts by name, unchanged from the file."""
    [group] = helm.read(ALERTS.read_text())["groups"]
    return {rule["alert"]: rule for rule in group["rules"]}


def dashboard() -> helm.Object:
    return json.loads(DASHBOARD.read_text())


def panels() -> list[helm.Object]:
    """Return the dashboard's panels without its rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> dict[str, str]:
    """Return every expression by its place, with Grafana's variables replaced."""
    found = {name: rule["expr"] for name, rule in alerts().items()}
    for panel in panels():
        for target in panel["targets"]:
            text = target["expr"]
            for name, value in GRAFANA.items():
                text = text.replace(name, value)
            found[f"{panel['title']} {target['refId']}"] = text
    return found


def list_series() -> dict[str, set[str]]:
    """Return every series of the router's registry by name, with its possible labels."""
    found: dict[str, set[str]] = {}
    for name, metric in collectors.list_metrics().items():
        for suffix in SUFFIXES[metric.kind]:
            le = {"le"} if suffix == "_bucket" else set()
            found[name + suffix] = {*metric.labels, *le, *SCRAPED}
    return found | PROCESS


def outcomes(metric: str) -> set[str]:
    """Return the values that docs/reference/metrics.md lists for a metric; tests/structure compares them."""
    text = (tree.ROOT / "docs/reference/metrics.md").read_text()
    [row] = re.findall(rf"^\| `{metric}` \| .*? \| (.*) \|$", text, re.MULTILINE)
    return set(re.findall(r"`(\w+)`", row))


def problems(expression: str) -> list[str]:
    """Return the metrics and labels in an expression that no process of the router has. Raises ``ValueError``."""
    series = list_series()
    found = []
    labels: set[str] = set()
    for node in _nodes(promql_parser.parse(expression)):
        if isinstance(node, promql_parser.VectorSelector):
            if node.name not in series:
                found.append(f"no metric {node.name}")
                continue
            labels |= series[node.name]
            found += _strange(node, series[node.name])
    found += [f"nothing here has a label {name}" for name in sorted(_grouped(expression) - labels)]
    return found


def list_selected_series(expression: str) -> set[str]:
    """Return the names of the series that an expression selects."""
    nodes = _nodes(promql_parser.parse(expression))
    return {node.name for node in nodes if isinstance(node, promql_parser.VectorSelector)}


def _strange(selector: Any, labels: set[str]) -> list[str]:
    """Yield matchers of labels that a metric doesn't have, and of values that a label never has."""
    found = []
    for matcher in selector.matchers.matchers:
        if matcher.name not in labels:
            found.append(f"{selector.name} has no label {matcher.name}")
        elif matcher.name in {"outcome", "result"}:
            strange = set(matcher.value.split("|")) - outcomes(selector.name)
            found += [f"{selector.name} is never {matcher.name}={value}" for value in sorted(strange)]
    return found


def _grouped(expression: str) -> set[str]:
    """Return the labels by which series are aggregated or joined."""
    found: set[str] = set()
    for node in _nodes(promql_parser.parse(expression)):
        modifier = getattr(node, "modifier", None)
        if isinstance(modifier, promql_parser.AggModifier):
            found |= set(modifier.labels)
        elif modifier is not None:
            found |= {*(modifier.group_labels or ()), *(modifier.matching.labels if modifier.matching else ())}
    return found


def _nodes(node: Any) -> Iterator[Any]:
    """Yield all nodes of a parsed expression."""
    yield node
    for child in [*(getattr(node, name, None) for name in CHILDREN), *getattr(node, "args", ())]:
        if type(child).__module__ == type(node).__module__:
            yield from _nodes(child)
