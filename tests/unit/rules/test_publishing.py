"""What rules say of publishing: reviews with a deadline, other words, and that tests stay apart."""

import pytest

from router.rules import known, load
from tests.unit.rules import conftest

TITLE = {"at": "page", "title": "Down"}


def only(build, **opening):
    (target,) = build({"open": [{**TITLE, **opening}]}).rules[0].targets
    return target


def test_a_review_without_a_deadline_may_take_for_ever(build):
    target = only(build)
    assert (target.publish, target.deadline, target.at_deadline) == ("review", 0, "dismiss")


@pytest.mark.parametrize(("then", "said"), [({}, "dismiss"), ({"then": "publish"}, "publish")])
def test_a_deadline_says_what_then(build, then, said):
    target = only(build, review={"within": "15m", **then})
    assert (target.deadline, target.at_deadline) == (900_000_000, said)


def test_other_words_are_kept_apart_from_the_rule_s(build):
    target = only(build, fallback={"title": "An outage"})
    assert (target.fields, target.fallback) == ({"title": "Down"}, {"title": "An outage"})


def test_an_alert_that_is_a_test_has_an_incident_of_its_own(build, make_alert):
    rules = build({"group_by": ["labels.a"]})
    real = rules.decide(make_alert({"a": "x"}), 0).incident_key
    tried = rules.decide(make_alert({"a": "x", "test": "true"}), 0).incident_key
    assert tried == f"{real} (test)"
    assert rules.decide(make_alert({"a": "x", "test": "false"}), 0).incident_key == real


def test_so_it_is_where_several_rules_decide(build, make_alert):
    rules = build({"continue": True}, {"severity": "critical"})
    tried = rules.decide(make_alert({"test": "yes"}), 0)
    assert tried.incident_key.endswith(" (test)")


def test_what_customers_must_not_see_is_refused_when_it_is_literal(build):
    with pytest.raises(load.Refused, match="customers must not see an IP address"):
        build({"open": [{"at": "page", "title": "10.0.0.1 is down"}]})
    assert build({"open": [{"at": "on-call", "name": "10.0.0.1 is down"}]}).rules


def test_hosts_that_the_configuration_allows_may_be_named():
    page = conftest.DESTINATIONS["page"]
    rule = {"name": "r", "when": {}, "open": [{"at": "page", "title": "See status.acme.com"}]}
    with pytest.raises(load.Refused, match=r"allowed by pages\.allowed_hosts"):
        load.build([rule], {"page": page})
    allowed = known.Known(page.opening, public=True, kind="page", hosts=("acme.com",))
    assert load.build([rule], {"page": allowed}).rules


@pytest.mark.parametrize("follow", [True, False, None])
def test_following_is_what_a_rule_says_and_else_not(build, make_alert, follow):
    rule = {} if follow is None else {"follow": follow}
    assert build(rule).decide(make_alert(), 0).response.follows_severity is bool(follow)
