"""A worker is killed while it pages, responses are lost, and a vendor is down across a restart: one page, never two."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from router.simulator.incident_io import alerts
from tests.end_to_end import harness
from tests.faults import setups

RULES = """
rules:
  - name: checkout-down
    when: {labels.service: checkout}
    group_by: [labels.service]
    open:
      - {at: on-call, name: Checkout is down, escalation: {path: Primary, at_least: major}}
      - {at: pager, title: Checkout is down}
"""
FAILS_OVER = """
rules:
  - name: checkout-down
    when: {labels.service: checkout}
    open: [{at: devhelm, title: Checkout is down}]
"""
LIMITS = "pages: {min_update_interval: 0s, observe_interval: 1s}"


def mark_long(point: str) -> object:
    """Return a point that differs from the others in the recorded state, and not in the calls."""
    return pytest.param(point, marks=pytest.mark.long)


def pager(at: harness.Vendors) -> str:
    """Return the settings of an alert source."""
    return (
        f"  pager: {{kind: incident-io-alert, alert_source: {alerts.SOURCE}, api_key: {{env: KEY}}, "
        f"account_key: {{env: KEY}}, base_url: {at.url}/incident-io, timeout_seconds: 1, per_minute: 1000000, "
        "attach_to: on-call}\n"
    )


def start(folder: Path, rules: str, failover: str = "") -> setups.run_setup:
    """Return a setup with an alert source; ``failover`` is the failover of the destination `devhelm`."""

    def configured(text: str, at: harness.Vendors) -> str:
        text = text.replace("worker: {", f"{pager(at)}worker: {{", 1)
        return text.replace("/devhelm, timeout_seconds: 1, ", f"/devhelm, timeout_seconds: 1, {failover}", 1)

    return setups.run_setup(folder, rules, LIMITS, configured)


@pytest.fixture
def paging(tmp_path) -> Iterator[setups.Setup]:
    with start(tmp_path, RULES) as setup:
        yield setup


def get_states(setup: setups.Setup) -> tuple[list[str], list[str], list[str]]:
    """Return the states of the incidents, of the alerts, and of the escalations."""
    state = setup.vendors.state()["incident-io"]
    escalations = [escalation["status"] for escalation in state["escalations"]]
    return setup.vendors.incidents()["on-call"], setup.vendors.alerts(), escalations


def is_paged_once(setup: setups.Setup) -> bool:
    return get_states(setup) == (["open"], ["open"], ["triggered"])


def resolve_and_wait(setup: setups.Setup) -> None:
    setup.web.send_alert(status="resolved")
    over = (["resolved"], ["resolved"], ["cancelled"])
    harness.eventually("everything is resolved, and no page continues", lambda: get_states(setup) == over)
    assert [alert["pages"] for alert in setup.vendors.state()["incident-io"]["alerts"]] == [1]


@pytest.mark.parametrize(
    "point", ["after-intent", "after-call", mark_long("before-intent"), mark_long("before-record")]
)
@pytest.mark.parametrize("place", ["pager", "on-call"])
def test_worker_killed_while_paging_pages_once(paging, place, point):
    dying = paging.start_dying_worker(place, "open", point)
    paging.web.send_alert(severity="critical")
    assert setups.is_killed(dying)
    paging.worker()
    harness.eventually("each kind has one page", lambda: is_paged_once(paging))
    resolve_and_wait(paging)


@pytest.mark.parametrize("point", ["after-call", mark_long("after-intent")])
@pytest.mark.parametrize("place", ["pager", "on-call"])
def test_worker_killed_while_resolving_leaves_no_page(paging, place, point):
    dying = paging.start_dying_worker(place, "resolve", point)
    paging.web.send_alert(severity="critical")
    harness.eventually("each kind has one page", lambda: is_paged_once(paging))
    paging.web.send_alert(status="resolved")
    assert setups.is_killed(dying)
    paging.worker()
    resolve_and_wait(paging)


@pytest.mark.parametrize("path", [f"/v2/alert_events/http/{alerts.SOURCE}", "/v1/incidents"])
def test_lost_response_pages_once(paging, path):
    paging.vendors.fault(vendor="incident-io", action="act-then-drop", method="POST", path=path)
    paging.worker()
    paging.web.send_alert(severity="critical")
    harness.eventually("each kind has one page", lambda: is_paged_once(paging))
    resolve_and_wait(paging)


def test_alert_is_attached_to_the_incident(paging):
    paging.worker()
    paging.web.send_alert(severity="critical")
    attached = harness.eventually(
        "the alert is attached", lambda: paging.vendors.state()["incident-io"]["incident_alerts"]
    )
    assert len(attached) == 1
    resolve_and_wait(paging)


def test_outage_across_a_restart_delays_no_page(tmp_path):
    with start(tmp_path, FAILS_OVER, "failover: {after: 1s, publish: [pager]}, ") as setup:
        setup.vendors.fault(vendor="devhelm", action="503", method="POST", count=100_000)
        first = setup.worker("w1")
        setup.web.send_alert(severity="critical")
        first.wait_for_output('destination=devhelm|"destination": ?"devhelm"')
        first.kill()
        second = setup.worker("w2")
        harness.eventually("the stand-in pages", lambda: setup.vendors.alerts() == ["open"])
        second.kill()
        harness.ask(f"{setup.vendors.url}/faults", method="DELETE")
        setup.worker("w3")
        harness.eventually("the vendor's own opens", lambda: setup.vendors.incidents()["devhelm"] == ["open"])
        assert setup.vendors.alerts() == ["open"]
        setup.web.send_alert(status="resolved")
        harness.eventually("both incidents are resolved", lambda: setup.vendors.alerts() == ["resolved"])
        harness.eventually("both incidents are resolved", lambda: setup.vendors.incidents()["devhelm"] == ["resolved"])
