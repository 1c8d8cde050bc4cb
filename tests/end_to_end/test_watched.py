"""A real Prometheus scrapes a healthy router: no alert fires, and every panel has something to show."""

import contextlib
import shutil
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import ports
from tests.chart import promql
from tests.end_to_end import harness

PROMETHEUS = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: router
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""
# No folder of rules was refused, and no `storm` is configured. All other panels start at 0.
EMPTY = {"Rules read B", "Incidents held back A"}


class Prometheus:
    """A running Prometheus, as the tests ask it."""

    def __init__(self, url: str) -> None:
        self._url = url

    def rules(self) -> list[dict[str, Any]]:
        """The alerts with their states; empty before they were evaluated."""
        status, answer = harness.ask(f"{self._url}/api/v1/rules")
        assert status == 200, answer
        return [rule for group in answer["data"]["groups"] for rule in group["rules"]]

    def firing(self, name: str) -> list[dict[str, str]]:
        """The labels of what fires under this name."""
        [rule] = [rule for rule in self.rules() if rule["name"] == name]
        return [alert["labels"] for alert in rule["alerts"] if alert["state"] == "firing"]

    def query(self, expression: str) -> list[Any]:
        """The series that an expression gives now; all namespaces are chosen, as outside Kubernetes."""
        given = urllib.parse.urlencode({"query": expression.replace("$namespace", ".*")})
        status, answer = harness.ask(f"{self._url}/api/v1/query?{given}")
        assert status == 200, answer
        return answer["data"]["result"]


@contextlib.contextmanager
def prometheus(folder: Path, router: harness.Router) -> Iterator[Prometheus]:
    """Debian's Prometheus with the chart's alerts, looking at this router twice a second."""
    port = ports.free()
    (folder / "prometheus.yml").write_text(PROMETHEUS.format(port=router.url.rsplit(":", 1)[1]))
    shutil.copy(promql.ALERTS, folder / "alerts.yaml")
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    process = harness.Process([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, "prometheus")
    try:
        process.says("Server is ready to receive web requests")
        yield Prometheus(f"http://127.0.0.1:{port}")
    finally:
        process.stop()


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[tuple[harness.Router, Prometheus]]:
    """A router that has opened an incident, and the Prometheus that has watched it from before that."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        harness.vendors() as at,
        harness.router(folder, harness.configure(folder, at)) as router,
        prometheus(folder, router) as watching,
    ):
        harness.eventually(
            "it is scraped", lambda: watching.query("incident_router_worker_heartbeat_timestamp_seconds")
        )
        router.receives()
        harness.eventually("it is open everywhere", lambda: at.everywhere("open"))
        yield router, watching


pytestmark = pytest.mark.debian("prometheus")


def settled(watching: Prometheus) -> bool:
    """Whether every alert was evaluated without an error and none of them as much as waits to fire."""
    return {(rule["health"], rule["state"]) for rule in watching.rules()} == {("ok", "inactive")}


def test_no_alert_fires_or_waits_to_fire_while_all_is_well(watched):
    _, watching = watched
    harness.eventually("no alert waits", lambda: settled(watching))
    assert [rule["name"] for rule in watching.rules()] == list(promql.alerts())


def test_every_panel_can_be_drawn(watched):
    _, watching = watched
    harness.eventually(
        "what was counted is scraped twice",
        lambda: watching.query('rate(incident_router_operations_total{result="done"}[5m])'),
    )
    panels = {place: text for place, text in promql.expressions().items() if place not in promql.alerts()}
    assert {place for place, text in panels.items() if not watching.query(text)} == EMPTY


def test_the_first_delivery_that_is_refused_is_told_of_at_once(watched):
    router, watching = watched
    status, _ = harness.ask(f"{router.url}/v1/webhooks/json", {"title": "x", "status": "firing"}, "an old token")
    assert status == 401
    name = "IncidentRouterSendersRefused"
    [labels] = harness.eventually(f"{name} fires", lambda: watching.firing(name))
    assert labels == {"alertname": name, "severity": "warning", "source": "json", "outcome": "unauthorized"}
