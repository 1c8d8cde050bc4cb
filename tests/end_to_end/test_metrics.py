"""The exported metrics of a webhook server and a worker, compared with the metrics of the alerts and the dashboard."""

import re
from collections.abc import Iterator

import pytest

from router.store import embedded
from tests import collectors
from tests.chart import promql
from tests.end_to_end import harness

SAMPLE = re.compile(r"^([a-z_]+)(?:\{[^}]*\})? (\S+)", re.MULTILINE)
# These have no value before an event, or because the configuration has no `storm`, `poll`, and `slack_app`.
EMPTY = {
    "incident_router_notification_delay_seconds",
    "incident_router_notifications",
    "incident_router_omitted_fields",
    "incident_router_unreadable_rows",
    "incident_router_skipped_silences",
    "incident_router_slack_connected",
    "incident_router_damaged_data",
    "incident_router_data_set_losses",
    "incident_router_polls",
    "incident_router_storm_queued_incidents",
    "incident_router_polled_alerts",
    "incident_router_rules_folder_refused",
    "incident_router_rules_last_reload_success_timestamp_seconds",
}


class Exported:
    """The metrics of one process, by the names of their series."""

    def __init__(self, url: str) -> None:
        status, text = harness.ask(f"{url}/metrics")
        assert status == 200
        self.text = text
        self.series = set(dict(SAMPLE.findall(text)))

    @property
    def families(self) -> set[str]:
        """Return the router's metrics that have a sample."""
        names = {re.sub(r"_(total|bucket|sum|count)$", "", name) for name in self.series}
        return {name for name in names if name.startswith("incident_router_")}

    def value(self, series: str) -> float | None:
        match = re.search(rf"^{re.escape(series)} (\S+)$", self.text, re.MULTILINE)
        return float(match[1]) if match else None


@pytest.fixture(scope="module")
def exported_metrics(tmp_path_factory) -> Iterator[dict[str, Exported]]:
    """Return the metrics of a web and a worker after an incident was opened."""
    folder = tmp_path_factory.mktemp("metrics")
    with embedded.running(folder / "valkey") as valkey, harness.vendors() as at:
        file = harness.configure(folder, at)
        surroundings = {**harness.SECRETS, "REDIS_URL": valkey.url}
        command = [harness.COMMAND, "web", "--config", str(file), "--console-port", "0"]
        web = harness.Process(command, folder, "web", forked=True, **surroundings)
        command = [harness.COMMAND, "worker", "--config", str(file), "--name", "w", "--health-port", "0"]
        worker = harness.Process(command, folder, "worker", forked=True, **surroundings)
        try:
            router = harness.Router(web, file)
            health = worker.wait_for_output(r"(http://127\.0\.0\.1:\d+)/readyz")[1]
            beat = "incident_router_worker_heartbeat_timestamp_seconds"
            harness.eventually("a round is over", lambda: beat in Exported(health).series)
            harness.eventually(
                "the worker has measured the archive",
                lambda: "incident_router_archive_bytes" in Exported(health).series,
            )
            router.send_alert()
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            done = 'incident_router_operations_total{destination="on-call",operation="open",result="done"}'
            harness.eventually("the operation is counted", lambda: Exported(health).value(done))
            memory = "incident_router_redis_memory_used_ratio"
            harness.eventually(
                "the webhook server has read Redis", lambda: memory in Exported(router.health_url).series
            )
            yield {"web": Exported(router.health_url), "worker": Exported(health)}
        finally:
            web.stop()
            worker.stop()


@pytest.mark.parametrize("role", ["web", "worker"])
def test_process_exports_only_its_role_s_metrics(exported_metrics, role):
    documented = collectors.list_documented_metrics()
    own = documented[role] | documented["shared"]
    families = exported_metrics[role].families
    assert families <= own.keys()
    unasked = {"incident_router_vendor_request_duration_seconds"} if role == "web" else set()
    assert own.keys() - families <= EMPTY | unasked


@pytest.mark.parametrize("role", ["web", "worker"])
def test_every_process_exports_version_start_and_memory(exported_metrics, role):
    series = exported_metrics[role].series
    assert {"process_start_time_seconds", "process_resident_memory_bytes", "process_open_fds"} <= series
    assert {"python_info", "incident_router_build_info"} <= series


def test_alerts_and_dashboard_use_only_exported_metrics(exported_metrics):
    offered = exported_metrics["web"].series | exported_metrics["worker"].series
    asked = {name for text in promql.expressions().values() for name in promql.list_selected_series(text)}
    empty = {f"{name}{suffix}" for name in EMPTY for suffix in ("", "_total")}
    assert len(asked) > 30
    assert asked - offered - empty == set()


def test_uncounted_events_are_exported_as_zero(exported_metrics):
    refused = 'incident_router_deliveries_total{outcome="unauthorized",source="json"}'
    assert exported_metrics["web"].value(refused) == 0
    dead = 'incident_router_operations_total{destination="on-call",operation="open",result="refused"}'
    assert exported_metrics["worker"].value(dead) == 0


def test_durations_of_webhooks_redis_and_vendors_are_exported(exported_metrics):
    web, worker = exported_metrics["web"], exported_metrics["worker"]
    assert web.value('incident_router_webhook_duration_seconds_count{code="2xx",source="json"}') == 1
    measured = (
        'incident_router_vendor_request_duration_seconds_count{destination="on-call",operation="open",outcome="ok"}'
    )
    assert worker.value(measured) >= 1
    for one in (web, worker):
        assert one.value('incident_router_redis_command_duration_seconds_count{command="evalsha"}') >= 1
