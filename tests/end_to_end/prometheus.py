"""Debian's Prometheus with the chart's alerts, and queries for tests."""

import contextlib
import json
import urllib.parse
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from tests import ports
from tests.end_to_end import harness

CONFIGURATION = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: router
    static_configs: [{{targets: {targets}}}]
"""


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rules(self) -> list[dict[str, Any]]:
        """Return the alerts with their states; empty before the first evaluation."""
        status, answer = harness.ask(f"{self._url}/api/v1/rules")
        assert status == 200, answer
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    def firing(self, name: str) -> list[dict[str, str]]:
        """Return the labels of the firing alerts with this name."""
        [rule] = [rule for rule in self.rules() if rule["name"] == name]
        return [alert["labels"] for alert in rule["alerts"] if alert["state"] == "firing"]

    def states(self) -> dict[str, str]:
        """The state of each alert: inactive, pending, or firing."""
        return {rule["name"]: rule["state"] for rule in self.rules()}

    def settled(self) -> bool:
        """Return whether every alert was evaluated without an error, and none is firing or pending."""
        return {(rule["health"], rule["state"]) for rule in self.rules()} == {("ok", "inactive")}

    def query(self, expression: str) -> list[Any]:
        """Return the series of an expression. Outside Kubernetes, all namespaces are selected."""
        given = urllib.parse.urlencode({"query": expression.replace("$namespace", ".*")})
        status, answer = harness.ask(f"{self._url}/api/v1/query?{given}")
        assert status == 200, answer
        return answer["data"]["result"]


@contextlib.contextmanager
def run_prometheus(folder: Path, alerts: str, scraped: Iterable[int]) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes these ports twice a second, with these alerts."""
    port = ports.reserve()
    targets = json.dumps([f"127.0.0.1:{each}" for each in scraped])
    (folder / "prometheus.yml").write_text(CONFIGURATION.format(targets=targets))
    (folder / "alerts.yaml").write_text(alerts)
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    process = harness.Process([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, "prometheus")
    try:
        process.wait_for_output("Server is ready to receive web requests")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.stop()
