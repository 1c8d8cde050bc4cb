"""A real Prometheus scrapes a healthy router: no alert fires, and every panel has data."""

from collections.abc import Iterator

import pytest

from tests.chart import promql
from tests.end_to_end import harness, prometheus

# No rules were rejected, and `storm` isn't configured. The series of all other panels start at 0.
EMPTY = {"Rule reloads B", "Queued incidents A"}


@pytest.fixture(scope="module")
def watched(tmp_path_factory) -> Iterator[tuple[harness.Router, prometheus.Prometheus]]:
    """Return a router that has opened an incident, and the Prometheus that has scraped it from the start."""
    folder = tmp_path_factory.mktemp("watched")
    with (
        harness.vendors() as at,
        harness.router(folder, harness.configure(folder, at)) as router,
        prometheus.run_prometheus(
            folder, promql.ALERTS.read_text(), [int(router.health_url.rsplit(":", 1)[1])]
        ) as watching,
    ):
        harness.eventually(
            "it is scraped", lambda: watching.query("incident_router_worker_heartbeat_timestamp_seconds")
        )
        router.send_alert()
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        yield router, watching


pytestmark = pytest.mark.debian("prometheus")


def test_no_alert_is_pending_or_firing_when_healthy(watched):
    _, watching = watched
    harness.eventually("no alert is pending", watching.settled)
    assert [rule["name"] for rule in watching.rules()] == list(promql.alerts())


def test_every_panel_has_data(watched):
    _, watching = watched
    harness.eventually(
        "the counted operations are scraped twice",
        lambda: watching.query('rate(incident_router_operations_total{result="done"}[5m])'),
    )
    panels = {place: text for place, text in promql.expressions().items() if place not in promql.alerts()}
    assert {place for place, text in panels.items() if not watching.query(text)} == EMPTY


def test_first_refused_delivery_alerts_immediately(watched):
    router, watching = watched
    status, _ = harness.ask(f"{router.url}/v1/webhooks/json", {"title": "x", "status": "firing"}, "an old token")
    assert status == 401
    name = "IncidentRouterSendersRefused"
    [labels] = harness.eventually(f"{name} fires", lambda: watching.firing(name))
    assert labels == {"alertname": name, "severity": "warning", "source": "json", "outcome": "unauthorized"}
