"""A real router calls failing vendors: each incident is shown correctly, and opened once."""

import email.utils
import time

import pytest

from tests.end_to_end import harness

CREATES = {
    "on-call": ("incident-io", "/v1/incidents"),
    "public-page": ("incident-io", "/v2/status_page_incidents"),
    "devhelm": ("devhelm", "/api/v1/incidents"),
    "devhelm-page": ("devhelm", "/api/v1/status-pages/"),
}
MICROS = 1_000_000


@pytest.fixture
def stage(tmp_path):
    with harness.vendors() as at:
        file = harness.configure(tmp_path, at, timeout=1)
        with harness.router(tmp_path, file) as router:
            yield at, router


def open_and_resolve(at: harness.Vendors, router: harness.Router) -> None:
    router.send_alert(severity="critical")
    harness.eventually("exactly one incident is open everywhere", lambda: at.is_everywhere("open"))
    router.send_alert(status="resolved")
    harness.eventually("exactly that incident is resolved", lambda: at.is_everywhere("resolved"))


@pytest.mark.parametrize("action", ["act-then-drop", "drop", "truncate", "act-then-hang", "500"])
@pytest.mark.parametrize("place", CREATES)
def test_failing_open_leaves_exactly_one_incident(stage, place, action):
    at, router = stage
    vendor, path = CREATES[place]
    at.fault(vendor=vendor, method="POST", path=path, action=action, hang_seconds=3)
    open_and_resolve(at, router)
    assert any(call["fault"] == action for call in at.calls("POST", path))


@pytest.mark.parametrize("place", CREATES)
def test_no_retry_before_the_vendor_retry_time(stage, place):
    at, router = stage
    vendor, path = CREATES[place]
    at.fault(vendor=vendor, method="POST", path=path, action="429", retry_after=2)
    open_and_resolve(at, router)
    refused, *later = [call for call in at.calls("POST", vendor=vendor) if call["path"].startswith(path)]
    assert refused["status"] == 429
    # incident.io reports times in whole seconds, so its date may be up to one second early.
    assert later[0]["at"] - refused["at"] >= (2 if vendor == "devhelm" else 1) * MICROS


def test_failing_vendor_does_not_delay_the_other(stage):
    at, router = stage
    at.fault(vendor="devhelm", action="503", count=1000)
    router.send_alert(severity="critical")
    harness.eventually("incident.io shows the post", lambda: at.incidents()["public-page"] == ["open"])
    assert at.incidents()["devhelm"] == []
    harness.ask(f"{at.url}/faults", method="DELETE")
    harness.eventually("the incident opens at DevHelm", lambda: at.is_everywhere("open"), 90)


def test_permanent_rejection_is_not_retried(stage):
    """Calls to other destinations continue."""
    at, router = stage
    at.fault(vendor="devhelm", method="POST", path="/api/v1/incidents", action="status", status=422, count=1)
    router.send_alert(severity="critical")
    harness.eventually("the page shows the post", lambda: at.incidents()["devhelm-page"] == ["open"])
    router.send_alert(severity="critical", dedup_key="b")
    creates = [call for call in at.calls("POST") if call["path"] == "/api/v1/incidents"]
    assert [call["status"] for call in creates] == [422]


def test_incident_io_retry_date_has_the_tested_format():
    with harness.vendors() as at:
        at.fault(vendor="incident-io", action="429", retry_after=2)
        status, answer = harness.ask(f"{at.url}/incident-io/v1/severities", token="any key")
    assert status == 429
    asked = email.utils.parsedate_to_datetime(answer["rate_limit"]["retry_after"]).timestamp()
    assert 0 <= asked - time.time() <= 2
