"""Alertmanager's receivers for vendors whose API the router implements: a real Alertmanager posts to the router."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from router.sources import registry
from tests import ports
from tests.contract import serving

SETTINGS = """
route: {{receiver: router, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}}
receivers:
  - name: router
    opsgenie_configs:
      - api_url: {url}/v1/webhooks/og/
        api_key: a-long-random-token
        send_resolved: true
        priority: P2
        tags: "site:north"
"""


def eventually(condition: Callable[[], bool]) -> None:
    """Wait for a condition, with a deadline that suits an overloaded machine."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@contextlib.contextmanager
def alertmanager(folder: Path, router_url: str) -> Iterator[str]:
    """Run Debian's Alertmanager with a receiver that posts to the router; yield its URL."""
    (folder / "alertmanager.yml").write_text(SETTINGS.format(url=router_url))
    port = ports.reserve()
    command = ["prometheus-alertmanager", "--config.file=alertmanager.yml", "--storage.path=data"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
    url = f"http://127.0.0.1:{port}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        eventually(lambda: is_ready(url))
        yield url
    finally:
        process.terminate()
        process.wait(30)


def is_ready(url: str) -> bool:
    with contextlib.suppress(httpx.HTTPError):
        return httpx.get(f"{url}/-/ready").is_success
    return False


def post(url: str, **more: str) -> None:
    alert = {"labels": {"alertname": "LockOpen"}, "annotations": {"summary": "Lock 3 is open"}, **more}
    assert httpx.post(f"{url}/api/v2/alerts", json=[alert]).is_success


@pytest.mark.debian("prometheus-alertmanager")
def test_opsgenie_receiver_of_alertmanager_creates_and_closes_alerts(redis_url, tmp_path):
    config = registry.KINDS["opsgenie-api"].config(bearer=["a-long-random-token"])
    endpoints = {"og": registry.build("og", config)}
    with serving.run_web_server(redis_url, endpoints) as router, alertmanager(tmp_path, router.url) as url:
        post(url, startsAt="2026-01-01T00:00:00Z")
        eventually(lambda: len(router.alerts()) == 1)
        post(url, startsAt="2026-01-01T00:00:00Z", endsAt="2026-01-02T00:00:00Z")
        eventually(lambda: len(router.alerts()) == 2)
        firing, resolved = router.alerts()
    assert (firing.status, firing.severity, firing.labels["site"]) == ("firing", "P2", "north")
    assert "LockOpen" in firing.title
    assert (resolved.status, resolved.fingerprint) == ("resolved", firing.fingerprint)
