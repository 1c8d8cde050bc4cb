"""Traces of a real router arrive at the collector, delay nothing, and aren't recorded if tracing is disabled."""

import contextlib
import json
import subprocess
import sys
import time
import urllib.request

from tests import ports
from tests.end_to_end import collectors, harness

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = f"00-{TRACE}-b7ad6b7169203331-01"


def configure_tracing(folder, at: harness.Vendors, endpoint: str):
    file = harness.configure(folder, at)
    file.write_text(f"tracing: {{endpoint: '{endpoint}', service_name: acme-router}}\n{file.read_text()}")
    return file


def send(router: harness.Router) -> None:
    body = {"title": "Checkout answers 5xx", "status": "firing", "dedup_key": "a", "labels": {"service": "checkout"}}
    headers = {
        "content-type": "application/json",
        "authorization": f"Bearer {harness.TOKEN}",
        "traceparent": SENDER,
    }
    request = urllib.request.Request(f"{router.url}/v1/webhooks/json", json.dumps(body).encode(), headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 202


def test_spans_reach_the_collector_before_the_exit(tmp_path):
    with contextlib.closing(collectors.Collector()) as collector, harness.vendors() as at:
        file = configure_tracing(tmp_path, at, collector.url)
        with harness.router(tmp_path, file) as router:
            send(router)
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            said = router.process
            with urllib.request.urlopen(
                urllib.request.Request(
                    f"{router.health_url}/metrics", headers={"accept": "application/openmetrics-text"}
                )
            ) as answer:
                metrics = answer.read().decode()
        ours = [span for span in collector.spans if span.trace_id.hex() == TRACE]
        assert sorted(span.name for span in ours if span.name != "operation") == ["fold", "webhook"]
        opened = [span for span in ours if span.name == "operation"]
        assert len(opened) >= 4, "one at each destination"
        assert collector.services == {"acme-router"}
        assert f'trace_id="{TRACE}"' in metrics
        lines = [json.loads(line) for line in said.output.splitlines() if line.startswith("{")]
        assert {line["trace"] for line in lines if line["event"] == "operation"} == {TRACE}


def test_unreachable_collector_delays_nothing(tmp_path):
    with harness.vendors() as at:
        file = configure_tracing(tmp_path, at, f"http://127.0.0.1:{ports.reserve_closed()}")
        with harness.router(tmp_path, file) as router:
            send(router)
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            began = time.monotonic()
            assert router.process.stop() == 0
            assert time.monotonic() - began < 15


def test_disabled_tracing_imports_no_opentelemetry():
    """The Redis library imports OpenTelemetry's metrics if they are installed."""
    program = (
        "import sys\n"
        "from router.cli import main\n"
        "from router.bootstrap import processes\n"
        "from router.bootstrap import traces\n"
        "from router.configuration import sections\n"
        "assert not traces.start(sections.Tracing()).is_on\n"
        "wanted = ('router.telemetry.otel', 'opentelemetry.sdk.trace', 'opentelemetry.exporter')\n"
        "print([name for name in sys.modules if name.startswith(wanted)])\n"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout == "[]\n"


def run_without_extra(tmp_path, at, command: str) -> harness.Process:
    """Run a command with tracing configured and OpenTelemetry not installed."""
    file = configure_tracing(tmp_path, at, "http://127.0.0.1:4318")
    program = (
        "import importlib.util, sys\n"
        "find = importlib.util.find_spec\n"
        "importlib.util.find_spec = lambda name, *a: None if name.startswith('opentelemetry') else find(name, *a)\n"
        f"from router.cli import main\nsys.argv = ['incident-router', {command!r}, '--config', {str(file)!r}]\nmain()"
    )
    return harness.Process([sys.executable, "-c", program], tmp_path, "without", **harness.SECRETS)


def test_tracing_without_its_extra_is_refused_clearly(tmp_path):
    with harness.vendors() as at:
        process = run_without_extra(tmp_path, at, "run")
        assert process.wait_for_exit() == 1
        assert "OpenTelemetry is not installed: install incident-router[otel]" in process.output
        assert "Traceback" not in process.output


def test_check_reports_traces_without_the_extra(tmp_path):
    with harness.vendors() as at:
        process = run_without_extra(tmp_path, at, "check")
        assert process.wait_for_exit() == 1
        assert "tracing.endpoint is set, but OpenTelemetry is not installed" in process.output
