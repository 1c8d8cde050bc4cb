"""A delivery marked as a test opens its own incident and reaches no page."""

import json
import urllib.error
import urllib.request

import pytest

from tests.end_to_end import harness

SAMPLE = {"title": "Checkout answers 5xx", "status": "firing", "dedup_key": "a", "labels": {"service": "checkout"}}
UNREADABLE = b'{"title": 3, "status": {}}'


@pytest.fixture(scope="module")
def scene(tmp_path_factory):
    """Run a router whose rule publishes automatically."""
    folder = tmp_path_factory.mktemp("tests")
    with harness.vendors() as at, harness.router(folder, harness.configure(folder, at, publish="auto")) as router:
        yield router, at


def post(router, value: str, body=SAMPLE, to="json"):
    """Post a body with the header that marks tests. Return the status and the response."""
    headers = {"authorization": f"Bearer {harness.TOKEN}", "incident-router-test": value}
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{router.url}/v1/webhooks/{to}", data, headers, method="POST")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read())


def test_dry_run_stores_nothing(scene):
    router, _ = scene
    before = router.command("deliveries", "list").stdout
    status, answer = post(router, "dry-run")
    assert (status, answer["dry_run"], answer["delivery"]) == (200, True, "")
    [alert] = answer["alerts"]
    assert (alert["rule"], alert["test"]) == ("checkout-down", True)
    assert {target["destination"]: target["public"] for target in alert["targets"]} == {
        "on-call": False,
        "devhelm": False,
        "public-page": True,
        "devhelm-page": True,
    }
    status, answer = post(router, " Dry-Run ", UNREADABLE)
    assert (status, answer["type"].rpartition(":")[2]) == (422, "unparsable")
    assert "quarantined" not in answer
    assert router.command("quarantine", "list").stdout == "nothing is in quarantine\n"
    assert router.command("deliveries", "list").stdout == before
    assert router.command("incidents", "list", "--all").stdout == "no incidents\n"


def test_test_alert_opens_separately_and_never_publicly(scene):
    router, at = scene
    _, answer = post(router, "true")
    [told] = answer["alerts"]
    assert told["incident_key"] == 'checkout-down{labels.service="checkout"} (test)'

    def opened():
        return [at.incidents()[place].count("open") for place in ("on-call", "devhelm")] == [1, 1]

    harness.eventually("the incident opens at internal destinations only", opened)
    # A real alert with the same name is a different alert: its start and end don't affect the test.
    router.send_alert()
    harness.eventually(
        "the alert that is no test opens a post", lambda: at.incidents()["public-page"].count("open") == 1
    )
    post(router, "true", {**SAMPLE, "status": "resolved"})
    harness.eventually("the test is over", lambda: at.incidents()["on-call"].count("resolved") == 1)
    assert at.incidents()["public-page"] == ["open"], "only the real one was ever shown, and it still is"
    assert at.incidents()["devhelm-page"].count("open") == 1
    titles = json.loads(router.command("incidents", "show", told["incident_key"], "--json").stdout)["publications"]
    shown = {title["destination"]: title["fields"].get("name") or title["fields"].get("title") for title in titles}
    assert (shown["on-call"], shown["devhelm"]) == ("[TEST] Checkout is down", "[TEST] Checkout is down")
    router.send_alert(status="resolved")
    harness.eventually("all is over", lambda: at.incidents()["public-page"] == ["resolved"])


def test_replayed_test_stays_a_test(scene):
    router, _ = scene
    _, answer = post(router, "true", UNREADABLE)
    kept = answer["quarantined"]
    document = json.loads(router.command("quarantine", "show", kept, "--json").stdout)
    assert document["headers"]["incident-router-test"] == "true"


def test_any_test_header_but_false_marks_a_test(scene):
    router, _ = scene
    for value, is_test in (("false", False), ("yes", True), ("0", True)):
        _, answer = post(router, value, {**SAMPLE, "status": "resolved"})
        assert answer["alerts"][0].get("test", False) is is_test
