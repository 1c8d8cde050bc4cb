"""Muting in rule tests: mute windows and inhibitions delay firing alerts without losing any."""

from tests.unit.dry_run import scenarios

NIGHT = """time_intervals:
  night: {times: [{start_time: "18:00", end_time: "09:00"}]}
rules:
  - {name: disk, when: {labels.n: Disk}, mute_during: [night], open: [{at: on-call}]}
tests:
"""


def is_passing(text):
    return scenarios.list_problems(text) == []


def test_muted_alert_opens_when_the_window_ends():
    test = "  - {name: t, starts: 2030-01-08T03:00:00Z, alerts: [ALERTS], until: 12h, expect: {operations: [OPENS]}}\n"
    opens = test.replace("ALERTS", "{labels: {n: Disk}}").replace("OPENS", "{at: 6h, open: on-call}")
    assert is_passing(NIGHT + opens)
    over = "{labels: {n: Disk}}, {at: 1h, status: resolved, labels: {n: Disk}}"
    assert is_passing(NIGHT + test.replace("ALERTS", over).replace("OPENS", ""))


def test_alert_outside_the_window_opens_immediately():
    operations = "{operations: [{at: 0s, open: on-call}]}"
    assert is_passing(NIGHT + f"  - {{name: t, alerts: [{{labels: {{n: Disk}}}}], expect: {operations}}}")


INHIBITED = """rules:
  - {name: db, when: {labels.n: Db}, group_by: [labels.n, labels.r], open: [{at: second}]}
  - name: login
    when: {labels.n: Login}
    inhibited_by: [{rule: db, equal: [labels.r]}]
    open: [{at: on-call}]
tests:
"""


def test_inhibited_alert_opens_once_its_inhibitor_has_resolved():
    test = """  - name: t
    alerts:
      - {labels: {n: Db, r: eu}}
      - {at: 10s, labels: {n: Login, r: REGION}}
      - {at: 10m, status: resolved, labels: {n: Db, r: eu}}
    until: 11m
    expect: {operations: [{at: 0s, open: second}, {at: 10m, resolve: second}, OPENS]}
"""
    same = test.replace("REGION", "eu")
    assert is_passing(INHIBITED + same.replace("OPENS", "{open: on-call}"))
    assert not is_passing(INHIBITED + same.replace("OPENS", "{at: 10s, open: on-call}"))
    assert is_passing(INHIBITED + test.replace("REGION", "us").replace("OPENS", "{at: 10s, open: on-call}"))
