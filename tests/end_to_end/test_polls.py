"""Lost webhooks between a real Alertmanager and a router that polls it."""

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import ports
from tests.end_to_end import harness, test_sources

SOURCE = "alertmanager: {kind: alertmanager, "
NOWHERE = "http://127.0.0.1:9"  # The discard port, at which no process listens.
KEY = 'checkout-down{labels.service="checkout"}'


def configure_poll(file: Path, url: str) -> Path:
    """Poll this Alertmanager every second, and trust it although it has just started."""
    text = file.read_text()
    assert SOURCE in text
    poll = f'poll: {{url: "{url}", every: 1s, min_uptime: 0s, receiver: router}}, '
    file.write_text(text.replace(SOURCE, SOURCE + poll))
    return file


@contextlib.contextmanager
def run_polling_router(folder: Path, at: harness.Vendors, url: str) -> Iterator[harness.Router]:
    with harness.router(folder, configure_poll(harness.configure(folder, at), url)) as router:
        yield router


@pytest.mark.debian("prometheus-alertmanager")
def test_poll_opens_and_resolves_incident_without_webhooks(tmp_path):
    with harness.vendors() as at, test_sources.alertmanager(tmp_path, NOWHERE) as url:
        test_sources.post_alert(url)
        with run_polling_router(tmp_path, at, url) as router:
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            test_sources.post_alert(url, ends_at=time.time() - 1)
            harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))
            output = router.command("incidents", "show", KEY).stdout
            assert "Alertmanager no longer has alertmanager/" in output
            assert router.process.output.count('"poll_changed"') == 2
            counted = router.metrics()
            assert 'incident_router_polled_alerts_total{outcome="found",source="alertmanager"} 1.0' in counted
            assert 'incident_router_polled_alerts_total{outcome="ended",source="alertmanager"} 1.0' in counted
            assert router.command("check", "--online").returncode == 0


@pytest.mark.debian("prometheus-alertmanager")
def test_poll_resolves_incident_after_a_lost_webhook(tmp_path):
    port = ports.reserve()
    with (
        harness.vendors() as at,
        run_polling_router(tmp_path, at, f"http://127.0.0.1:{port}") as router,
        test_sources.alertmanager(tmp_path, router.url, port) as url,
    ):
        test_sources.post_alert(url)
        harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
        assert "delivery_accepted" in router.process.output
        test_sources.posts_to(tmp_path, NOWHERE)
        assert harness.ask(f"{url}/-/reload", method="POST")[0] == 200
        test_sources.post_alert(url, ends_at=time.time() - 1)
        harness.eventually("the incident is resolved everywhere", lambda: at.is_everywhere("resolved"))
        assert "Alertmanager no longer has" in router.command("incidents", "show", KEY).stdout
        assert router.process.output.count('"delivery_accepted"') == 1


@pytest.mark.debian("prometheus-alertmanager")
def test_silenced_and_foreign_alerts_are_not_polled(tmp_path):
    with harness.vendors() as at, test_sources.alertmanager(tmp_path, NOWHERE) as url:
        test_sources.post_alert(url)
        file = configure_poll(harness.configure(tmp_path, at), url)
        file.write_text(file.read_text().replace("receiver: router", "receiver: route"))
        with harness.router(tmp_path, file) as router:
            harness.eventually("the Alertmanager was polled", lambda: count_polls(router) >= 4)
            assert at.incidents()["on-call"] == []
            refused = router.command("check", "--online")
            assert refused.returncode == 1
            assert 'alertmanager: poll.receiver "route" is not one of its receivers, which are router' in refused.stderr
        with run_polling_router(tmp_path, at, url) as router:
            harness.eventually("the incident is open everywhere", lambda: at.is_everywhere("open"))
            silence(url)
            before = count_polls(router)
            harness.eventually("the Alertmanager was polled repeatedly", lambda: count_polls(router) >= before + 4)
            assert at.is_everywhere("open")


def count_polls(router: harness.Router) -> float:
    """Return the number of complete polls of the source."""
    text = router.metrics()
    match = re.search(r'incident_router_polls_total\{result="whole",source="alertmanager"\} (\S+)', text)
    return float(match[1]) if match else 0.0


def silence(url: str) -> None:
    now = time.time()
    matcher = {"name": "service", "value": "checkout", "isRegex": False, "isEqual": True}
    times = {"startsAt": test_sources.rfc3339(now), "endsAt": test_sources.rfc3339(now + 600)}
    body = {"matchers": [matcher], "createdBy": "ann", "comment": "works", **times}
    assert harness.ask(f"{url}/api/v2/silences", body)[0] == 200
    listed = f"{url}/api/v2/alerts"
    harness.eventually("the alert is silenced", lambda: harness.ask(listed)[1][0]["status"]["state"] == "suppressed")
