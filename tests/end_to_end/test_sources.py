"""Alerts from real monitoring systems to both vendors, through real processes and real HTTP."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ports
from tests.end_to_end import harness

ALERTMANAGER = """
route: {{receiver: router, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: router
    webhook_configs:
      - url: {url}/v1/webhooks/alertmanager
        send_resolved: true
        http_config: {{authorization: {{credentials: {token}}}}}
"""
PROMETHEUS = """
global: {{scrape_interval: 500ms, evaluation_interval: 500ms}}
rule_files: [alerts.yaml]
scrape_configs:
  - job_name: shop
    static_configs: [{{targets: ["127.0.0.1:{exporter}"]}}]
alerting:
  alertmanagers:
    - static_configs: [{{targets: ["127.0.0.1:{alertmanager}"]}}]
"""
STRAIGHT = """
      path_prefix: /v1/webhooks/prometheus
      authorization: {credentials: end-to-end}
"""
ALERTS = """
groups:
  - name: shop
    rules:
      - alert: CheckoutFails
        expr: shop_errors > 0.5
        labels: {service: checkout, severity: critical}
        annotations: {summary: Checkout answers 5xx}
"""


@contextlib.contextmanager
def alertmanager(folder: Path, router_url: str, port: int = 0) -> Iterator[str]:
    """Run Debian's Alertmanager with this router as its receiver; yield its URL."""
    port = port or ports.reserve()
    posts_to(folder, router_url)
    command = ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=am-data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    process = harness.Process(command, folder, f"alertmanager-{port}")
    url = f"http://127.0.0.1:{port}"
    try:
        process.wait_for_output("Listening on|TLS is disabled")
        harness.eventually("Alertmanager is ready", lambda: _answers(f"{url}/-/ready"))
        yield url
    finally:
        process.stop()


def posts_to(folder: Path, router_url: str) -> None:
    """Write the configuration of an Alertmanager that sends to this URL."""
    (folder / "alertmanager.yml").write_text(ALERTMANAGER.format(url=router_url, token=harness.TOKEN))


@contextlib.contextmanager
def prometheus(folder: Path, exporter: int, alertmanager_port: str, more: str = "") -> Iterator[None]:
    """Run Debian's Prometheus with one rule, evaluated twice a second."""
    port = ports.reserve()
    settings = PROMETHEUS.format(exporter=exporter, alertmanager=alertmanager_port)
    (folder / "prometheus.yml").write_text(settings + more)
    (folder / "alerts.yaml").write_text(ALERTS)
    command = ["prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path=tsdb"]
    process = harness.Process([*command, f"--web.listen-address=127.0.0.1:{port}"], folder, "prometheus")
    try:
        process.wait_for_output("Server is ready to receive web requests")
        yield
    finally:
        process.stop()


class Exporter(http.server.BaseHTTPRequestHandler):
    """The shop's metrics: one number that the test sets."""

    errors = 0.0

    def do_GET(self) -> None:
        body = f"shop_errors {Exporter.errors}\n".encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def exporter() -> Iterator[int]:
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    thread = threading.Thread(target=serving.serve_forever, daemon=True)
    thread.start()
    try:
        yield serving.server_address[1]
    finally:
        serving.shutdown()
        serving.server_close()
        thread.join()


def _answers(url: str) -> bool:
    try:
        return harness.ask(url)[0] == 200
    except OSError:
        return False


def rfc3339(at: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at))


def post_alert(url: str, ends_at: float | None = None) -> None:
    """Post an alert with an early start time, so that it always starts before it ends."""
    alert = {
        "startsAt": "2026-01-01T00:00:00Z",
        "labels": {"alertname": "CheckoutFails", "service": "checkout", "severity": "critical"},
        "annotations": {"summary": "Checkout answers 5xx"},
    }
    if ends_at is not None:
        alert["endsAt"] = rfc3339(ends_at)
    status, answer = harness.ask(f"{url}/api/v2/alerts", [alert])
    assert status == 200, answer


@pytest.mark.debian("prometheus-alertmanager")
def test_real_alertmanager_s_alert_opens_publishes_and_resolves(tmp_path):
    with (
        harness.vendors() as at,
        harness.router(tmp_path, harness.configure(tmp_path, at)) as router,
        alertmanager(tmp_path, router.url) as url,
    ):
        post_alert(url)
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        assert "Checkout is unavailable" in at.shown("incident-io", "acme-status")
        assert "Checkout is unavailable" in at.shown("devhelm", "acme")
        assert at.component("Checkout API") != "OPERATIONAL"
        post_alert(url, ends_at=time.time() - 1)
        harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))
        assert at.component("Checkout API") == "OPERATIONAL"


@pytest.mark.debian("prometheus-alertmanager")
@pytest.mark.debian("prometheus")
def test_real_prometheus_alert_reaches_both_vendors(tmp_path):
    Exporter.errors = 0.0
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(harness.vendors())
        router = stack.enter_context(harness.router(tmp_path, harness.configure(tmp_path, at)))
        url = stack.enter_context(alertmanager(tmp_path, router.url))
        measured = stack.enter_context(exporter())
        stack.enter_context(prometheus(tmp_path, measured, url.rsplit(":", 1)[1]))
        Exporter.errors = 0.9
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        Exporter.errors = 0.0
        harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"), 90)


@pytest.mark.debian("prometheus")
def test_real_prometheus_posts_directly_to_the_router(tmp_path):
    Exporter.errors = 0.9
    with contextlib.ExitStack() as stack:
        at = stack.enter_context(harness.vendors())
        router = stack.enter_context(harness.router(tmp_path, harness.configure(tmp_path, at)))
        measured = stack.enter_context(exporter())
        stack.enter_context(prometheus(tmp_path, measured, router.url.rsplit(":", 1)[1], STRAIGHT))
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        Exporter.errors = 0.0
        harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"), 90)


@pytest.mark.debian("prometheus-alertmanager")
def test_alert_of_two_alertmanagers_opens_one_incident(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        one, two = tmp_path / "one", tmp_path / "two"
        one.mkdir()
        two.mkdir()
        with alertmanager(one, router.url) as first, alertmanager(two, router.url) as second:
            post_alert(first)
            post_alert(second)
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            post_alert(first, ends_at=time.time() - 1)
            post_alert(second, ends_at=time.time() - 1)
            harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))


def test_mapped_json_is_opened_raised_and_resolved(tmp_path):
    with harness.vendors() as at, harness.router(tmp_path, harness.configure(tmp_path, at)) as router:
        answer = router.send_alert(severity="minor")
        assert answer["alerts"][0]["rule"] == "checkout-down"
        assert answer["alerts"][0]["decided_incident_key"] == 'checkout-down{labels.service="checkout"}'
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        assert at.component("Checkout API") == "DEGRADED_PERFORMANCE"
        router.send_alert(severity="critical", dedup_key="b")
        harness.eventually("the page shows the worst severity", lambda: at.component("Checkout API") == "MAJOR_OUTAGE")
        harness.eventually("the incident is critical", lambda: _severity(at) == "Critical")
        for key in ("a", "b"):
            router.send_alert(status="resolved", dedup_key=key)
        harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))


def _severity(at: harness.Vendors) -> str:
    return at.state()["incident-io"]["incidents"][0]["severity"]["name"]
