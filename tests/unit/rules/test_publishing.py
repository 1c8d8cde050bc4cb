"""Publishing settings of rules: review deadlines, update and fallback texts, and separate incidents for test alerts."""

import dataclasses

import pytest

from router.domain import decisions
from router.rules import check, load
from tests.unit.rules import conftest

TITLE = {"at": "page", "title": "Down"}


def get_target(build, **opening):
    (target,) = build({"open": [{**TITLE, **opening}]}).rules[0].targets
    return target


def test_review_without_a_deadline_never_times_out(build):
    target = get_target(build)
    assert (target.publish, target.deadline, target.at_deadline) == ("review", 0, "dismiss")


@pytest.mark.parametrize(("then", "said"), [({}, "dismiss"), ({"on_timeout": "publish"}, "publish")])
def test_review_deadline_has_its_configured_action(build, then, said):
    target = get_target(build, review={"timeout": "15m", **then})
    assert (target.deadline, target.at_deadline) == (900_000_000, said)


def test_update_texts_are_separate_fields(build):
    target = get_target(build, fallback={"title": "An outage"})
    assert (target.fields, target.fallback) == ({"title": "Down"}, {"title": "An outage"})


def test_test_alert_has_its_own_incident(build, make_alert):
    rules = build({"group_by": ["labels.a"]})
    real = rules.decide(make_alert({"a": "x"}), 0).incident_key
    tried = rules.decide(make_alert({"a": "x", "test": "true"}), 0).incident_key
    assert tried == f"{real} (test)"
    assert rules.decide(make_alert({"a": "x", "test": "false"}), 0).incident_key == real


def test_test_alert_of_several_rules_has_own_incident(build, make_alert):
    rules = build({"continue": True}, {"severity": "critical"})
    tried = rules.decide(make_alert({"test": "yes"}), 0)
    assert tried.incident_key.endswith(" (test)")


LITERAL = """
defaults: {allow_text: [help@acme.com]}
rules:
  - name: leaky
    when: {labels.a: x}
    open:
      - at: page
        title: "10.0.0.1 is down, mail help@acme.com"
        components: {API: outage}
        fallback: {title: "Mail root@localhost"}
      - {at: on-call, name: "10.0.0.1 is down"}
  - name: fine
    when: {labels.a: y}
    allow_text: ["4.12.0.1"]
    open: [{at: page, title: "iOS app version 4.12.0.1 crashes; see status.acme.com"}]
"""


def list_warnings(folder, text, **more):
    page = dataclasses.replace(conftest.DESTINATIONS["page"], **more)
    report = check.check_folder(folder(a=text), {**conftest.DESTINATIONS, "page": page})
    assert {problem.level for problem in report.problems} <= {"warning"}
    return [f"{problem.line}:{problem.column}: {problem.message}" for problem in report.problems]


def test_private_literal_text_gives_only_a_warning(folder):
    first, second, third = list_warnings(folder, LITERAL)
    assert first.startswith('8:16: rule "leaky": customers will read an IP address in "10.0.0.1 is down, mail"')
    assert second.startswith('10:27: rule "leaky": customers will read an e-mail address in "Mail root@localhost"')
    assert "add it to allow_text" in second
    assert third.startswith('15:30: rule "fine": customers will read a host name')
    assert "pages.allowed_hosts" in third


def test_allowed_hosts_may_be_named(folder):
    assert len(list_warnings(folder, LITERAL, hosts=("acme.com",))) == 2


def test_invisible_characters_and_empty_permissions_give_warnings(folder):
    text = 'rules: [{name: r, when: {}, group_by: [title], allow_text: [""], open: [{at: page, title: "a\\u200bb"}]}]'
    assert list_warnings(folder, text) == [
        '1:60: rule "r": an empty text in allow_text allows nothing',
        '1:91: rule "r": invisible characters are removed from posts',
    ]


def test_target_contains_the_declarations_of_its_variables(folder):
    text = """
lists: {regions: [us, eu]}
defaults: {public: {alert.labels.region: {in: regions}, alert.labels.unused: {values: [x]}}}
rules:
  - name: r
    when: {}
    public: {alert.labels.zone: {pattern: "^zone [0-9]$"}}
    open: [{at: page, title: "Down in {{ alert.labels.region }} {{ alert.labels.zone }} ({{ incident.severity }})"}]
"""
    (target,) = load.load(folder(a=text), conftest.DESTINATIONS).rules[0].targets
    assert target.public == {
        "alert.labels.region": decisions.Allowed(("eu", "us")),
        "alert.labels.zone": decisions.Allowed(pattern="^zone [0-9]$"),
    }


def test_variable_may_have_at_most_1000_values(build):
    def rule(count):
        values = [f"region {number}" for number in range(count)]
        return {
            "public": {"alert.labels.region": {"values": values}},
            "open": [{"at": "page", "title": "Down{{ alert.labels.region }}"}],
        }

    assert build(rule(1_000))
    with pytest.raises(load.RulesRefused, match="1001 texts are more than the limit of 1000"):
        build(rule(1_001))


@pytest.mark.parametrize("follow", [True, False, None])
def test_follow_severity_is_off_by_default(build, make_alert, follow):
    rule = {} if follow is None else {"follow_severity": follow}
    assert build(rule).decide(make_alert(), 0).response.follows_severity is bool(follow)


def test_monitoring_is_refused_without_a_monitoring_status(build):
    with pytest.raises(load.RulesRefused, match=r'"page" \(kind page\) has no status for a monitored post'):
        get_target(build, resolve={"monitor_for": "15m", "message": "It works again."})
    assert get_target(build, resolve="review").ending == decisions.Ending(review=True)


class Updated(conftest.Post):
    status: str = "investigating"
    update_status: str | None = None
    update_message: str | None = None


MONITORED = """
rules:
  - name: r
    when: {labels.a: x}
    public: {alert.labels.region: {values: [eu, us]}}
    open:
      - at: page
        title: Down
        resolve: {monitor_for: 15m, message: "MESSAGE"}
"""


def test_monitoring_message_is_checked_as_public_text(folder):
    page = {"opening": Updated, "monitoring": "monitoring"}
    (warning,) = list_warnings(folder, MONITORED.replace("MESSAGE", "10.0.0.1 is up again"), **page)
    assert warning.startswith('9:46: rule "r": customers will read an IP address in "10.0.0.1 is up again"')
    assert list_warnings(folder, MONITORED.replace("MESSAGE", "It works in {{ alert.labels.region }}."), **page) == []


def test_target_contains_the_variables_of_monitoring_texts(folder):
    text = MONITORED.replace("MESSAGE", "It works in {{ alert.labels.region }}.")
    page = dataclasses.replace(conftest.DESTINATIONS["page"], opening=Updated, monitoring="monitoring")
    (target,) = load.load(folder(a=text), {"page": page}).rules[0].targets
    assert target.public == {"alert.labels.region": decisions.Allowed(("eu", "us"))}
    assert target.ending.monitor_for == 900_000_000
    assert target.ending.firing == {"update_status": "investigating"}
