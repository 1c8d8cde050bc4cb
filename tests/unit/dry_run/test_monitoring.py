"""Rule files that monitor a post before it is resolved, or require a review of the resolution."""

import pytest

from router.bootstrap import public_pages
from router.destinations import registry
from router.dry_run import rule_test_runner, simulation
from router.rules import destination_info, load, rule_tests
from router.yaml_source import documents

KINDS = {
    "on-call": "incident-io",
    "devhelm": "devhelm",
    "page": "devhelm-status-page",
    "other-page": "incident-io-status-page",
}
DESTINATIONS = {
    name: destination_info.DestinationInfo(
        registry.KINDS[kind].opening,
        registry.KINDS[kind].public,
        kind,
        monitoring=registry.KINDS[kind].monitoring,
    )
    for name, kind in KINDS.items()
}
PLACES = {name: public_pages.ConfiguredPage(registry.KINDS[kind], "") for name, kind in KINDS.items()}
FIRES, ENDS = "{at: %s, labels: {a: b}}", "{at: %s, status: resolved, labels: {a: b}}"
OPENED = "{at: 0s, open: page}, {at: 0s, open: on-call}"
MONITOR = 'resolve: {monitor_for: 15m, message: "It works again. We keep an eye on it."}'


def rule(resolve, *, publish="auto", at="page", rest="", rule_rest=""):
    return (
        f"rules:\n  - name: r\n    when: {{labels.a: b}}\n{rule_rest}    open:\n      - {{at: on-call, name: Down}}\n"
        f"      - {{at: {at}, publish: {publish}, title: Down, message: Sorry., {resolve}{rest}}}\n"
    )


def make_test(alerts, operations, *, people="", until="3h"):
    listed = ", ".join(alerts)
    return (
        f"tests:\n  - {{name: t, alerts: [{listed}], people: [{people}], until: {until}, "
        f"expect: {{operations: [{operations}]}}}}\n"
    )


def list_problems(rules, alerts, operations, **more):
    """Return all problems of the test."""
    document = documents.parse((rules + make_test(alerts, operations, **more)).encode(), "r.yaml")
    found = []
    (case,) = rule_tests.read(document, DESTINATIONS, found)
    assert found == []
    ruleset = load.from_document(document, DESTINATIONS)
    result = rule_test_runner.run(
        case, lambda now: simulation.Simulation(ruleset.decide, PLACES, public_pages.render, now=now)
    )
    return [problem.message for problem in result.problems]


def test_post_is_monitored_before_it_is_resolved():
    alerts = [FIRES % "0s", ENDS % "5m"]
    message = 'update_message: "It works again. We keep an eye on it.", update_status: MONITORING'
    ends = "{at: 20m, resolve: page}, {at: 20m, resolve: on-call}"
    assert list_problems(rule(MONITOR), alerts, f"{OPENED}, {{at: 5m, monitor: page, {message}}}, {ends}") == []
    assert list_problems(rule(MONITOR), alerts, f"{OPENED}, {ends}") != []


def test_monitoring_begins_after_resolve_after():
    rules = rule(MONITOR, rule_rest="    timing: {resolve_after: 10m}\n")
    ends = "{at: 15m, monitor: page}, {at: 30m, resolve: page}, {at: 30m, resolve: on-call}"
    assert list_problems(rules, [FIRES % "0s", ENDS % "5m"], f"{OPENED}, {ends}") == []


def test_refiring_alert_reverts_the_monitored_post():
    """No second post opens, and monitoring restarts from zero."""
    alerts = [FIRES % "0s", ENDS % "5m", FIRES % "10m", ENDS % "30m"]
    again = "{at: 5m, monitor: page}, {at: 10m, update: page, update_status: INVESTIGATING}"
    ends = "{at: 30m, monitor: page}, {at: 45m, resolve: page}, {at: 45m, resolve: on-call}"
    assert list_problems(rule(MONITOR), alerts, f"{OPENED}, {again}, {ends}") == []


def test_refiring_alert_restores_the_rule_s_status():
    rules = rule(MONITOR, rest=", status: IDENTIFIED")
    alerts = [FIRES % "0s", ENDS % "5m", FIRES % "10m"]
    again = "{at: 5m, monitor: page}, {at: 10m, update: page, update_status: IDENTIFIED}"
    assert list_problems(rules, alerts, f"{OPENED}, {again}", until="11m") == []


