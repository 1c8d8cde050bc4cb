"""An incident follows its alerts, and the response to a delivery names the incident that holds each alert."""

import datetime as dt
import itertools
import urllib.parse
import urllib.request

import pytest

from tests.end_to_end import harness

RULES = """
rules:
  - name: critical-pages
    when: {source: pumps, severity: CRITICAL}
    severity: critical
    group_by: [labels.host, labels.service]
    open: [{at: on-call, name: "{{ alert.title }}"}]
  - name: warning-tickets
    when: {source: pumps, severity: WARNING}
    severity: minor
    group_by: [labels.host, labels.service]
    open: [{at: devhelm, title: "{{ alert.title }}"}]
  - name: region-lost
    when: {labels.alertname: RegionLost}
    group_by: [labels.region]
    open: []
  - name: shop-down
    when: {labels.alertname: ShopDown}
    group_by: [labels.region]
    inhibited_by: [region-lost]
    open: [{at: on-call, name: "{{ alert.title }}"}]
  - name: rest
    when: {}
    group_by: [labels.alertname]
    open: [{at: on-call, name: "{{ alert.title }}"}]
"""
SOURCES = """
sources:
  pumps: {kind: nagios, bearer: [{env: WEBHOOK_TOKEN}]}
  impatient: {kind: alertmanager, bearer: [{env: WEBHOOK_TOKEN}], retry_window: 0s}
"""


@pytest.fixture(scope="module")
def vendors():
    with harness.vendors() as found:
        yield found


@pytest.fixture(scope="module")
def router(vendors, tmp_path_factory):
    folder = tmp_path_factory.mktemp("router")
    file = harness.configure(folder, vendors, rules=RULES)
    file.write_text(file.read_text().replace("sources:\n", SOURCES))
    with harness.router(folder, file) as found:
        yield found


def send_nagios_alert(router, state: str, service: str) -> dict:
    fields = {
        "notification_type": "PROBLEM" if state != "OK" else "RECOVERY",
        "host_name": "p1",
        "service_desc": service,
        "service_state": state,
    }
    request = urllib.request.Request(
        f"{router.url}/v1/webhooks/pumps?explain=true",
        urllib.parse.urlencode(fields).encode(),
        {"content-type": "application/x-www-form-urlencoded", "authorization": f"Bearer {harness.TOKEN}"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        return harness.json.load(answer)["alerts"][0]


def alertmanager(router, status: str, starts_at: str, *, url: str = "https://am", to: str = "impatient", **labels):
    alert = {"status": status, "labels": labels, "annotations": {}, "startsAt": starts_at, "fingerprint": ""}
    if status == "resolved":
        alert["endsAt"] = iso(0)
    body = {"version": "4", "groupKey": "g", "status": status, "receiver": "r", "externalURL": url, "alerts": [alert]}
    code, answer = harness.ask(f"{router.url}/v1/webhooks/{to}?explain=true", body, harness.TOKEN)
    assert code == 202
    return answer["alerts"][0]


def iso(seconds: float) -> str:
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()


def list_names(vendors) -> list[str]:
    return [incident["name"] for incident in vendors.state()["incident-io"]["incidents"]]


def get_state(vendors, name: str) -> str:
    (incident,) = (one for one in vendors.state()["incident-io"]["incidents"] if one["name"] == name)
    return "resolved" if incident["incident_status"]["category"] == "closed" else "open"


def test_escalation_opens_the_pager_and_keeps_the_incident(router, vendors):
    warned = send_nagios_alert(router, "WARNING", "disk")
    assert warned["rule"] == "warning-tickets"
    harness.eventually("the ticket is opened", lambda: vendors.calls("POST", "/incidents", "devhelm"))
    critical = send_nagios_alert(router, "CRITICAL", "disk")
    assert critical["rule"] == "critical-pages"
    assert critical["incident_key"] == warned["incident_key"]
    harness.eventually("the pager is called", lambda: len(list_names(vendors)) == 1)
    assert send_nagios_alert(router, "OK", "disk")["incident_key"] == warned["incident_key"]
    harness.eventually("both incidents are resolved", lambda: get_state(vendors, list_names(vendors)[0]) == "resolved")


def test_same_start_fires_again_after_the_retry_window(router, vendors):
    started = iso(-600)
    alertmanager(router, "firing", started, alertname="SameStart")
    harness.eventually("the incident opens", lambda: list_names(vendors).count("SameStart") == 1)
    alertmanager(router, "resolved", started, alertname="SameStart")
    harness.eventually("the incident is resolved", lambda: get_state(vendors, "SameStart") == "resolved")
    alertmanager(router, "firing", started, alertname="SameStart")
    harness.eventually("the incident opens again", lambda: list_names(vendors).count("SameStart") == 2)


def test_timeline_shows_ignored_late_message(router, vendors):
    started = iso(-600)
    send = {"to": "alertmanager", "alertname": "Late"}
    alertmanager(router, "firing", started, **send)
    harness.eventually("the incident opens", lambda: "Late" in list_names(vendors))
    alertmanager(router, "resolved", started, **send)
    harness.eventually("the incident is resolved", lambda: get_state(vendors, "Late") == "resolved")
    key = alertmanager(router, "firing", started, **send)["incident_key"]
    shown = harness.eventually(
        "the timeline has the late message",
        lambda: "Ignored 1 late message" in (told := router.command("incidents", "show", key).stdout) and told,
    )
    assert "newer ones were received before" in " ".join(shown.split())
    assert list_names(vendors).count("Late") == 1
    metrics = router.metrics()
    assert 'incident_router_late_alerts_total{source="alertmanager"} 1.0' in metrics


def test_incident_stays_open_until_both_clusters_resolve(router, vendors):
    a, b = iso(-600), iso(-300)
    labels = {"to": "alertmanager", "alertname": "TwoClusters"}
    alertmanager(router, "firing", a, url="https://am-a", **labels)
    alertmanager(router, "firing", b, url="https://am-b", **labels)
    alertmanager(router, "resolved", b, url="https://am-b", **labels)
    harness.eventually("the incident opens", lambda: "TwoClusters" in list_names(vendors))
    alertmanager(router, "resolved", iso(-1), url="https://am-a", to="alertmanager", alertname="Marker")
    assert get_state(vendors, "TwoClusters") == "open"
    alertmanager(router, "resolved", a, url="https://am-a", **labels)
    harness.eventually("the incident is resolved", lambda: get_state(vendors, "TwoClusters") == "resolved")


def test_response_names_the_silence_of_an_alert(router, vendors):
    added = router.command("silences", "add", "alertname=~Silenced.*", "--for", "1h", "--reason", "works")
    assert added.returncode == 0, added.stderr
    numbers = itertools.count()
    muted_by = harness.eventually(
        "the webhook server has read the silence",
        lambda: alertmanager(router, "firing", iso(-1), alertname=f"Silenced{next(numbers)}").get("muted_by"),
    )
    assert muted_by.startswith("silence ")
    assert "works" in muted_by


def test_response_names_the_inhibiting_incident(router, vendors):
    alertmanager(router, "firing", iso(-1), alertname="RegionLost", region="eu")
    muted_by = harness.eventually(
        "the cause fires",
        lambda: alertmanager(router, "firing", iso(-1), alertname="ShopDown", region="eu").get("muted_by"),
    )
    assert muted_by == 'incident region-lost{labels.region="eu"}'
    result = router.command("incidents", "list", "--muted")
    assert result.returncode == 0, result.stderr
    assert "shop-down" in result.stdout
    assert "region-lost" in result.stdout
