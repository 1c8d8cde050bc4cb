"""Heartbeats with a running router: received, missed, listed, and deleted."""

import pytest

from tests.end_to_end import harness

RULES = """
rules:
  - name: silent
    when: {labels.alertname: Watchdog}
    group_by: [labels.cluster]
    timing: {heartbeat: EVERY}
    open:
      - {at: on-call, name: "No word from {{ alert.labels.cluster | default: alert.title }}"}
"""
KEY = 'silent{labels.cluster="eu"}'


@pytest.fixture
def scene(tmp_path):
    def start(every):
        rules = RULES.replace("EVERY", every)
        return harness.router(tmp_path, harness.configure(tmp_path, at, rules=rules))

    with harness.vendors() as at:
        yield at, start


def beat(router, cluster="eu"):
    router.send_alert(dedup_key=cluster, labels={"alertname": "Watchdog", "cluster": cluster})


def test_missed_heartbeat_ends_with_the_next_signal(scene):
    at, start = scene
    with start("2s") as router:
        beat(router)
        harness.eventually("the missed heartbeat opens an incident", lambda: at.incidents()["on-call"] == ["open"])
        assert "silent" in router.command("heartbeats", "list").stdout
        assert "was not received for 2 s" in router.command("incidents", "show", KEY).stdout
        beat(router)
        harness.eventually("the incident is resolved", lambda: "resolved" in at.incidents()["on-call"])


def test_heartbeat_groups_are_listed_and_can_be_deleted(scene):
    at, start = scene
    with start("1h") as router:
        assert router.command("heartbeats", "list").stdout == "no heartbeat has been received yet\n"
        for cluster in ("eu", "us"):
            beat(router, cluster)
        harness.eventually("both are known", lambda: router.command("heartbeats", "list").stdout.count("alive") == 2)
        output = router.command("heartbeats", "list").stdout
        assert KEY in output
        assert "1h" in output
        assert router.command("heartbeats", "forget", KEY).stdout == f"{KEY} is no longer expected\n"
        assert KEY not in router.command("heartbeats", "list").stdout
        again = router.command("heartbeats", "forget", KEY)
        assert (again.returncode, "there is no heartbeat" in again.stderr) == (1, True)
        assert at.incidents()["on-call"] == []