def test_monitoring_of_a_reviewed_post_is_reviewed():
    rules = rule(MONITOR, publish="review")
    alerts = [FIRES % "0s", ENDS % "5m"]
    opened = "{at: 0s, open: on-call}, {at: 1m, open: page}"
    ends = "{at: 20m, resolve: page}, {at: 20m, resolve: on-call}"
    approved = "{at: 1m, approve: page}, {at: 7m, approve: page}"
    assert list_problems(rules, alerts, f"{opened}, {{at: 7m, monitor: page}}, {ends}", people=approved) == []
    # Without a review of the monitoring step, the post is still resolved.
    assert list_problems(rules, alerts, f"{opened}, {ends}", people="{at: 1m, approve: page}") == []


def test_reviewed_monitoring_text_is_withdrawn_after_refiring():
    """The update is withdrawn without a review because its text is no longer true."""
    rules = rule(MONITOR, publish="review")
    alerts = [FIRES % "0s", ENDS % "5m", FIRES % "10m"]
    people = "{at: 1m, edit: page, fields: {title: Slow}}, {at: 7m, edit: page, fields: {update_message: Fixed.}}"
    monitored = "{at: 7m, monitor: page, title: Slow, update_message: Fixed.}"
    operations = (
        f"{{at: 0s, open: on-call}}, {{at: 1m, open: page, title: Slow}}, {monitored}, "
        "{at: 10m, update: page, title: Slow, update_message: null}"
    )
    assert list_problems(rules, alerts, operations, people=people, until="12m") == []


def test_unapproved_post_is_not_opened_after_alerts_resolve():
    rules = rule(MONITOR, publish="review")
    problems = list_problems(
        rules, [FIRES % "0s", ENDS % "5m"], "{at: 0s, open: on-call}, {at: 20m, resolve: on-call}",
        people="{at: 6m, approve: page}",
    )  # fmt: skip
    assert problems == ['nothing awaits approval at "page" at that time']


def test_frozen_post_is_neither_monitored_nor_resolved():
    alerts = [FIRES % "0s", ENDS % "5m"]
    frozen = "{at: 4m, freeze: upgrade}"
    resolved = "{at: 20m, resolve: on-call}"
    assert list_problems(rule(MONITOR), alerts, f"{OPENED}, {resolved}", people=frozen) == []
    thawed = f"{OPENED}, {{at: 8m, monitor: page}}, {resolved}, {{at: 20m, resolve: page}}"
    assert list_problems(rule(MONITOR), alerts, thawed, people=f"{frozen}, {{at: 8m, thaw: true}}") == []


@pytest.mark.parametrize("resolve", ["resolve: review", "resolve: {review: true}"])
def test_resolution_waits_for_a_reviewer(resolve):
    alerts = [FIRES % "0s", ENDS % "5m"]
    ends = "{at: 5m, resolve: on-call}"
    assert list_problems(rule(resolve), alerts, f"{OPENED}, {ends}") == []
    approved = f"{OPENED}, {ends}, {{at: 30m, resolve: page}}"
    assert list_problems(rule(resolve), alerts, approved, people="{at: 30m, approve: page}") == []
    edited = f"{OPENED}, {ends}, {{at: 30m, resolve: page, resolve_message: Done.}}"
    people = "{at: 30m, edit: page, fields: {resolve_message: Done.}}"
    assert list_problems(rule(resolve), alerts, edited, people=people) == []
    # A reviewer who dismisses the resolution ends the post at the vendor manually.
    assert list_problems(rule(resolve), alerts, f"{OPENED}, {ends}", people="{at: 30m, dismiss: page}") == []


def test_resolution_is_published_at_its_review_deadline():
    alerts = [FIRES % "0s", ENDS % "5m"]
    rules = rule("resolve: review", rest=", review: {timeout: 10m, on_timeout: publish}")
    ends = "{at: 5m, resolve: on-call}"
    assert list_problems(rules, alerts, f"{OPENED}, {ends}, {{at: 15m, resolve: page}}") == []
    # A dismissing deadline applies only to posts that aren't published yet.
    waits = rule("resolve: review", rest=", review: {timeout: 10m, on_timeout: dismiss}")
    assert list_problems(waits, alerts, f"{OPENED}, {ends}") == []


def test_monitored_post_waits_for_a_reviewed_resolution():
    resolve = 'resolve: {monitor_for: 15m, message: "It works again.", review: true}'
    ends = "{at: 5m, monitor: page}, {at: 20m, resolve: on-call}, {at: 1h, resolve: page}"
    alerts = [FIRES % "0s", ENDS % "5m"]
    assert list_problems(rule(resolve), alerts, f"{OPENED}, {ends}", people="{at: 1h, approve: page}") == []


@pytest.mark.parametrize(("at", "status"), [("page", "MONITORING"), ("other-page", "monitoring")])
def test_monitoring_uses_the_page_s_own_status_name(at, status):
    operations = f"{{open: on-call}}, {{open: {at}}}, {{at: 5m, monitor: {at}, update_status: {status}}}"
    assert list_problems(rule(MONITOR, at=at), [FIRES % "0s", ENDS % "5m"], operations, until="6m") == []


def list_refusals(text):
    with pytest.raises(load.RulesRefused) as raised:
        load.from_document(documents.parse(text.encode(), "r.yaml"), DESTINATIONS)
    return str(raised.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (rule("resolve: {monitor_for: 15m}"), '"monitor_for" and "message" must be set together'),
        (rule('resolve: {message: "It works."}'), '"monitor_for" and "message" must be set together'),
        (rule("resolve: {}"), 'write "monitor_for" with a "message", or "review: true"'),
        (rule("resolve: soon"), "review"),
        (rule("resolve: {monitor_for: 15m, mesage: x}"), "did you mean"),
        (rule('resolve: {monitor_for: 15m, message: "{{ alert.labels.host }}"}'), "not declared as public"),
        (rule('resolve: {monitor_for: 15m, message: "{{ alert.title"}'), "r.yaml:6:102:"),
        (rule(f'resolve: {{monitor_for: 15m, message: "{"x" * 5000}"}}', at="other-page"), "at most 4096"),
        (rule(MONITOR, rule_rest="    timing: {heartbeat: 5m}\n"), "a received heartbeat ends its incident"),
    ],
)
def test_invalid_resolve_setting_is_refused_with_advice(text, said):
    assert said in list_refusals(text)


@pytest.mark.parametrize("at", ["on-call", "devhelm"])
@pytest.mark.parametrize("resolve", [MONITOR, "resolve: review"])
def test_internal_destination_kinds_refuse_resolve_settings(at, resolve):
    name = "name" if at == "on-call" else "title"
    text = f"rules:\n  - name: r\n    when: {{labels.a: b}}\n    open: [{{at: {at}, {name}: Down, {resolve}}}]\n"
    refusals = list_refusals(text)
    assert f'customers don\'t see what is at "{at}" (kind {KINDS[at]})' in refusals
    assert "r.yaml:4:" in refusals


AGAIN = [FIRES % "0s", ENDS % "5m", FIRES % "30m", ENDS % "40m"]


@pytest.mark.parametrize("timing", ["", "    timing: {reopen_within: 1h}\n"], ids=["new", "reopened"])
def test_post_awaiting_resolution_continues_after_refiring(timing):
    """The post is neither resolved without the review nor duplicated. The second end waits for its own review."""
    rules = rule("resolve: review", rule_rest=timing)
    on_call = "{at: 5m, resolve: on-call}, {at: 30m, open: on-call}, {at: 40m, resolve: on-call}"
    assert list_problems(rules, AGAIN, f"{OPENED}, {on_call}") == []
    approved = f"{OPENED}, {on_call}, {{at: 1h, resolve: page}}"
    assert list_problems(rules, AGAIN, approved, people="{at: 1h, approve: page}") == []
    early = f"{OPENED}, {on_call}, {{at: 10m, resolve: page}}, {{at: 30m, open: page}}"
    assert list_problems(rules, AGAIN, early, people="{at: 10m, approve: page}") == []


def test_resolution_deadline_restarts_after_refiring():
    """The first review would have timed out at 65 minutes, but its request is no longer valid."""
    alerts = [FIRES % "0s", ENDS % "5m", FIRES % "30m", ENDS % "50m"]
    rules = rule("resolve: review, review: {timeout: 1h, on_timeout: publish}")
    on_call = "{at: 5m, resolve: on-call}, {at: 30m, open: on-call}, {at: 50m, resolve: on-call}"
    assert list_problems(rules, alerts, f"{OPENED}, {on_call}, {{at: 1h50m, resolve: page}}") == []


def test_post_awaiting_resolution_is_updated_after_refiring():
    operations = f"{OPENED}, {{at: 5m, resolve: on-call}}, {{at: 30m, open: on-call}}, {{at: 30m, update: page}}"
    alerts = [FIRES % "0s", ENDS % "5m", "{at: 30m, labels: {a: b}, severity: critical}"]
    assert list_problems(rule("resolve: review"), alerts, operations) == []
